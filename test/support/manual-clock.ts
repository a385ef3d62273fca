// A Clock that stands still until a test moves it. Used by tests of whatever waits, with MemoryNet for whole
// conversations without a socket. Promises: timers run in the order of their times, then of their making; time never
// goes back; nothing runs except inside `advance` and `settle`.

import type { Clock, Timer } from "../../src/io/clock.ts";

/** A chain of timers that each set another one for the same moment is a bug of the code under test. */
const RUNS_PER_MOMENT_MAX = 10_000_000;

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #nowMs: number;
  #wallOffsetMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = 1_000_000, wallMs = 1_800_000_000_000) {
    this.#nowMs = startMs;
    this.#wallOffsetMs = wallMs - startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  /** Sets the wall clock alone, as an operator or NTP would. */
  setWall(wallMs: number): void {
    this.#wallOffsetMs = wallMs - this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(this.#nowMs + Math.max(0, delayMs), this.#order++, run);
  }

  /** Runs it as soon as what runs now has returned, before all that is due: a microtask. */
  soon(run: () => void): void {
    this.#add(this.#nowMs, this.#order++ - Number.MAX_SAFE_INTEGER, run);
  }

  #add(dueMs: number, order: number, run: () => void): Timer {
    const pending: Pending = { dueMs, order, run };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Timers that wait: 0 at the end of a test shows that nothing was left behind. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Ms until the next timer, or null when none waits. */
  get nextTimerMs(): number | null {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === null ? null : next.dueMs - this.#nowMs;
  }

  /** Moves time on by `ms`, running what falls due on the way at its own time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    let runs = 0;
    let momentMs = this.#nowMs;
    for (let next = this.#next(endMs); next !== null; next = this.#next(endMs)) {
      if (next.dueMs > momentMs) {
        momentMs = next.dueMs;
        runs = 0;
      }
      runs++;
      if (runs > RUNS_PER_MOMENT_MAX) throw new Error("timers keep coming without time passing");
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
    }
    // What ran may have moved it on itself: a call that takes its time.
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** Runs what is due now, and what that makes due, without time passing. */
  settle(): void {
    this.advance(0);
  }

  /** Moves time on in steps, letting promises run in between; for code that awaits. */
  async advanceAsync(ms: number, stepMs = 1): Promise<void> {
    const endMs = this.#nowMs + ms;
    await drainMicrotasks();
    while (this.#nowMs < endMs) {
      this.advance(Math.min(stepMs, endMs - this.#nowMs));
      await drainMicrotasks();
    }
  }

  /** Runs what is due now until neither timers nor promises bring more. */
  async settleAsync(): Promise<void> {
    for (let round = 0; round < 100; round++) {
      await drainMicrotasks();
      if (this.#next(this.#nowMs) === null) return;
      this.advance(0);
    }
  }

  #next(untilMs: number): Pending | null {
    let next: Pending | null = null;
    for (const pending of this.#pending) {
      if (pending.dueMs > untilMs) continue;
      const earlier =
        next === null ||
        pending.dueMs < next.dueMs ||
        (pending.dueMs === next.dueMs && pending.order < next.order);
      if (earlier) next = pending;
    }
    return next;
  }
}

/** Lets every promise that is ready run its course. */
async function drainMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
