// The lag that is shown against the true age of the replica, in simulated time: a marker record is put again and again, and the file
// tells which of them has come. On a narrow link it is never below the truth. A day on a good one: sim-lag-day.slow.test.ts.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { viewOf } from "../../src/bytes.ts";
import { versionOf } from "../../src/format/slot.ts";
import { SIM_DIR } from "../support/sim-follower.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { TrueAge } from "../support/true-age.ts";
import { lagOf, live } from "./lag-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(120_000);

const HEADER_BYTES = 4096;

/** Puts slot 0 of shard 0, and knows how old what the replica has of it is. */
class Marker {
  readonly #stage: SimStage;
  /** By version, from 1. */
  readonly #putAtMs: number[] = [];

  constructor(stage: SimStage) {
    this.#stage = stage;
  }

  put(): void {
    this.#putAtMs.push(this.#stage.clock.nowMs());
    this.#stage.leader.put(0, 0, this.#putAtMs.length);
  }

  /** Since the first put that has not come. */
  get ageMs(): number {
    const bytes = this.#stage.disk.bytes(`${SIM_DIR}/shard_000/fixed.data`) ?? new Uint8Array();
    const here = versionOf(viewOf(bytes).getUint32(HEADER_BYTES, true));
    const nextAtMs = this.#putAtMs[here];
    return nextAtMs === undefined ? 0 : this.#stage.clock.nowMs() - nextAtMs;
  }
}

describe("the lag on a link that carries half of what is written", () => {
  for (const generation of GENERATIONS) {
    test(`is never below the true age, generation ${generation}`, () => {
      const stage = new SimStage({ generation, slots: 5_000 });
      for (let slot = 1; slot < 3_000; slot++) stage.leader.put(0, slot, 1);
      // 20 KB a second, in pieces of 2 KB, from the first byte on.
      stage.net.onConnection = ({ toConnector }) => {
        Object.assign(toConnector, { delayMs: 100, bytesPerTurnMax: 2_048, capacityBytes: 65_536 });
      };
      const follower = stage.follow();
      const marker = new Marker(stage);
      marker.put();
      stage.until("live", () => follower.states().at(-1) === "live", 60_000);
      let oldestMs = 0;
      let lowestMs = Number.POSITIVE_INFINITY;
      let highestMs = 0;
      for (let passedMs = 0; passedMs < 360_000; passedMs += 100) {
        // Twice what the link takes for 4 minutes, then a tenth of it.
        const puts = passedMs < 240_000 ? 100 : 5;
        for (let put = 0; put < puts; put++) {
          stage.leader.put(0, 1 + ((passedMs + put) % 2_900), put);
        }
        marker.put();
        stage.clock.advance(100);
        const { ageMs } = marker;
        const overMs = lagOf(stage, follower) - ageMs;
        oldestMs = Math.max(oldestMs, ageMs);
        lowestMs = Math.min(lowestMs, overMs);
        highestMs = Math.max(highestMs, overMs);
      }
      expect(oldestMs).toBeGreaterThan(60_000);
      expect(lowestMs).toBeGreaterThan(-1_000 - 0.005 * oldestMs);
      expect(highestMs).toBeLessThan(20_000);
    });
  }
});

describe("the lag at a leader that waits 20 ms for a frame at each look at its ring", () => {
  for (const [everyMs, delayMs] of [
    [2, 1],
    [3, 5],
    [5, 30],
  ] as const) {
    test(`is never above 6 s with a put every ${everyMs} ms, ${delayMs} ms away`, () => {
      const stage = new SimStage({ generation: 3, waitsForFrames: true });
      stage.net.onConnection = ({ toConnector, toListener }) => {
        toConnector.delayMs = delayMs;
        toListener.delayMs = delayMs;
      };
      const follower = live(stage);
      let worstMs = 0;
      for (let passedMs = 0, put = 0; passedMs < 120_000; passedMs += everyMs, put++) {
        stage.leader.put(0, 2 + (put % 900), put);
        stage.clock.advance(everyMs);
        if (put % 50 === 0) worstMs = Math.max(worstMs, lagOf(stage, follower));
        if (put % 1_000 === 0) follower.reports.splice(0, follower.reports.length - 1);
      }
      expect(worstMs).toBeLessThanOrEqual(6_000);
      expect(worstMs).toBeGreaterThan(4_000);
      expect(follower.shard()).toMatchObject({ connections: 1, owed: null });
    });
  }
});

describe("the lag of a replica whose leader is away", () => {
  test("goes on from the state file after a stop and a start", () => {
    const stage = new SimStage();
    const first = live(stage);
    stage.clock.advance(60_000);
    first.supervisor.stop();
    stage.until("stopped", () => first.ended !== undefined, 10_000);
    stage.leader.stop();
    stage.clock.advance(600_000);
    const second = stage.follow();
    stage.clock.advance(5_000);
    const lagMs = lagOf(stage, second);
    expect(lagMs).toBeGreaterThanOrEqual(605_000);
    expect(lagMs).toBeLessThan(612_000);
    stage.leader.start();
    stage.until("live", () => second.states().at(-1) === "live", 60_000);
    // With a second scan, as the ring may hold old events.
    stage.clock.advance(12_000);
    expect(lagOf(stage, second)).toBeLessThanOrEqual(6_000);
  });

  test("is infinite before the first whole scan", () => {
    const stage = new SimStage();
    stage.leader.stop();
    const follower = stage.follow();
    stage.clock.advance(5_000);
    expect(lagOf(stage, follower)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("the lag while a loss is owed for", () => {
  test("is at least the age of the run of full batches that showed it", () => {
    const stage = new SimStage({ generation: 1, slots: 500 });
    const follower = live(stage);
    const beganAtMs = stage.clock.nowMs();
    // As much as the ring gives in full batches without an end: nobody knows what it dropped.
    const overs: number[] = [];
    for (let passedMs = 0, put = 0; passedMs < 3_000; passedMs += 10) {
      for (let each = 0; each < 4_000; each++, put++) stage.leader.put(0, 2 + (put % 400), put);
      stage.clock.advance(10);
      if (follower.shard().owed?.why !== "loss") continue;
      overs.push(lagOf(stage, follower) - (stage.clock.nowMs() - beganAtMs));
    }
    expect(overs.length).toBeGreaterThan(100);
    expect(Math.min(...overs)).toBeGreaterThan(-1_000);
  });

  // What the ring dropped while the network stood still is as old as that, however soon its run came through afterwards.
  for (const generation of [1, 2] as const) {
    test(`is never below the true age behind a network that stood still, generation ${generation}`, () => {
      const stage = new SimStage({ generation, slots: 500 });
      const follower = live(stage);
      const truth = new TrueAge(stage);
      stage.clock.advance(6_000);
      const { toConnector } = stage.connectionOf(0);
      toConnector.hold();
      for (let put = 0; put < 20_000; put++) truth.put(0, 2 + (put % 400), put);
      stage.clock.advance(10_000);
      truth.put(0, 1, 7);
      toConnector.release();
      const underMs: number[] = [];
      for (let passedMs = 0; passedMs < 3_000; passedMs += 50) {
        stage.clock.advance(50);
        underMs.push(truth.ageMs(0) - lagOf(stage, follower));
      }
      expect(follower.log).toContain("a whole scan is owed: loss");
      expect(Math.max(...underMs)).toBeLessThan(1_000);
    });
  }
});
