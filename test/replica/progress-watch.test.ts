// --timeout of a copy that is to end: what counts as progress, and that our own pauses and the own disk's are not the leader's.

import { describe, expect, test } from "bun:test";
import { ProgressWatch, type WatchedProgress } from "../../src/replica/progress-watch.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { SimProcess } from "../support/sim-process.ts";

const TIMEOUT_MS = 5_000;
const WAITING: WatchedProgress = {
  ...{ shard: 0, progress: { scans: 0, slot: -1 }, ready: false, ownWork: null, call: null },
  state: "connecting",
};

class Watched {
  readonly clock = new ManualClock(0);
  readonly held = new SimProcess(this.clock, new MemoryNet(this.clock));
  readonly lateAtMs: number[] = [];
  shards: number | null = 1;
  /** What is shown when it looks. */
  shown: () => readonly WatchedProgress[] = () => [WAITING];
  readonly watch = new ProgressWatch({
    clock: this.held.clock,
    limitMs: () => TIMEOUT_MS,
    snapshots: () => this.shown(),
    shardCount: () => this.shards,
    late: () => void this.lateAtMs.push(this.clock.nowMs()),
  });

  reach(slot: number, scans = 0, ready = false): void {
    this.shown = () => [{ ...WAITING, progress: { scans, slot }, ready }];
  }
}

describe("a copy with a shard that failed", () => {
  const FAILED: WatchedProgress = { ...WAITING, shard: 1, state: "failed" };

  test("waits for the others, and for nothing besides", () => {
    const watched = new Watched();
    watched.shards = 2;
    let slot = 0;
    watched.shown = () => [{ ...WAITING, progress: { scans: 0, slot: slot++ } }, FAILED];
    watched.clock.advance(60_000);
    expect(watched.lateAtMs).toEqual([]);
    watched.shown = () => [{ ...WAITING, ready: true }, FAILED];
    watched.clock.advance(1_000);
    expect(watched.lateAtMs).toEqual([60_250]);
  });

  test("waits for those that are not known yet", () => {
    const watched = new Watched();
    watched.shards = null;
    watched.shown = () => [FAILED];
    watched.clock.advance(TIMEOUT_MS - 250);
    expect(watched.lateAtMs).toEqual([]);
  });
});

describe("a copy without progress", () => {
  test("is late once, after the timeout", () => {
    const { clock, lateAtMs } = new Watched();
    clock.advance(60_000);
    expect(lateAtMs).toEqual([TIMEOUT_MS]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is late where a scan begins again and comes no further", () => {
    const watched = new Watched();
    for (const slot of [100, 50, 100, -1, 100]) {
      watched.reach(slot);
      watched.clock.advance(2_000);
    }
    expect(watched.lateAtMs).toEqual([TIMEOUT_MS + 250]);
  });

  test("is not late with a slot beyond any before, a whole scan, or once it is ready", () => {
    const watched = new Watched();
    const reached = [[10], [20], [5, 1], [6, 1], [6, 1, true]] as const;
    for (const [slot, scans, ready] of reached) {
      watched.reach(slot, scans, ready);
      watched.clock.advance(4_000);
    }
    expect(watched.lateAtMs).toEqual([]);
    watched.watch.stop();
    expect(watched.clock.pendingTimers).toBe(0);
  });

  test("is not late because it was held up: that time does not count", () => {
    const { clock, held, lateAtMs } = new Watched();
    clock.advance(3_000);
    held.stop();
    clock.advance(60_000);
    held.goOn();
    clock.advance(1_000);
    expect(lateAtMs).toEqual([]);
    clock.advance(5_000);
    expect(lateAtMs.length).toBe(1);
  });
});

describe("what the own disk takes does not count", () => {
  /** An hour of that after 4 s of waiting, and the 1 s that is left of the timeout. */
  function holdsUp(shown: () => readonly WatchedProgress[]): void {
    const watched = new Watched();
    const { clock, lateAtMs } = watched;
    clock.advance(4_000);
    watched.shown = shown;
    clock.advance(3_600_000);
    expect(lateAtMs).toEqual([]);
    watched.shown = () => [WAITING];
    clock.advance(1_000);
    expect(lateAtMs).toEqual([3_605_000]);
  }

  test.each(["reading its own slots", "creating its files", "syncing"] as const)(
    "an hour of %s",
    (ownWork) => holdsUp(() => [{ ...WAITING, ownWork }]),
  );

  test("a call that hangs, of one shard of many", () => {
    holdsUp(() => [WAITING, { ...WAITING, shard: 1, call: { call: "pwrite", sinceMs: 0 } }]);
  });

  test("but a call that is over at once does", () => {
    const watched = new Watched();
    const { clock, lateAtMs } = watched;
    watched.shown = () => [{ ...WAITING, call: { call: "pwrite", sinceMs: clock.nowMs() - 1 } }];
    clock.advance(TIMEOUT_MS);
    expect(lateAtMs).toEqual([TIMEOUT_MS]);
  });
});
