// Whether a generation 1 connection carries the live stream, in simulated time with a network that is late: a live stream is never
// taken for its absence for longer than a heartbeat takes, and a connection without a stream never for live.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { FRAME_CAUGHT_UP } from "../../src/wire/messages.ts";
import type { SimFollower } from "../support/sim-follower.ts";
import { type Generation, GENERATIONS } from "../support/sim-leader.ts";
import type { MemoryConnection } from "../support/memory-net.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

/** From the first heartbeat of a stream to the second. */
const HEARTBEAT_MS = 5_000;

function filled(generation: Generation): SimStage {
  const stage = new SimStage({ generation, slots: 100 });
  for (let slot = 0; slot < 100; slot++) stage.leader.put(0, slot, 1);
  return stage;
}

/** Another follower has taken the only stream, and is gone. */
function withoutStream(): SimStage {
  const stage = filled(1);
  const first = stage.follow();
  stage.until("live", () => first.states().at(-1) === "live", 15_000);
  first.kill();
  stage.disk.killed();
  stage.clock.advance(1_000);
  return stage;
}

/** What the leader sends is 20 ms on its way; waits until it has sent CaughtUp to the youngest connection of the shard. */
function untilCaughtUpIsSent(stage: SimStage): MemoryConnection {
  const isSent = () =>
    stage.net.open.some(({ accepted }) => accepted.sends.at(-1)?.[0] === FRAME_CAUGHT_UP);
  stage.until("CaughtUp is on its way", isSent, 30_000);
  return stage.connectionOf(0);
}

function late(stage: SimStage): void {
  stage.net.onConnection = ({ toConnector }) => void (toConnector.delayMs = 20);
}

/** The longest time in one of these states, of the states that came after `from`. */
function longestMs(stage: SimStage, follower: SimFollower, state: string, forMs: number): number {
  let longest = 0;
  let sinceMs: number | null = null;
  for (let passedMs = 0; passedMs < forMs; passedMs += 50) {
    stage.clock.advance(50);
    const nowMs = stage.clock.nowMs();
    if (follower.shard().state !== state) sinceMs = null;
    else longest = Math.max(longest, nowMs - (sinceMs ??= nowMs));
  }
  return longest;
}

describe.each(GENERATIONS)("a live stream whose CaughtUp is late (generation %d)", (generation) => {
  test.each([0, 600, 1_500, 2_800, 4_000, 4_900, 8_000])("by %d ms is live", (lateMs) => {
    const stage = filled(generation);
    late(stage);
    const follower = stage.follow();
    const { toConnector } = untilCaughtUpIsSent(stage);
    toConnector.hold();
    stage.clock.advance(lateMs);
    toConnector.release();
    const tookMs = stage.until("live", () => follower.states().at(-1) === "live", 12_000);
    expect(tookMs).toBeLessThan(HEARTBEAT_MS + 1_000);
    expect(longestMs(stage, follower, "polling", 60_000)).toBe(0);
    expect(follower.states()).not.toContain("polling");
    expect(follower.shard()).toMatchObject({ state: "live", owed: null, reconnects: 0 });
    stage.leader.put(0, 1, 2);
    stage.clock.advance(100);
    stage.expectEqual();
    // And its heartbeats are missed when they stay away.
    stage.leader.muted.add(0);
    stage.until("stalled", () => follower.states().at(-1) === "stalled", 25_000);
  });
});

describe("a live stream whose first heartbeat is late", () => {
  test.each([500, 1_500, 3_000, 6_000])(
    "by %d ms is live, with the next one at the latest",
    (lateMs) => {
      const stage = filled(1);
      const follower = stage.follow();
      stage.until("caught up", () => follower.reportsOf("caught-up").length === 1, 5_000);
      const { toConnector } = stage.connectionOf(0);
      stage.clock.advance(HEARTBEAT_MS - 1_000);
      toConnector.hold();
      stage.clock.advance(1_000 + lateMs);
      toConnector.release();
      expect(longestMs(stage, follower, "polling", 20_000)).toBeLessThanOrEqual(HEARTBEAT_MS + 100);
      expect(follower.states().at(-1)).toBe("live");
      expect(follower.reportsOf("leader-restarted")).toEqual([]);
    },
  );

  test("is live with the first event", () => {
    const stage = filled(1);
    const follower = stage.follow();
    stage.until("caught up", () => follower.reportsOf("caught-up").length === 1, 5_000);
    stage.leader.put(0, 1, 2);
    stage.clock.advance(10);
    expect(follower.states().at(-1)).toBe("live");
  });
});

describe("a connection without a stream", () => {
  test.each([0, 1_000, 3_000, 5_000, 8_000])(
    "whose answer comes %d ms late is never live, and no new process of the leader",
    (lateMs) => {
      const stage = withoutStream();
      const follower = stage.follow({ settings: { pollMs: 60_000 } });
      stage.until("polling", () => follower.states().at(-1) === "polling", 20_000);
      const { connectionsToday } = follower.supervisor;
      // The connection breaks, and the next one is slow just then.
      stage.connectionOf(0).reset();
      late(stage);
      const { toConnector } = untilCaughtUpIsSent(stage);
      // CaughtUp arrives, and nothing behind it.
      stage.clock.advance(30);
      toConnector.hold();
      stage.clock.advance(HEARTBEAT_MS + lateMs);
      toConnector.release();
      stage.until("polling", () => follower.states().at(-1) === "polling", 20_000);
      stage.clock.advance(30_000);
      expect(follower.states()).not.toContain("live");
      expect(follower.shard()).toMatchObject({ state: "polling", streaming: "polling" });
      expect(follower.reportsOf("leader-restarted")).toEqual([]);
      expect(follower.supervisor.connectionsToday).toBeGreaterThan(connectionsToday);
    },
  );

  test.each([500, 2_000, 4_500])("over a line that is %d ms long is never live", (delayMs) => {
    const stage = withoutStream();
    stage.net.onConnection = ({ toConnector }) => void (toConnector.delayMs = delayMs);
    const follower = stage.follow({ settings: { pollMs: 600_000 } });
    stage.until("polling", () => follower.states().at(-1) === "polling", 120_000);
    stage.clock.advance(120_000);
    expect(follower.states()).not.toContain("live");
    expect(follower.states()).not.toContain("stalled");
  });

  test("that becomes one with a stream is a new process of the leader, and the count begins anew", () => {
    const stage = withoutStream();
    const follower = stage.follow({ settings: { pollMs: 60_000 } });
    stage.until("polling", () => follower.states().at(-1) === "polling", 20_000);
    stage.clock.advance(180_000);
    expect(follower.supervisor.connectionsToday).toBeGreaterThan(3);
    stage.leader.stop();
    stage.clock.advance(100);
    stage.leader.start();
    stage.until("live", () => follower.states().at(-1) === "live", 20_000);
    expect(follower.reportsOf("leader-restarted").length).toBe(1);
    expect(follower.supervisor.connectionsToday).toBe(1);
  });
});
