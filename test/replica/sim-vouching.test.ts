// Who vouches for a scan whose leader stopped in the middle of it and is back before its end has come through: nobody. The early
// CaughtUp adds up, tunnels hold the end back, and a new process answers every question (wire.md, points 15 and 19). In simulated time.

import { describe, expect, test } from "bun:test";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { FRAME_CAUGHT_UP } from "../../src/wire/messages.ts";

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

describe.each(GENERATIONS)("--once at a leader of generation %d", (generation) => {
  /** Simulated ms from the last CaughtUp to the end, and how long the scan took. */
  function endsAfter(
    shards: number,
    roundTripMs: number,
    slots = SLOTS,
    limitRateBytes: number | null = null,
  ): number[] {
    const stage = new SimStage({ generation, slots, shards });
    for (let shard = 0; shard < shards; shard++) {
      for (let slot = 0; slot < slots; slot++) stage.leader.put(shard, slot, 1);
    }
    const type = (frame: Uint8Array | undefined) => frame?.[0];
    stage.net.onConnection = ({ toConnector, toListener }) => {
      toConnector.delayMs = roundTripMs / 2;
      toListener.delayMs = roundTripMs / 2;
    };
    const follower = stage.follow({ settings: { ...settings, limitRateBytes } });
    const caughtUp = () =>
      [...Array(shards).keys()].every((shard) => {
        return type(stage.connectionOrNone(shard)?.accepted.sends.at(-1)) === FRAME_CAUGHT_UP;
      });
    const scanMs = stage.until("caught up", caughtUp, 600_000);
    const endMs = stage.until("ended", () => follower.ended !== undefined, 60_000);
    expect(follower.ended).toBeNull();
    stage.expectEqual();
    return [endMs, scanMs];
  }

  test.each([
    [1, 0],
    [1, 20],
    [3, 20],
    [3, 200],
  ])("ends within 300 ms and the round trips of two answers: %d shards, %d ms", (shards, ms) => {
    const [endMs = Infinity] = endsAfter(shards, ms);
    // The last frame's way, then a connect with its answer, and one more answer.
    expect(endMs).toBeLessThanOrEqual(300 + ms / 2 + 3 * ms);
  });

  test("ends as soon after a scan of minutes, behind which the connection that vouches was renewed", () => {
    const [endMs = Infinity, scanMs = 0] = endsAfter(1, 20, 5 * SLOTS, 100);
    expect(scanMs).toBeGreaterThan(120_000);
    expect(endMs).toBeLessThanOrEqual(300 + 10 + 3 * 20);
  });
});
