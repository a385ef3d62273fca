// Events that a leader drops in silence, one way after the other, in simulated time: whoever learns that something may be lost owes a
// whole scan that begins later, and nothing but that scan pays it.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SimFollower } from "../support/sim-follower.ts";
import { type Generation, GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const SLOTS = 400;
/** After the last write, without any calendar. */
const SETTLED_MS = 30_000;
const SETTINGS = { resyncMs: null };

function followed(generation: Generation): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage({ generation, slots: SLOTS });
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  const follower = stage.follow({ settings: SETTINGS });
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  // Past every scan that the start brings.
  stage.clock.advance(5_000);
  return { stage, follower };
}

function burst(stage: SimStage, writes: number, seed: number): void {
  for (let write = 0; write < writes; write++) stage.leader.put(0, write % SLOTS, seed + write);
}

/** Until the losses are mended the shard never says that it owes nothing. */
function expectMended(stage: SimStage, follower: SimFollower): void {
  stage.clock.advance(SETTLED_MS);
  stage.expectEqual();
  expect(follower.shard()).toMatchObject({ state: "live", owed: null, divergedSlots: 0 });
}

describe.each([1, 2] as const)("a silent loss at a leader of generation %d", (generation) => {
  test("is mended when it happens while the scan for an earlier one runs", () => {
    const { stage, follower } = followed(generation);
    stage.net.onConnection = ({ toConnector }) => void (toConnector.delayMs = 4_000);
    burst(stage, 20_000, 100);
    stage.until("the scan", () => follower.shard().scan !== null, 20_000);
    stage.net.onConnection = null;
    burst(stage, 20_000, 50_000);
    stage.leader.put(0, 7, 99_999);
    expectMended(stage, follower);
  });

  test.each([0, 1_100, 2_600, 10_000])(
    "is mended when the network pauses for %d ms in the middle of it",
    (pauseMs) => {
      const { stage, follower } = followed(generation);
      const { toConnector } = stage.connectionOf(0);
      burst(stage, 30_000, 100);
      stage.clock.advance(8);
      toConnector.hold();
      stage.clock.advance(pauseMs);
      toConnector.release();
      expectMended(stage, follower);
    },
  );

  test("is mended when the connection breaks right after it", () => {
    const { stage, follower } = followed(generation);
    burst(stage, 20_000, 100);
    stage.clock.advance(15);
    stage.connectionOf(0).reset();
    stage.clock.advance(SETTLED_MS);
    stage.expectEqual();
  });
});

test("a loss that is owed for shows, with the time at which it may have begun", () => {
  const { stage, follower } = followed(1);
  burst(stage, 20_000, 100);
  const lostMs = stage.clock.nowMs();
  stage.until("it is owed", () => follower.shard().owed !== null, 10_000);
  const { owed, shownAtMs } = follower.shard();
  expect(owed?.why).toBe("loss");
  expect(shownAtMs - (owed?.sinceMs ?? 0)).toBeLessThanOrEqual(lostMs + 100);
});

test("a scan beside the stream that stands still is given up, and made again", () => {
  const { stage, follower } = followed(1);
  let held = 0;
  stage.net.onConnection = ({ toConnector }) => {
    // ShardInfo passes, and nothing behind it.
    if (held++ === 0) stage.clock.after(1, () => toConnector.hold());
  };
  burst(stage, 20_000, 100);
  stage.until("a scan", () => follower.shard().scan !== null, 20_000);
  stage.clock.advance(60_000 + SETTLED_MS);
  stage.expectEqual();
  expect(follower.shard()).toMatchObject({ state: "live", owed: null, reconnects: 0 });
});

// Its leader has given the stream away: the verdict on that comes while the second look is owed.
test.each([false, true])(
  "a second look over a round trip of 300 ms comes after a second, whatever the stream's verdict (--once: %p)",
  (once) => {
    const { stage, follower } = followed(1);
    follower.supervisor.stop();
    stage.until("ended", () => follower.ended !== undefined, 10_000);
    stage.leader.set(0, 7, 1, 99);
    stage.net.onConnection = ({ toConnector, toListener }) => {
      toConnector.delayMs = 150;
      toListener.delayMs = 150;
    };
    const next = stage.follow({ settings: { ...SETTINGS, once } });
    const seen = () => next.reports.length > 0 && next.reportsOf("diverged").length > 0;
    stage.until("diverged", seen, 4_000);
    expect(next.shard()).toMatchObject({ divergedSlots: 1, scansDone: 2 });
    if (once) stage.until("ended", () => next.ended === null, 1_000);
    else expect(next.shard().owed).toBeNull();
  },
);

describe.each(GENERATIONS)(
  "a scan that the leader of generation %d cut short unnoticed",
  (generation) => {
    // Its CaughtUp adds up, and its end is held back on the way (wire.md, point 15).
    test.each([0, 300, 3_000, 30_000])("is never taken for whole, its end %d ms late", (lateMs) => {
      const stage = new SimStage({ generation, slots: SLOTS });
      for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
      // The leader closes in the middle: what it has read by then is all that it says.
      stage.leader.truncateScanAt = 100;
      stage.net.onConnection = ({ toConnector }) => {
        toConnector.finishDelayMs = lateMs;
      };
      const follower = stage.follow({ settings: { ...SETTINGS, once: true } });
      stage.until("the leader is gone", () => stage.leader.isStopped, 10_000);
      stage.clock.advance(lateMs + 1_000);
      expect(follower.ready).toBe(false);
      expect(follower.ended).toBeUndefined();
      expect(follower.shard()).toMatchObject({ complete: false, scansDone: 0 });
      stage.leader.truncateScanAt = null;
      stage.net.onConnection = null;
      stage.leader.start();
      stage.until("ended", () => follower.ended !== undefined, 60_000);
      expect(follower.ended).toBeNull();
      stage.expectEqual();
    });
  },
);
