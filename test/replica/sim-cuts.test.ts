// A network that fails at every byte: the handshake and the first frames cut, changed and said twice, in simulated time. Whatever
// happens to the first connection, the replica ends with the leader's contents, on all three generations.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { CutKind, MemoryConnection } from "../support/memory-net.ts";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

setDefaultTimeout(120_000);

/** ShardInfo, the first batches and CaughtUp of a small shard, and some of what follows. */
const BYTES = 420;
/** Time in which every loss is noticed and mended. */
const HEALED_MS = 180_000;
const RESYNC_MS = 30_000;

/** Follows a leader of a few records whose first connection is bent; ends with equal contents or throws. */
function survive(
  generation: Generation,
  bend: (connection: MemoryConnection, stage: SimStage) => void,
): void {
  const stage = new SimStage({ generation, slots: 20 });
  for (let slot = 0; slot < 8; slot++) stage.leader.put(0, slot, slot);
  let isFirst = true;
  stage.net.onConnection = (connection) => {
    if (isFirst) bend(connection, stage);
    isFirst = false;
  };
  const follower = stage.follow({ settings: { resyncMs: RESYNC_MS, pollMs: RESYNC_MS } });
  stage.until("ready", () => follower.ready, HEALED_MS);
  stage.leader.put(0, 3, 99);
  stage.until("equal", () => stage.differences().length === 0, HEALED_MS);
  expect(follower.shard().divergedSlots).toBe(0);
  follower.kill();
}

describe.each([...GENERATIONS])("with a leader of generation %i", (generation) => {
  for (const kind of ["fin", "reset", "silence"] as const satisfies readonly CutKind[]) {
    test(`a ${kind} at any byte of what the leader sends first is mended`, () => {
      for (let atByte = 0; atByte <= BYTES; atByte++) {
        survive(generation, (connection, stage) => {
          connection.toConnector.cutAt(atByte, kind);
          // Between the frames of a scan nobody but the kernel can notice: its keepalive does, after 17 s.
          if (kind === "silence") stage.clock.after(17_000, () => connection.reset("ETIMEDOUT"));
        });
      }
    });
  }

  test("a cut at any byte of what the follower sends first is mended", () => {
    for (let atByte = 0; atByte <= 40; atByte++) {
      survive(generation, (connection) => connection.toListener.cutAt(atByte, "reset"));
    }
  });

  test("single bytes, joined pieces and delay change nothing", () => {
    survive(generation, (connection) => {
      connection.toConnector.pieceBytesMax = 1;
    });
    survive(generation, (connection) => {
      connection.toConnector.joins = true;
      connection.toConnector.delayMs = 700;
    });
  });

  test("a flipped bit in the type or length of any early frame is mended", () => {
    // The first frame is a ShardInfo of 17 bytes, the second a batch; protocol 1 leaders refuse the first connection.
    for (const frameAt of [0, 17]) {
      for (let field = 0; field < 5; field++) {
        for (let bit = 0; bit < 8; bit++) {
          survive(generation, (connection) =>
            connection.toConnector.flipAt(frameAt + field, 1 << bit),
          );
        }
      }
    }
  });
});
