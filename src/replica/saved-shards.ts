// Between the state file (store/state-file.ts) and what a shard's follower knows: unix times there, monotonic times here. Used by
// supervisor.ts and state-keeper.ts. Pure.

import type { Clock } from "../io/clock.ts";
import { DIVERGED_LISTED_MAX } from "../limits.ts";
import type { FollowerState, ShardState as SavedShard } from "../store/state-file.ts";
import { NOTHING_SAVED, type SavedFacts, type ShardSnapshot } from "./follower-types.ts";
import { OWED_WHYS } from "./machine/owed.ts";

/**
 * One entry a shard, by number. What an earlier run with the same leader found (`before`) holds until a run says more. At most
 * DIVERGED_LISTED_MAX slots are listed, all shards together.
 */
export function savedShards(
  snapshots: readonly (ShardSnapshot | null)[],
  before: readonly SavedShard[],
  wallOffsetMs: number,
): SavedShard[] {
  let listedLeft = DIVERGED_LISTED_MAX;
  return snapshots.flatMap((snapshot, shard) => {
    const earlier = before.find((entry) => entry.shard === shard) ?? null;
    if (snapshot === null) return earlier === null ? [] : [earlier];
    const saved = savedShard(snapshot, wallOffsetMs, listedLeft);
    listedLeft -= saved.diverged.length;
    return [saved];
  });
}

function savedShard(snapshot: ShardSnapshot, wallOffsetMs: number, listedMax: number): SavedShard {
  const unix = (atMs: number | null) => (atMs === null ? null : Math.round(atMs + wallOffsetMs));
  const { owed, shownAtMs } = snapshot;
  return {
    shard: snapshot.shard,
    complete: snapshot.complete,
    lastFullScanAtMs: unix(snapshot.lastFullScanAtMs),
    lastFullScanTookMs: snapshot.lastFullScanTookMs,
    divergedSlots: snapshot.divergedSlots,
    diverged: snapshot.diverged
      .slice(0, listedMax)
      .map(({ slot, kind, here, there }) => [slot, kind, here, there]),
    owed:
      owed === null
        ? null
        : { why: owed.why, sinceAtMs: Math.round(shownAtMs - owed.sinceMs + wallOffsetMs) },
    currentAtMs: unix(snapshot.currentAtMs),
  };
}

/** What a shard begins with; `state` null: nothing is known of it, or not at this leader. A time that has not come yet is not known. */
export function savedFacts(state: FollowerState | null, shard: number, clock: Clock): SavedFacts {
  const saved = state?.shards.find((entry) => entry.shard === shard);
  if (saved === undefined) return NOTHING_SAVED;
  const wallMs = clock.wallMs();
  const monotonic = (atMs: number | null) =>
    atMs === null || atMs > wallMs ? null : clock.nowMs() - (wallMs - atMs);
  const why = OWED_WHYS.find((known) => known === saved.owed?.why);
  const sinceMs = monotonic(saved.owed?.sinceAtMs ?? null);
  return {
    machine: {
      complete: saved.complete,
      diverged: saved.divergedSlots,
      owed: why === undefined ? null : { why, sinceMs: sinceMs ?? clock.nowMs() },
    },
    diverged: saved.diverged.map(([slot, kind, here, there]) => ({ slot, kind, here, there })),
    lastFullScanAtMs: monotonic(saved.lastFullScanAtMs),
    lastFullScanTookMs: saved.lastFullScanTookMs,
    currentAtMs: monotonic(saved.currentAtMs ?? saved.lastFullScanAtMs),
  };
}

/** What a shard goes on with whose thread died: what it last said. */
export function savedFrom(snapshot: ShardSnapshot): SavedFacts {
  const { complete, divergedSlots, diverged, owed, shownAtMs } = snapshot;
  const { lastFullScanAtMs, lastFullScanTookMs, currentAtMs } = snapshot;
  const sinceMs = shownAtMs - (owed?.sinceMs ?? 0);
  return {
    machine: {
      complete,
      diverged: divergedSlots,
      owed: owed === null ? null : { why: owed.why, sinceMs },
    },
    ...{ diverged, lastFullScanAtMs, lastFullScanTookMs, currentAtMs },
  };
}
