// Between the state file (store/state-file.ts) and what a shard's follower knows: unix times there, monotonic times here. Used by
// supervisor.ts and state-keeper.ts. Pure.

import type { Clock } from "../io/clock.ts";
import { DIVERGED_LISTED_MAX } from "../limits.ts";
import {
  type FollowerState,
  NOTHING_KNOWN,
  type ShardState as SavedShard,
} from "../store/state-file.ts";
import {
  NOTHING_COUNTED,
  NOTHING_SAVED,
  type SavedFacts,
  type ShardSnapshot,
} from "./follower-types.ts";
import { OWED_WHYS } from "./machine/owed.ts";

/** A first copy that has not ended is not so by another name of the leader either: that is the directory's. */
function unfinished(shard: number): SavedShard {
  return { ...NOTHING_KNOWN, shard, complete: false };
}

/** What an earlier run left of a shard for one who follows `leader`; null: nothing. Of another leader only that its copy has not ended. */
export function leftOf(
  state: FollowerState | null,
  leader: string,
  shard: number,
): SavedShard | null {
  if (state === null) return null;
  const left = state.shards.find((entry) => entry.shard === shard) ?? null;
  if (state.leader === leader) return left;
  const hasEnded = left === null ? state.created : (left.complete ?? state.created);
  return hasEnded ? null : unfinished(shard);
}

/**
 * One entry a shard, by number. What was left of it (`before`) holds until a run says more; of one that is `missing` nothing is.
 * At most DIVERGED_LISTED_MAX slots are listed, all shards together.
 */
export function savedShards(
  snapshots: readonly (ShardSnapshot | null)[],
  before: (shard: number) => SavedShard | null,
  missing: readonly number[],
  wallOffsetMs: number,
): SavedShard[] {
  let listedLeft = DIVERGED_LISTED_MAX;
  return snapshots.flatMap((snapshot, shard) => {
    const earlier = missing.includes(shard) ? unfinished(shard) : before(shard);
    if (snapshot === null) return earlier === null ? [] : [earlier];
    const complete = snapshot.complete ?? (earlier?.complete === false ? false : null);
    const saved = { ...savedShard(snapshot, wallOffsetMs, listedLeft), complete };
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
    leaderHeardAtMs: unix(snapshot.lastFrameAtMs),
    counters: {
      scansTotal: snapshot.scansDone,
      healedTotal: snapshot.healedTotal,
      rescannedTotal: String(snapshot.rescannedTotal),
      replacedTotal: String(snapshot.replacedTotal),
      skippedTotal: String(snapshot.skippedTotal),
      resetsSaved: snapshot.resetsSaved,
    },
  };
}

/** What a shard begins with, by what was left of it. A time that has not come yet is not known. */
export function savedFacts(saved: SavedShard | null, clock: Clock): SavedFacts {
  if (saved === null) return NOTHING_SAVED;
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
    lastFrameAtMs: monotonic(saved.leaderHeardAtMs),
    counted: NOTHING_COUNTED,
  };
}

/** What a shard goes on with whose thread died: what it last said, and what it counted. */
export function savedFrom(snapshot: ShardSnapshot): SavedFacts {
  const { complete, divergedSlots, diverged, owed, shownAtMs } = snapshot;
  const { lastFullScanAtMs, lastFullScanTookMs, currentAtMs, lastFrameAtMs } = snapshot;
  const sinceMs = shownAtMs - (owed?.sinceMs ?? 0);
  return {
    machine: {
      complete,
      diverged: divergedSlots,
      owed: owed === null ? null : { why: owed.why, sinceMs },
    },
    ...{ diverged, lastFullScanAtMs, lastFullScanTookMs, currentAtMs, lastFrameAtMs },
    counted: snapshot,
  };
}
