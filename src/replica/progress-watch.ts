// With --once: gives up when the scans have come no further for --timeout. Only what a scan brings further than any before counts: a
// leader that merely talks, or begins again and again, makes no progress. Time in which we were held up ourselves does not count.

import type { Clock, Timer } from "../io/clock.ts";
import { LATE_MS } from "../io/deadline.ts";
import type { ShardSnapshot } from "./follower-types.ts";

const LOOK_INTERVAL_MS = 250;

export interface ProgressWatchOptions {
  readonly clock: Clock;
  /** How long it may stand still, as of now. */
  limitMs(): number;
  /** The last of every shard that has one. */
  snapshots(): readonly Pick<ShardSnapshot, "shard" | "progress" | "ready">[];
  /** Called once. */
  late(): void;
}

export class ProgressWatch {
  readonly #options: ProgressWatchOptions;
  readonly #furthest = new Map<number, number>();
  #movedAtMs: number;
  #timer: Timer | null = null;

  constructor(options: ProgressWatchOptions) {
    this.#options = options;
    this.#movedAtMs = options.clock.nowMs();
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #schedule(): void {
    const { clock, limitMs } = this.#options;
    const delayMs = Math.min(LOOK_INTERVAL_MS, limitMs());
    const dueMs = clock.nowMs() + delayMs;
    this.#timer = clock.after(delayMs, () => this.#look(dueMs));
  }

  #look(dueMs: number): void {
    const { clock, limitMs, snapshots, late } = this.#options;
    const nowMs = clock.nowMs();
    const isLate = nowMs - dueMs > LATE_MS;
    if (isLate) this.#movedAtMs += nowMs - dueMs;
    for (const { shard, progress, ready } of snapshots()) {
      const figure = ready ? Number.POSITIVE_INFINITY : progress.scans * 1e12 + progress.slot + 1;
      if (figure <= (this.#furthest.get(shard) ?? 0)) continue;
      this.#furthest.set(shard, figure);
      this.#movedAtMs = nowMs;
    }
    if (nowMs - this.#movedAtMs < limitMs()) return this.#schedule();
    this.#timer = null;
    late();
  }
}
