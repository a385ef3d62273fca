// What the state file keeps of the shards (store/state-file.ts). Used by supervisor.ts. Pure.

import type { ShardState as SavedShard } from "../store/state-file.ts";
import type { ShardSnapshot } from "./follower-types.ts";

/**
 * One entry a shard, by number. What an earlier run with the same leader found (`before`) holds until a scan of this one
 * is whole. `wallOffsetMs` turns monotonic times into Unix times.
 */
export function savedShards(
  snapshots: readonly (ShardSnapshot | null)[],
  before: readonly SavedShard[],
  wallOffsetMs: number,
): SavedShard[] {
  return snapshots.flatMap((snapshot, shard) => {
    if (snapshot === null || snapshot.lastFullScanAtMs === null) {
      return before.filter((entry) => entry.shard === shard).slice(0, 1);
    }
    const lastFullScanAtMs = Math.round(snapshot.lastFullScanAtMs + wallOffsetMs);
    return [{ shard, lastFullScanAtMs, divergedSlots: snapshot.divergedSlots }];
  });
}
