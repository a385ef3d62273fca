// How far a shard may be behind its leader (cli.md: Lag of a shard). Pure.
//
//   live      age of the last frame + durable lag: heartbeats are frames, so an idle leader is no lag, a dead one is
//   polling   age of the start of the last whole scan
//   neither   age of the moment when it last held all there was: the last live frame or the start of the last whole scan
//   never caught up: infinite

import type { ShardSnapshot } from "../replica/follower-types.ts";

/** A shard tells its figures once a second. Where the next are later than this its thread is held up, perhaps by a write. */
const TOLD_WITHIN_MS = 2_000;

/**
 * Age of the oldest write that no sync has covered, ms, as it was when the shard's figures came: what they name may be synced
 * since. Where new ones are overdue it is taken not to be, and grows.
 */
export function durableLagMs(
  snapshot: Pick<ShardSnapshot, "oldestUnsyncedAtMs">,
  toldAtMs: number,
  nowMs: number,
): number {
  const isOverdue = nowMs - toldAtMs > TOLD_WITHIN_MS;
  return ageMs(snapshot.oldestUnsyncedAtMs, isOverdue ? nowMs : toldAtMs) ?? 0;
}

/** Null: infinite. */
export function lagMs(
  snapshot: Pick<
    ShardSnapshot,
    "lastFullScanAtMs" | "lastFrameAtMs" | "streaming" | "currentAtMs" | "oldestUnsyncedAtMs"
  >,
  toldAtMs: number,
  nowMs: number,
): number | null {
  const { lastFullScanAtMs, lastFrameAtMs, streaming, currentAtMs } = snapshot;
  if (lastFullScanAtMs === null) return null;
  const durableMs = durableLagMs(snapshot, toldAtMs, nowMs);
  switch (streaming) {
    case "live":
      return (ageMs(lastFrameAtMs, nowMs) ?? 0) + durableMs;
    case "polling":
      return ageMs(lastFullScanAtMs, nowMs);
    case null:
      return (ageMs(currentAtMs ?? lastFullScanAtMs, nowMs) ?? 0) + durableMs;
  }
}

/** Age of a moment of the same clock; null for never. */
export function ageMs(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : Math.max(0, nowMs - atMs);
}
