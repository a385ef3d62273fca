// Keeps the connections to a protocol 1 leader within bounds: each one costs it two memory maps for good, and after some 32,000 the
// service aborts (wire.md, point 14). Counts what the leader accepted, over a sliding day and per leader process, by a clock that
// nobody sets. Pure.

import type { Clock } from "../io/clock.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Above any limit that --leader-connections takes. */
const KEPT_MAX = 30_000;

export class ConnectionBudget {
  readonly #clock: Clock;
  /** Null: no bound. */
  readonly limit: number | null;
  /** Monotonic times of the connections of the last day, ascending. */
  #madeAtMs: number[];
  /** The leader's process began no later than this; what was accepted before it is not its. */
  #processSinceMs = Number.NEGATIVE_INFINITY;
  /** By shard: the process that it was last told of. */
  readonly #knownSinceMs = new Map<number, number>();

  /** `madeAtMs`: what earlier runs have used, unix times from the state file. */
  constructor(clock: Clock, limit: number | null, madeAtMs: readonly number[]) {
    this.#clock = clock;
    this.limit = limit;
    const nowMs = clock.nowMs();
    // A time that has not come yet was noted by a clock that was wrong: it counts as of now.
    const agesMs = madeAtMs.map((atMs) => Math.max(0, clock.wallMs() - atMs));
    this.#madeAtMs = agesMs.map((ageMs) => nowMs - ageMs).sort((left, right) => left - right);
  }

  /** Connections of the last day that this leader process has accepted. */
  get used(): number {
    this.#forget();
    return this.#madeAtMs.length;
  }

  /** Unix times to keep for the next run. */
  get madeAtMs(): readonly number[] {
    const offsetMs = this.#clock.wallMs() - this.#clock.nowMs();
    return this.#madeAtMs.map((atMs) => Math.round(atMs + offsetMs));
  }

  /** Ms until one more may be made, beside `pending` that are being made; 0 is now. */
  waitMs(pending: number): number {
    this.#forget();
    if (this.limit === null || this.#madeAtMs.length + pending < this.limit) return 0;
    const oldestMs = this.#madeAtMs[this.#madeAtMs.length + pending - this.limit];
    // All that is used is being made just now: what becomes of it is known soon.
    if (oldestMs === undefined) return 1_000;
    return Math.max(1_000, oldestMs + DAY_MS - this.#clock.nowMs());
  }

  /** The leader accepted a connection. */
  accepted(): void {
    this.#madeAtMs.push(this.#clock.nowMs());
  }

  /**
   * A shard got a stream again that it had lost, which only another process gives; its connection before had ended by `sinceMs`,
   * monotonic. All shards of one leader say so, and the first one counts.
   */
  leaderRestarted(shard: number, sinceMs: number): void {
    const isKnown =
      (this.#knownSinceMs.get(shard) ?? Number.NEGATIVE_INFINITY) < this.#processSinceMs;
    if (!isKnown) {
      this.#processSinceMs = sinceMs;
      this.#madeAtMs = this.#madeAtMs.filter((atMs) => atMs >= sinceMs);
    }
    this.#knownSinceMs.set(shard, this.#processSinceMs);
  }

  /** The list is in order of time, so only its beginning is looked at. */
  #forget(): void {
    const fromMs = this.#clock.nowMs() - DAY_MS;
    const times = this.#madeAtMs;
    let old = 0;
    while (old < times.length && (times[old] as number) <= fromMs) old++;
    // Without a limit the list serves to show a figure, no more.
    const kept = Math.max(old, times.length - KEPT_MAX);
    if (kept > 0) times.splice(0, kept);
  }
}
