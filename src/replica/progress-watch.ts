// With --once: gives up when the scans have come no further for --timeout while the leader was waited for. Only what a scan brings
// further than any before counts: a leader that merely talks, or begins again and again, makes no progress. What the own disk takes is
// no silence of the leader's, and neither is time in which we were held up ourselves. A shard that failed is waited for no longer than
// for the others.

import type { Clock, Timer } from "../io/clock.ts";
import { LATE_MS } from "../io/deadline.ts";
import { SLOW_WRITE_MS } from "../limits.ts";
import type { ShardSnapshot } from "./follower-types.ts";

const LOOK_INTERVAL_MS = 250;

/** What is looked at of a shard. */
export type WatchedProgress = Pick<
  ShardSnapshot,
  "shard" | "progress" | "ready" | "ownWork" | "call" | "state"
>;

export interface ProgressWatchOptions {
  readonly clock: Clock;
  /** How long it may stand still, as of now. */
  limitMs(): number;
  /** The last of every shard that has one. */
  snapshots(): readonly WatchedProgress[];
  /** Null until the leader has told. */
  shardCount(): number | null;
  /** Called once. */
  late(): void;
}

export class ProgressWatch {
  readonly #options: ProgressWatchOptions;
  readonly #furthest = new Map<number, number>();
  #waitedMs = 0;
  #lookedAtMs: number;
  #timer: Timer | null = null;

  constructor(options: ProgressWatchOptions) {
    this.#options = options;
    this.#lookedAtMs = options.clock.nowMs();
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
    const heldUpMs = nowMs - dueMs > LATE_MS ? nowMs - dueMs : 0;
    const passedMs = nowMs - this.#lookedAtMs - heldUpMs;
    this.#lookedAtMs = nowMs;
    const shards = snapshots();
    if (this.#moves(shards)) this.#waitedMs = 0;
    else if (!shards.some((shard) => isAtOwnWork(shard, nowMs))) this.#waitedMs += passedMs;
    if (this.#waitedMs < limitMs() && !this.#isLost(shards)) return this.#schedule();
    this.#timer = null;
    late();
  }

  /** Some shards failed, and there is nothing to wait for besides. */
  #isLost(shards: readonly WatchedProgress[]): boolean {
    if (shards.length !== this.#options.shardCount()) return false;
    const hasFailed = shards.some(({ state }) => state === "failed");
    return hasFailed && shards.every(({ ready, state }) => ready || state === "failed");
  }

  #moves(shards: readonly WatchedProgress[]): boolean {
    let moved = false;
    for (const { shard, progress, ready } of shards) {
      const figure = ready ? Number.POSITIVE_INFINITY : progress.scans * 1e12 + progress.slot + 1;
      if (figure <= (this.#furthest.get(shard) ?? 0)) continue;
      this.#furthest.set(shard, figure);
      moved = true;
    }
    return moved;
  }
}

function isAtOwnWork({ ownWork, call }: WatchedProgress, nowMs: number): boolean {
  return ownWork !== null || (call !== null && nowMs - call.sinceMs > SLOW_WRITE_MS);
}
