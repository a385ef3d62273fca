// A scan on a second connection while the stream goes on, in simulated time: what the stream brings explains what the scan shows,
// whichever comes first, and only what stays different is called so.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const RESYNC_MS = 60_000;
const SETTINGS = { resyncMs: RESYNC_MS };

/** A generation 1 leader with 600 slots, and a follower that is live. */
function live() {
  const stage = new SimStage({ generation: 1 });
  for (let slot = 0; slot < 600; slot++) stage.leader.put(0, slot, 1);
  const follower = stage.follow({ settings: SETTINGS });
  stage.until("live", () => states(follower) === "live", 10_000);
  const scans = () => follower.shard().scansDone;
  return { stage, follower, scans };
}

function states(follower: { states(): string[] }): string | undefined {
  return follower.states().at(-1);
}

/** What each whole scan is said to have healed. */
function healedOf(follower: SimFollower): bigint[] {
  return follower.reportsOf("caught-up").map(({ healed }) => healed);
}

describe("a scan beside the stream", () => {
  test("is not told that a slot differs when the stream overtook the scan", () => {
    const { stage, follower, scans } = live();
    // What the leader reads for the scan takes 50 ms to come; meanwhile the stream brings newer versions.
    stage.net.onConnection = (connection) => {
      connection.toConnector.delayMs = 50;
      stage.clock.after(20, () => {
        for (let slot = 0; slot < 600; slot += 7) stage.leader.put(0, slot, 2);
      });
    };
    stage.until("a second scan", () => scans() === 2, 2 * RESYNC_MS);
    expect(follower.shard().divergedSlots).toBe(0);
    expect(follower.log.filter((text) => text.includes("differ"))).toEqual([]);
    stage.expectEqual();
  });

  test("does not count as healed what the stream brings a little later", () => {
    const { stage, follower, scans } = live();
    const main = stage.net.open.at(-1);
    stage.net.onConnection = () => {
      if (main !== undefined) main.toConnector.delayMs = 2_000;
      for (let slot = 0; slot < 50; slot++) stage.leader.put(0, slot, 2);
    };
    stage.until("a second scan", () => scans() === 2, 2 * RESYNC_MS);
    expect(healedOf(follower)).toHaveLength(1);
    stage.clock.advance(10_000);
    expect(follower.shard().healedTotal).toBe(0);
    expect(healedOf(follower)).toEqual([0n, 0n]);
    stage.expectEqual();
  });

  test("counts as healed what the stream never brings", () => {
    const { stage, follower, scans } = live();
    for (let slot = 0; slot < 50; slot++) stage.leader.set(0, slot, 2, 2);
    stage.until("a second scan", () => scans() === 2, 2 * RESYNC_MS);
    stage.expectEqual();
    expect(follower.shard().healedTotal).toBe(0);
    stage.clock.advance(6_000);
    expect(follower.shard().healedTotal).toBe(50);
    expect(healedOf(follower)).toEqual([0n, 50n]);
  });

  test("counts what it healed also where the next scan begins before that is known", () => {
    const stage = new SimStage({ generation: 1, slots: 600 });
    stage.leader.put(0, 1, 1);
    const follower = stage.follow({ settings: { resyncMs: 3_000 } });
    stage.until("live", () => follower.states().at(-1) === "live", 60_000);
    for (let slot = 0; slot < 50; slot++) stage.leader.set(0, slot, 2, 2);
    stage.clock.advance(20_000);
    expect(follower.shard().healedTotal).toBe(50);
    expect(healedOf(follower).reduce((sum, healed) => sum + healed, 0n)).toBe(50n);
  });

  test("calls a slot diverged at the second look, keeps ours, and takes it back when it is explained", () => {
    const { stage, follower, scans } = live();
    stage.leader.put(0, 10, 2);
    stage.clock.advance(100);
    stage.leader.set(0, 10, 1, 1);
    stage.leader.set(0, 11, 1, 5);
    stage.leader.forget(0, 12);
    stage.until("the first look", () => scans() === 2, 2 * RESYNC_MS);
    expect(follower.shard()).toMatchObject({ state: "scanning", suspectSlots: 3 });
    const tookMs = stage.until("the second look", () => scans() === 3, RESYNC_MS);
    expect(tookMs).toBeLessThan(2_000);
    expect(follower.shard().state).toBe("diverged");
    expect(
      follower
        .shard()
        .diverged.map(({ slot, kind }) => `${slot} ${kind}`)
        .sort(),
    ).toEqual(["10 older", "11 same-version", "12 missing"]);
    expect(stage.differences()).toEqual(["0:10", "0:11", "0:12"]);
    for (const slot of [10, 11, 12]) stage.leader.set(0, slot, 3, 3);
    stage.until("the third look", () => scans() === 4, 2 * RESYNC_MS);
    expect(follower.shard().state).toBe("live");
    stage.expectEqual();
  });

  test("goes on with the stream while the second connection fails, and tries it again with pauses", () => {
    const { stage, follower, scans } = live();
    let failing = true;
    stage.net.onConnection = (connection) => {
      if (failing) connection.toConnector.cutAt(40, "reset");
    };
    const before = stage.leader.connectionsEver;
    stage.clock.advance(RESYNC_MS + 100_000);
    const tries = stage.leader.connectionsEver - before;
    // 1, 2, 4, 8, 16, 30, 30 s.
    expect(tries).toBeGreaterThanOrEqual(6);
    expect(tries).toBeLessThanOrEqual(8);
    expect(scans()).toBe(1);
    stage.leader.put(0, 0, 9);
    stage.clock.advance(10);
    stage.expectEqual();
    expect(states(follower)).toBe("live");
    failing = false;
    stage.until("a second scan", () => scans() === 2, 40_000);
    expect(follower.shard().reconnects).toBe(0);
  });
});
