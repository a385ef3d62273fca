// `shard already streaming`, in simulated time: asked again soon, then with the backoff's pauses, with a word on who it may be; and
// never a second stream beside our own.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { FRAME_ACK } from "../../src/wire/messages.ts";
import { SimStage } from "../support/sim-stage.ts";

const ACK_FRAME_BYTES = 18;

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

for (const generation of [2, 3] as const) {
  describe(`a stream that somebody else has (generation ${generation})`, () => {
    test("is asked for again within 3 s four times, then ever less often, and taken when it is free", () => {
      const stage = new SimStage({ generation });
      stage.leader.put(0, 1, 1);
      const other = stage.follow();
      stage.until("live", () => other.states().at(-1) === "live", 10_000);
      // Its machine is gone, and its leader does not know yet.
      const dead = stage.connectionOf(0);
      dead.silence();
      other.kill();
      stage.disk.killed();
      const before = stage.leader.connectionsEver;
      const follower = stage.follow();
      stage.clock.advance(3_000);
      // And the one that is to vouch for its scan.
      expect(stage.leader.connectionsEver - before).toBe(5 + 1);
      expect(follower.shard().state).toBe("waiting");
      expect(follower.shard().lastError).toContain("shard already streaming");
      expect(follower.shard().lastError).toContain(
        "another follower, or an old connection of ours",
      );
      stage.clock.advance(600_000);
      // 1 2 4 8 16 and then 30 s: some 22 in ten minutes.
      const tries = stage.leader.connectionsEver - before;
      expect(tries).toBeGreaterThan(18);
      // At most one a minute besides, to vouch for the scan.
      expect(tries).toBeLessThan(30 + 10);
      dead.accepted.end({ kind: "broken", reason: "ETIMEDOUT" });
      stage.until("live", () => follower.states().at(-1) === "live", 40_000);
      stage.leader.put(0, 1, 2);
      stage.clock.advance(10);
      stage.expectEqual();
    });

    test("is given back in good order for a scan: no word of it, and no pause of the backoff", () => {
      const stage = new SimStage({ generation });
      stage.leader.put(0, 1, 1);
      const follower = stage.follow({ settings: { resyncMs: 60_000 } });
      stage.clock.advance(600_000);
      expect(follower.shard().scansDone).toBeGreaterThanOrEqual(9);
      expect(follower.shard().reconnects).toBe(0);
      expect(follower.states()).not.toContain("waiting");
    });
  });
}

describe("figures are told to the supervisor", () => {
  test("once a second, but when the leader was last heard of is known at any moment", () => {
    const stage = new SimStage();
    const follower = stage.follow();
    stage.until("live", () => follower.states().at(-1) === "live", 10_000);
    stage.leader.put(0, 1, 1);
    stage.clock.advance(10);
    let oldestMs = 0;
    for (let put = 2; put <= 300; put++) {
      stage.leader.put(0, put % 50, put);
      stage.clock.advance(10);
      const { lastFrameAtMs } = follower.shard();
      oldestMs = Math.max(oldestMs, stage.clock.nowMs() - (lastFrameAtMs ?? 0));
    }
    expect(oldestMs).toBeLessThanOrEqual(10);
    // The last frame of a thread that is gone is no news.
    const heardAtMs = follower.shard().lastFrameAtMs;
    follower.killThread(0, "a bug");
    stage.clock.advance(100);
    expect(follower.shard().state).toBe("stalled");
    expect(follower.shard().lastFrameAtMs).toBeLessThanOrEqual(heardAtMs ?? 0);
  });

  test("once a second, and with a heartbeat, while a live stream brings something every 10 ms", () => {
    const stage = new SimStage();
    const follower = stage.follow();
    stage.until("live", () => follower.states().at(-1) === "live", 10_000);
    const before = follower.reportsOf("snapshot").length;
    for (let put = 1; put <= 1_000; put++) {
      stage.leader.put(0, put % 50, put);
      stage.clock.advance(10);
    }
    const told = follower.reportsOf("snapshot").length - before;
    expect(told).toBeGreaterThanOrEqual(9);
    expect(told).toBeLessThanOrEqual(13);
    expect(follower.shard().appliedTotal).toBeGreaterThan(850n);
  });

  test("four times a second in a scan", () => {
    const slots = 60_000;
    const stage = new SimStage({ slots });
    for (let slot = 0; slot < slots; slot++) stage.leader.put(0, slot, 1);
    const follower = stage.follow({ settings: { limitRateBytes: 256 * 1024 } });
    const tookMs = stage.until("live", () => follower.states().at(-1) === "live", 60_000);
    const told = follower.reportsOf("snapshot").length;
    expect(told).toBeGreaterThan((3 * tookMs) / 1000);
    expect(told).toBeLessThan((6 * tookMs) / 1000);
  });
});

describe("live batches are acked", () => {
  /** Acks that a follower sends for a put every 10 ms in two seconds, once the window's credit is given back. */
  function acksOfTwoSeconds(generation: 1 | 3): { acks: number; stage: SimStage } {
    const stage = new SimStage({ generation });
    const follower = stage.follow({ settings: { windowAcks: 0 } });
    stage.until("live", () => follower.states().at(-1) === "live", 30_000);
    const { sends } = stage.connectionOf(0).connecting;
    const before = sends.length;
    for (let put = 0; put < 200; put++) {
      stage.leader.put(0, put, 1);
      stage.clock.advance(10);
    }
    const acks = sends.slice(before).filter((bytes) => bytes[0] === FRAME_ACK);
    expect(new Set(acks.map((bytes) => bytes.length))).toEqual(new Set([ACK_FRAME_BYTES]));
    stage.expectEqual();
    return { acks: acks.length, stage };
  }

  test("one by one where a leader waits for them (protocol 2)", () => {
    expect(acksOfTwoSeconds(3).acks).toBe(200);
  });

  test("together, at most four times a second, where nobody does (protocol 1)", () => {
    const { acks } = acksOfTwoSeconds(1);
    expect(acks).toBeGreaterThan(6);
    expect(acks).toBeLessThan(10);
  });
});

test("20,000 puts a second after some seconds of rest do not overflow the ring of a leader that waits 20 ms for each ack", () => {
  const stage = new SimStage({ generation: 3, waitsForFrames: true });
  const follower = stage.follow();
  stage.until("live", () => follower.states().at(-1) === "live", 30_000);
  stage.clock.advance(3_000);
  for (let passedMs = 0, put = 0; passedMs < 2_000; passedMs++) {
    for (let each = 0; each < 20; each++, put++) stage.leader.put(0, put % 900, put);
    stage.clock.advance(1);
  }
  expect(stage.leader.shards[0]?.dropped).toBe(0);
  stage.clock.advance(1_000);
  expect(follower.shard()).toMatchObject({ state: "live", connections: 1 });
  stage.expectEqual();
});

test("a new directory asks for the protocol once, not once a shard", () => {
  const stage = new SimStage({ generation: 1, shards: 4 });
  const follower = stage.follow();
  stage.until("live", () => follower.states().at(-1) === "live", 30_000);
  stage.clock.advance(10_000);
  // The refused one, one a shard, and the two that vouch for all: from before the scans, and from behind them.
  expect(stage.leader.connectionsEver).toBe(7);
});
