// Events that a leader drops, in simulated time: each generation in its own way, and the scan that mends it, within --resync at
// the latest and at once where loss can be suspected. Also scans that only look whole.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import type { SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const RESYNC_MS = 600_000;
const SETTINGS = { resyncMs: RESYNC_MS };
const SLOTS = 400;

function filled(generation: Generation): SimStage {
  const stage = new SimStage({ generation, slots: SLOTS });
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  return stage;
}

function isLive(follower: SimFollower): boolean {
  return follower.states().at(-1) === "live";
}

/** Writes `count` events over all slots, in one moment. */
function burst(stage: SimStage, count: number, seed: number): void {
  for (let write = 0; write < count; write++) stage.leader.put(0, write % SLOTS, seed + write);
}

describe("dropped events", () => {
  for (const generation of GENERATIONS) {
    test(`of a burst while live are mended soon (generation ${generation})`, () => {
      const stage = filled(generation);
      const follower = stage.follow({ settings: SETTINGS });
      stage.until("live", () => isLive(follower), 10_000);
      burst(stage, 20_000, 100);
      expect(stage.leader.shards[0]?.dropped).toBeGreaterThan(0);
      // Only a heartbeat, 5 s apart, says that the ring was empty.
      stage.until("equal", () => stage.differences().length === 0, 8_000);
      stage.until("live", () => isLive(follower), 10_000);
      stage.clock.advance(2 * RESYNC_MS);
      stage.expectEqual();
      expect(follower.shard().divergedSlots).toBe(0);
    });

    test(`behind a scan are mended soon (generation ${generation})`, () => {
      const stage = filled(generation);
      stage.net.onConnection = (connection) => void (connection.toConnector.delayMs = 200);
      const follower = stage.follow({ settings: SETTINGS });
      stage.until("scanning", () => follower.states().at(-1) === "scanning", 10_000);
      burst(stage, 20_000, 100);
      stage.until("equal", () => stage.differences().length === 0, 20_000);
      stage.clock.advance(2 * RESYNC_MS);
      stage.expectEqual();
    });

    test(`of an idle-looking leader are mended by --resync (generation ${generation})`, () => {
      const stage = filled(generation);
      const follower = stage.follow({ settings: SETTINGS });
      stage.until("live", () => isLive(follower), 10_000);
      for (let slot = 0; slot < 9; slot++) stage.leader.set(0, slot, 5, 5);
      stage.until("equal", () => stage.differences().length === 0, RESYNC_MS + 5_000);
      stage.clock.advance(10_000);
      const { healedTotal, rescannedTotal } = follower.shard();
      expect([healedTotal, rescannedTotal]).toEqual(generation === 1 ? [9, 0] : [0, 9]);
    });

    test(`after a port scan leave nothing behind (generation ${generation})`, () => {
      const stage = filled(generation);
      const { net, leader } = stage;
      const events = { opened() {}, received() {}, ended() {} };
      const options = { host: "127.0.0.1", port: leader.port, timeoutMs: 1, sendQueueBytesMax: 1 };
      const scan = net.connect(options, events);
      stage.clock.advance(1);
      scan.close();
      burst(stage, 30_000, 100);
      net.onConnection = (connection) => void (connection.toConnector.delayMs = 100);
      const follower = stage.follow({ settings: SETTINGS });
      stage.until("scanning", () => follower.states().at(-1) === "scanning", 10_000);
      burst(stage, 1_000, 200);
      stage.until("equal", () => stage.differences().length === 0, 20_000);
      stage.clock.advance(2 * RESYNC_MS);
      stage.expectEqual();
    });
  }

  test("behind the old events that a gap left in a generation 2 ring are mended soon", () => {
    const stage = filled(2);
    const follower = stage.follow({ settings: SETTINGS });
    stage.until("live", () => isLive(follower), 10_000);
    stage.net.rule = "refuse";
    for (const connection of stage.net.open) connection.reset();
    burst(stage, 7_900, 100);
    stage.net.rule = "normal";
    stage.net.onConnection = (connection) => void (connection.toConnector.delayMs = 100);
    stage.until("scanning", () => follower.states().at(-1) === "scanning", 10_000);
    burst(stage, 1_000, 200);
    stage.until("equal", () => stage.differences().length === 0, 20_000);
    stage.expectEqual();
  });

  test("are told by generation 3, which is believed: no scan after the scan", () => {
    const stage = filled(3);
    const follower = stage.follow({ settings: SETTINGS });
    stage.until("live", () => isLive(follower), 10_000);
    burst(stage, 20_000, 100);
    stage.until("a second scan", () => follower.shard().scansDone === 2, 10_000);
    expect(follower.log).toContain("the leader dropped events and asks for a new scan");
    stage.clock.advance(RESYNC_MS / 2);
    expect(follower.shard().scansDone).toBe(2);
  });
});

describe("a scan that is not whole", () => {
  for (const generation of GENERATIONS) {
    test(`because its total does not add up is made again (generation ${generation})`, () => {
      const stage = filled(generation);
      let connections = 0;
      stage.net.onConnection = (connection) => {
        // The first scan loses one event's count: a bit of CaughtUp's total. Before it comes the connection that vouches.
        const at = 17 + batchesBytes(SLOTS) + 5 + 1;
        if (connections++ === (generation === 1 ? 2 : 1)) connection.toConnector.flipAt(at);
      };
      const follower = stage.follow({ settings: SETTINGS });
      stage.until("ready", () => follower.ready, 10_000);
      expect(follower.log.join("\n")).toContain(
        "the leader cut its scan short: it announced 401 events and sent 400",
      );
      expect(follower.shard().scansDone).toBe(1);
      stage.expectEqual();
    });
  }
});

/** Bytes of the SlotBatch frames of a scan of so many occupied slots of 32 bytes an event. */
function batchesBytes(slots: number): number {
  return Math.ceil(slots / 256) * (5 + 5) + slots * 32;
}
