// How far a shard may be behind its leader (cli.md: Lag of a shard). Pure.
//
//   live      age of the last frame + durable lag: heartbeats are frames, so an idle leader is no lag, a dead one is
//   polling   age of the start of the last whole scan
//   neither   age of the moment when it last held all there was: the last live frame or the start of the last whole scan
//   never caught up: infinite

import type { ShardSnapshot } from "../replica/follower-types.ts";

/** Age of the oldest write that no sync has covered, ms. */
export function durableLagMs(
  snapshot: Pick<ShardSnapshot, "oldestUnsyncedAtMs">,
  nowMs: number,
): number {
  return ageMs(snapshot.oldestUnsyncedAtMs, nowMs) ?? 0;
}

/** Null: infinite. */
export function lagMs(
  snapshot: Pick<
    ShardSnapshot,
    "lastFullScanAtMs" | "lastFrameAtMs" | "streaming" | "currentAtMs" | "oldestUnsyncedAtMs"
  >,
  nowMs: number,
): number | null {
  const { lastFullScanAtMs, lastFrameAtMs, streaming, currentAtMs } = snapshot;
  if (lastFullScanAtMs === null) return null;
  const durableMs = durableLagMs(snapshot, nowMs);
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
