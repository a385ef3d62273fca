// What --timeout counts: the time in which the leader is waited for, and nothing that the own disk or process takes.

import { expect, test } from "bun:test";
import { watchProgress, type WatchedProgress } from "../../src/cli/commands/progress-watch.ts";
import type { Clock } from "../../src/io/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";

const TIMEOUT_MS = 10_000;
const WAITING: WatchedProgress = {
  shard: 0,
  progress: { scans: 0, slot: -1 },
  ready: false,
  ownWork: null,
  call: null,
};

class Watched implements Disposable {
  readonly clock = new ManualClock();
  /** What is shown when it looks. */
  shown: () => readonly WatchedProgress[] = () => [WAITING];
  isLate = false;
  readonly #stop: () => void;

  constructor() {
    const late = () => {
      this.isLate = true;
    };
    this.#stop = watchProgress(this.clock, TIMEOUT_MS, () => this.shown(), late);
  }

  /** Ms until it was late; null: not within the limit. */
  lateAfter(limitMs: number): number | null {
    for (let passedMs = 0; passedMs <= limitMs; passedMs += 250) {
      if (this.isLate) return passedMs;
      this.clock.advance(250);
    }
    return null;
  }

  [Symbol.dispose](): void {
    this.#stop();
    expect(this.clock.pendingTimers).toBe(0);
  }
}

test("the time without progress counts from the start, and from each further slot", () => {
  using watched = new Watched();
  watched.clock.advance(8_000);
  watched.shown = () => [{ ...WAITING, progress: { scans: 0, slot: 5 } }];
  expect(watched.lateAfter(20_000)).toBe(10_250);
});

test("a scan that comes no further than an earlier one is no progress", () => {
  using watched = new Watched();
  watched.shown = () => [{ ...WAITING, progress: { scans: 0, slot: 5 } }];
  watched.clock.advance(9_000);
  watched.shown = () => [{ ...WAITING, progress: { scans: 0, slot: 2 } }];
  expect(watched.lateAfter(20_000)).toBeLessThan(2_000);
});

test.each(["reading its own slots", "creating its files", "syncing"] as const)(
  "an hour of %s does not count, and what was waited before still does",
  (ownWork) => {
    using watched = new Watched();
    watched.clock.advance(8_000);
    watched.shown = () => [{ ...WAITING, ownWork }];
    expect(watched.lateAfter(3_600_000)).toBe(null);
    watched.shown = () => [WAITING];
    expect(watched.lateAfter(20_000)).toBe(2_000);
  },
);

test("a call of the disk that hangs does not count, one that is over at once does", () => {
  using watched = new Watched();
  const call = { call: "pwrite", sinceMs: watched.clock.nowMs() } as const;
  watched.shown = () => [{ ...WAITING, call }];
  expect(watched.lateAfter(60_000)).toBe(null);
  watched.shown = () => [{ ...WAITING, call: { ...call, sinceMs: watched.clock.nowMs() - 1 } }];
  expect(watched.lateAfter(20_000)).toBe(10_000);
});

test("one shard at its own work holds the others' time up, and the wait goes on behind it", () => {
  using watched = new Watched();
  watched.shown = () => [WAITING, { ...WAITING, shard: 1, ownWork: "syncing" }];
  expect(watched.lateAfter(60_000)).toBe(null);
  watched.shown = () => [WAITING, { ...WAITING, shard: 1, ready: true }];
  expect(watched.lateAfter(20_000)).toBe(10_250);
});

test("a pause of this process does not count", () => {
  const manual = new ManualClock();
  let heldMs = 0;
  let isLate = false;
  const clock: Clock = {
    nowMs: () => manual.nowMs() + heldMs,
    wallMs: () => manual.wallMs(),
    after: (delayMs, run) => manual.after(delayMs, run),
  };
  const late = () => {
    isLate = true;
  };
  const stop = watchProgress(clock, TIMEOUT_MS, () => [WAITING], late);
  manual.advance(5_000);
  heldMs = 3_600_000;
  manual.advance(1_000);
  expect(isLate).toBe(false);
  manual.advance(3_500);
  expect(isLate).toBe(true);
  stop();
});
