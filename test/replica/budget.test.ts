// The connections to a protocol 1 leader: so many in any 24 hours and per leader process (cli.md: --leader-connections).

import { describe, expect, test } from "bun:test";
import { ConnectionBudget } from "../../src/replica/connection-budget.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Takes one connection if it may be made now; how long to wait else. */
function acquire(budget: ConnectionBudget): number {
  const waitMs = budget.waitMs(0);
  if (waitMs === 0) budget.accepted();
  return waitMs;
}

/** Takes connections until one has to wait; returns how many went through and how long the next waits. */
function takeAll(budget: ConnectionBudget): { taken: number; waitMs: number } {
  for (let taken = 0; taken < 2_000; taken++) {
    const waitMs = acquire(budget);
    if (waitMs > 0) return { taken, waitMs };
  }
  return { taken: 2_000, waitMs: 0 };
}

describe("ConnectionBudget", () => {
  test("gives so many, then says how long until the first is a day old", () => {
    const clock = new ManualClock();
    const budget = new ConnectionBudget(clock, 3, []);
    expect(acquire(budget)).toBe(0);
    clock.advance(HOUR_MS);
    expect(takeAll(budget)).toEqual({ taken: 2, waitMs: DAY_MS - HOUR_MS });
    expect(budget.used).toBe(3);
  });

  test("a wait that is kept ends with a connection: one a day old, and no more", () => {
    const clock = new ManualClock();
    const budget = new ConnectionBudget(clock, 2, []);
    acquire(budget);
    clock.advance(HOUR_MS);
    acquire(budget);
    const waitMs = acquire(budget);
    clock.advance(waitMs - 1);
    expect(acquire(budget)).toBeGreaterThan(0);
    clock.advance(1);
    expect(acquire(budget)).toBe(0);
    expect(acquire(budget)).toBe(HOUR_MS);
  });

  test("never waits so short that asking again would be a busy loop", () => {
    const clock = new ManualClock();
    const budget = new ConnectionBudget(clock, 1, []);
    acquire(budget);
    clock.advance(DAY_MS - 1);
    expect(acquire(budget)).toBe(1000);
  });

  test("never exceeds the limit in any 24 hours, however it is asked", () => {
    const clock = new ManualClock();
    const budget = new ConnectionBudget(clock, 50, []);
    const madeAtMs: number[] = [];
    for (let step = 0; step < 2000; step++) {
      if (acquire(budget) === 0) madeAtMs.push(clock.wallMs());
      clock.advance((step % 7) * 300_000);
    }
    expect(madeAtMs.length).toBeGreaterThan(200);
    madeAtMs.forEach((atMs, index) => {
      const next = madeAtMs[index + 50];
      if (next !== undefined) expect(next - atMs).toBeGreaterThanOrEqual(DAY_MS);
    });
  });

  test("goes on from what earlier runs used, in whatever order they are told", () => {
    const clock = new ManualClock();
    const nowMs = clock.wallMs();
    const used = [nowMs - HOUR_MS, nowMs - DAY_MS - 1, nowMs - 2 * HOUR_MS];
    const budget = new ConnectionBudget(clock, 3, used);
    expect(budget.used).toBe(2);
    expect(takeAll(budget)).toEqual({ taken: 1, waitMs: DAY_MS - 2 * HOUR_MS });
    expect(budget.madeAtMs).toEqual([nowMs - 2 * HOUR_MS, nowMs - HOUR_MS, nowMs]);
  });

  test("lowered below what was used, waits until enough of it is old", () => {
    const clock = new ManualClock();
    const nowMs = clock.wallMs();
    const used = [5, 4, 3, 2, 1].map((hours) => nowMs - hours * HOUR_MS);
    const budget = new ConnectionBudget(clock, 2, used);
    expect(acquire(budget)).toBe(DAY_MS - 2 * HOUR_MS);
  });

  test("counts for a new leader process what it has accepted, whichever shard tells of it", () => {
    const clock = new ManualClock();
    const budget = new ConnectionBudget(clock, 4, []);
    expect(takeAll(budget).taken).toBe(4);
    clock.advance(1_000);
    const overAtMs = clock.nowMs();
    clock.advance(1_000);
    // Four are too many for the old process; the new one is told of with its first stream.
    budget.accepted();
    budget.accepted();
    budget.leaderRestarted(0, overAtMs);
    budget.leaderRestarted(1, overAtMs + 1);
    expect(budget.used).toBe(2);
    clock.advance(1_000);
    const againAtMs = clock.nowMs();
    budget.accepted();
    budget.leaderRestarted(1, againAtMs);
    budget.leaderRestarted(0, againAtMs);
    expect(budget.used).toBe(1);
  });

  test("without a limit never waits, and still counts", () => {
    const budget = new ConnectionBudget(new ManualClock(), null, []);
    expect(takeAll(budget)).toEqual({ taken: 2_000, waitMs: 0 });
    expect(budget.used).toBe(2_000);
  });

  test("goes by a clock that nobody sets, and takes times that have not come yet for now", () => {
    const clock = new ManualClock();
    const budget = new ConnectionBudget(clock, 1, [clock.wallMs() + DAY_MS]);
    for (const jumpMs of [-30 * DAY_MS, 400 * DAY_MS]) {
      clock.setWall(clock.wallMs() + jumpMs);
      expect(acquire(budget)).toBe(DAY_MS);
    }
    clock.advance(DAY_MS);
    expect(acquire(budget)).toBe(0);
  });
});
