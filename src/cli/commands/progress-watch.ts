// The watch of --timeout with --once: how long the leader has been waited for in vain. What the own disk takes is no silence of the
// leader's, and neither is a pause of this process. Used by replicate.ts. Shows nothing.

import type { Clock } from "../../io/clock.ts";
import { SLOW_WRITE_MS } from "../../limits.ts";
import type { ShardSnapshot } from "../../replica/follower-types.ts";

const LOOK_INTERVAL_MS = 250;
/** A look that comes later was held up, with everything else here. */
const LOOK_LATE_MS = 1_000;

/** What is looked at of a shard. */
export type WatchedProgress = Pick<
  ShardSnapshot,
  "shard" | "progress" | "ready" | "ownWork" | "call"
>;

/** Calls `late` once the leader was waited for that long without progress. Returns what ends the watch. */
export function watchProgress(
  clock: Clock,
  timeoutMs: number,
  shards: () => readonly WatchedProgress[],
  late: () => void,
): () => void {
  const furthest = new Furthest();
  let waitedMs = 0;
  let lookedAtMs = clock.nowMs();
  let timer = clock.after(0, () => {});
  const look = () => {
    const nowMs = clock.nowMs();
    const passedMs = Math.min(nowMs - lookedAtMs, LOOK_LATE_MS);
    lookedAtMs = nowMs;
    const now = shards();
    if (furthest.moves(now)) waitedMs = 0;
    else if (!now.some((shard) => isAtOwnWork(shard, nowMs))) waitedMs += passedMs;
    if (waitedMs >= timeoutMs) late();
    else timer = clock.after(Math.min(LOOK_INTERVAL_MS, timeoutMs), look);
  };
  look();
  return () => timer.cancel();
}

function isAtOwnWork({ ownWork, call }: WatchedProgress, nowMs: number): boolean {
  return ownWork !== null || (call !== null && nowMs - call.sinceMs > SLOW_WRITE_MS);
}

/** Only what a scan brings further than before is progress: a leader that merely talks, or begins again and again, makes none. */
class Furthest {
  readonly #figures = new Map<number, number>();

  moves(shards: readonly WatchedProgress[]): boolean {
    let moved = false;
    for (const { shard, progress, ready } of shards) {
      const figure = ready ? Number.POSITIVE_INFINITY : progress.scans * 1e12 + progress.slot + 1;
      if (figure <= (this.#figures.get(shard) ?? 0)) continue;
      this.#figures.set(shard, figure);
      moved = true;
    }
    return moved;
  }
}
