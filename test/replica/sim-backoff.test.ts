// The pauses between connects in simulated time: 1 s doubling to 30 s with some chance in them, and back to 1 s only when a whole
// scan came through. An open port alone is no progress.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { MemoryConnection } from "../support/memory-net.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const HOUR_MS = 3_600_000;
const MOMENT_MS = 20;

/** When connects were tried; what comes in the same moment is for the same scan. */
class ConnectLog {
  readonly #stage: SimStage;
  readonly atMs: number[] = [];

  constructor(stage: SimStage) {
    this.#stage = stage;
    const connect = stage.net.connect.bind(stage.net);
    stage.net.connect = (options, events) => {
      const nowMs = stage.clock.nowMs();
      if (nowMs - (this.atMs.at(-1) ?? 0) > MOMENT_MS || this.atMs.length === 0)
        this.atMs.push(nowMs);
      return connect(options, events);
    };
  }

  get pausesMs(): number[] {
    return this.atMs.slice(1).map((atMs, index) => atMs - (this.atMs[index] ?? 0));
  }

  /** Runs until there were so many more connects; the pauses before them. */
  next(count: number): number[] {
    const from = this.atMs.length;
    this.#stage.until("connects", () => this.atMs.length >= from + count, HOUR_MS);
    return this.pausesMs.slice(Math.max(0, from - 1));
  }
}

function expectPauses(pausesMs: readonly number[], seconds: readonly number[]): void {
  expect(pausesMs.length).toBe(seconds.length);
  for (const [index, pauseMs] of pausesMs.entries()) {
    const wantedMs = (seconds[index] ?? 0) * 1000;
    expect(pauseMs).toBeGreaterThanOrEqual(wantedMs * 0.9 - 1);
    expect(pauseMs).toBeLessThanOrEqual(wantedMs * 1.1 + 1);
  }
}

const DOUBLING = [1, 2, 4, 8, 16, 30, 30, 30];

for (const failsAtOnce of [false, true]) {
  describe(`a follower whose leader is away (fails at once: ${failsAtOnce})`, () => {
    test("tries less and less often, and at most 135 times an hour", () => {
      const stage = new SimStage({ failsAtOnce });
      stage.net.rule = "refuse";
      const connects = new ConnectLog(stage);
      const follower = stage.follow();
      stage.clock.advance(0);
      expectPauses(connects.next(DOUBLING.length), DOUBLING);
      const from = connects.atMs.length;
      stage.clock.advance(24 * HOUR_MS);
      const perHour = (connects.atMs.length - from) / 24;
      expect(perHour).toBeLessThan(135);
      expect(perHour).toBeGreaterThan(100);
      expect(follower.shard().state).toBe("waiting");
      expect(follower.shard().lastError).toContain(failsAtOnce ? "ENETUNREACH" : "ECONNREFUSED");
      expect(stage.clock.pendingTimers).toBeLessThan(5);
    });

    test("does not take an answer for progress that falls short of a whole scan", () => {
      // Cut at the first byte, behind ShardInfo, inside the scan, and right after CaughtUp (wire.md, point 15).
      const info = 5 + 12;
      const caughtUp = info + (5 + 5 + 8 * 32) + (5 + 9);
      for (const [at, kind] of [
        [0, "fin"],
        [info, "fin"],
        [info + 40, "reset"],
        [caughtUp, "fin"],
        [caughtUp, "reset"],
      ] as const) {
        const stage = new SimStage({ failsAtOnce });
        for (let slot = 0; slot < 8; slot++) stage.leader.put(0, slot, 1);
        stage.net.onConnection = (connection: MemoryConnection) => {
          connection.toConnector.cutAt(at, kind);
        };
        const connects = new ConnectLog(stage);
        const follower = stage.follow();
        stage.clock.advance(0);
        const pauses = connects.next(6);
        for (const [index, seconds] of [1, 2, 4, 8, 16, 30].entries()) {
          expect(pauses[index]).toBeGreaterThan(seconds * 900 - 1);
        }
        expect(follower.ready).toBe(false);
      }
    });

    test("starts again with 1 s only after a minute of streaming", () => {
      const stage = new SimStage({ failsAtOnce });
      stage.net.rule = "refuse";
      const connects = new ConnectLog(stage);
      const follower = stage.follow();
      stage.clock.advance(0);
      connects.next(7);
      stage.net.rule = "normal";
      stage.until("ready", () => follower.ready, 40_000);
      stage.clock.advance(60_000);
      stage.leader.stop();
      stage.until("waiting", () => follower.shard().state === "waiting", 1_000);
      const lostAtMs = stage.clock.nowMs();
      connects.next(2);
      const [first = 0, second = 0] = connects.atMs.slice(-2);
      expectPauses([first - lostAtMs, second - first], [1, 2]);
    });

    test("spreads its shards: they do not all come back at the same moment", () => {
      const stage = new SimStage({ shards: 8, failsAtOnce });
      const follower = stage.follow();
      stage.until("ready", () => follower.ready, 10_000);
      stage.leader.stop();
      const connects = new ConnectLog(stage);
      connects.next(8);
      expect(new Set(connects.atMs).size).toBeGreaterThan(4);
    });
  });
}
