// Who vouches for a scan whose leader stopped in the middle of it and is back before its end has come through: nobody. The early
// CaughtUp adds up, tunnels hold the end back, and a new process answers every question (wire.md, points 15 and 19). In simulated time.

import { describe, expect, test } from "bun:test";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

const SLOTS = 2_000;
/** By then the second shard is connected. */
const CLOSED_AT_SLOT = 1_200;
const HELD_BACK_MS = 30_000;
const ENDED_WITHIN_MS = 60_000;

/** A leader that is closed in the middle of a scan; no end of its connections comes through in time. */
function closedInScan(generation: Generation, shards: number): SimStage {
  const stage = new SimStage({ generation, slots: SLOTS, shards });
  for (let shard = 0; shard < shards; shard++) {
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(shard, slot, 1);
  }
  stage.leader.truncateScanAt = CLOSED_AT_SLOT;
  stage.net.onConnection = ({ toConnector }) => {
    Object.assign(toConnector, { delayMs: 10, finishDelayMs: HELD_BACK_MS });
  };
  return stage;
}

/** Lets it be closed, gone for so long, and back. */
function comesBack(stage: SimStage, afterMs: number): void {
  stage.until("the leader is closed", () => stage.leader.isStopped, 10_000);
  stage.leader.truncateScanAt = null;
  stage.leader.stop();
  stage.clock.advance(afterMs);
  stage.leader.start();
}

const settings = { resyncMs: null, once: true, windowAcks: 0 };

describe.each(GENERATIONS)("a scan that a leader of generation %d cut short", (generation) => {
  test.each([0, 10, 50, 100, 150, 200, 250, 1_000, 10_000])(
    "is not whole because one answers %d ms later",
    (afterMs) => {
      const stage = closedInScan(generation, 1);
      const follower = stage.follow({ settings });
      comesBack(stage, afterMs);
      stage.until("ended", () => follower.ended !== undefined, ENDED_WITHIN_MS);
      expect(follower.ended).toBeNull();
      stage.expectEqual();
    },
  );

  test("is not whole because another shard has caught up since, with the new process", () => {
    const stage = closedInScan(generation, 2);
    const follower = stage.follow({ settings });
    stage.until("the leader is closed", () => stage.leader.isStopped, 10_000);
    // The other one is told of the end.
    stage.connectionOf(1).reset();
    comesBack(stage, 100);
    stage.until("ended", () => follower.ended !== undefined, ENDED_WITHIN_MS);
    expect(follower.ended).toBeNull();
    stage.expectEqual();
  });

  test("is not whole because another shard is followed only since then", () => {
    const stage = closedInScan(generation, 2);
    let refused = 0;
    const late = stage.net.onConnection;
    stage.net.onConnection = (connection) => {
      late?.(connection);
      // The second shard's first connection breaks, before the first one has caught up.
      if (stage.net.connections.length > (generation === 1 ? 2 : 1) && refused++ === 0) {
        connection.reset();
        connection.toListener.hold();
      }
    };
    const follower = stage.follow({ settings });
    comesBack(stage, 700);
    stage.until("ended", () => follower.ended !== undefined, ENDED_WITHIN_MS);
    expect(follower.ended).toBeNull();
    stage.expectEqual();
  });
});
