// Keeps the connections to a protocol 1 leader within bounds: each one costs it two memory maps for good, and after some
// 32,000 the service aborts (wire.md, point 14). Counts over a sliding day and per leader process. Pure.

import type { Clock } from "../io/clock.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const CLOCK_SLACK_MS = 1_000;
/** Above any limit that --leader-connections takes. */
const KEPT_MAX = 30_000;

export class ConnectionBudget {
  readonly #clock: Clock;
  readonly #limit: number | null;
  /** Unix times of the connections of the last day, ascending; at most `limit` of them. */
  #madeAtMs: number[];

  /** `limit` null: no bound. `madeAtMs`: what earlier runs have used, from the state file. */
  constructor(clock: Clock, limit: number | null, madeAtMs: readonly number[]) {
    this.#clock = clock;
    this.#limit = limit;
    this.#madeAtMs = [...madeAtMs].sort((left, right) => left - right);
  }

  /** Connections of the last day to this leader process. */
  get used(): number {
    this.#forget();
    return this.#madeAtMs.length;
  }

  /** Times to keep for the next run. */
  get madeAtMs(): readonly number[] {
    return this.#madeAtMs;
  }

  /** Takes one connection: 0 when it may be made, else how long to wait, ms. */
  acquire(): number {
    this.#forget();
    const nowMs = this.#clock.wallMs();
    if (this.#limit !== null && this.#madeAtMs.length >= this.#limit) {
      const oldestMs = this.#madeAtMs[this.#madeAtMs.length - this.#limit] ?? nowMs;
      return Math.max(1_000, oldestMs + DAY_MS - nowMs);
    }
    this.#madeAtMs.push(nowMs);
    return 0;
  }

  /** A new leader process: it has all its memory maps again. */
  leaderRestarted(): void {
    this.#madeAtMs = [];
  }

  /** The list is in order of time, so only its ends are looked at. */
  #forget(): void {
    const nowMs = this.#clock.wallMs();
    const times = this.#madeAtMs;
    let old = 0;
    while (old < times.length && (times[old] as number) <= nowMs - DAY_MS) old++;
    // Without a limit the list serves to show a figure, no more.
    const kept = Math.max(old, times.length - KEPT_MAX);
    if (kept > 0) times.splice(0, kept);
    // A clock that was set back must not lock us out: what lies in the future is forgotten too.
    while ((times.at(-1) ?? 0) > nowMs + CLOCK_SLACK_MS) times.pop();
  }
}
