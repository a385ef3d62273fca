// A shard as status, metrics and progress show it: made from its machine's state (machine/shown.ts), what its follower counts, and
// its files. Used by shard-follower.ts. Stores nothing.

import type { Counted, FollowerSettings, OwnWork, ShardSnapshot } from "./follower-types.ts";
import {
  activityOf,
  isReady,
  isSyncing,
  owedShown,
  type OwedShown,
  scanShown,
  stateWord,
} from "./machine/shown.ts";
import type { ShardState } from "./machine/types.ts";
import type { ShardBody } from "./shard-body.ts";
import type { ShardCounts } from "./shard-counts.ts";

/** `slotLast`: of the scan under way, null without one; `work`: of its files. */
export function snapshotOf(
  state: ShardState,
  counts: ShardCounts,
  saved: FollowerSettings["saved"],
  body: ShardBody | null,
  slotLast: number | null,
  work: OwnWork | null,
  nowMs: number,
): Omit<ShardSnapshot, "progress"> {
  const { last, leader, settings } = state;
  const { complete, diverged, owed } = knownOf(state, saved, nowMs);
  const scan = scanShown(state, nowMs);
  const syncSinceMs = body?.durability.syncSinceMs ?? null;
  const ownWork = work ?? (syncSinceMs !== null && isSyncing(state) ? "syncing" : null);
  return {
    shard: settings.shard,
    state: stateWord(state),
    activity: ownWork ?? activityOf(state, nowMs),
    protocol: leader.protocol,
    slots: body?.store.slotCount ?? null,
    occupied: body?.store.table.occupied ?? null,
    scanned: counts.scanned,
    ...countedOf(state, counts, saved.counted, body),
    tornLoaded: body?.store.loaded.torn ?? null,
    divergedSlots: diverged,
    diverged: counts.diverged,
    lastFrameAtMs: counts.lastFrameAtMs,
    lastFullScanAtMs: last?.beganAtMs ?? saved.lastFullScanAtMs,
    lastFullScanTookMs:
      last === null ? saved.lastFullScanTookMs : last.caughtUpAtMs - last.beganAtMs,
    streaming: streamingOf(state),
    currentAtMs: counts.currentAtMs,
    oldestUnsyncedAtMs: body?.store.oldestUnsyncedAtMs ?? null,
    ready: isReady(state),
    maxVersionSeen: body?.intake.maxVersionSeen ?? null,
    slowestWriteMs: body?.store.slowestWriteMs ?? null,
    scanningShare: counts.scanningShare,
    lastError: counts.lastError,
    complete,
    suspectSlots: state.suspects,
    call: syncSinceMs === null ? null : { call: "fdatasync", sinceMs: syncSinceMs },
    saveError: body?.saveError ?? null,
    shownAtMs: nowMs,
    owed,
    ownWork,
    scan: scan === null ? null : { ...scan, slot: slotLast ?? -1 },
  };
}

/** A thread that was started again goes on from what the one before had counted. */
function countedOf(
  { counts: steps }: ShardState,
  counts: ShardCounts,
  before: Counted,
  body: ShardBody | null,
): Counted {
  const { intake, store } = body ?? { intake: null, store: null };
  return {
    appliedTotal: intake?.appliedTotal ?? before.appliedTotal,
    skippedTotal: before.skippedTotal + (intake?.skippedTotal ?? 0n),
    healedTotal: before.healedTotal + counts.healed,
    rescannedTotal: before.rescannedTotal + counts.rescanned,
    replacedTotal: before.replacedTotal + (intake?.replacedTotal ?? 0),
    resetsSaved: before.resetsSaved + (intake?.resetsSaved ?? 0),
    reconnects: before.reconnects + steps.reconnects,
    connections: before.connections + steps.connections,
    scansDone: before.scansDone + steps.scans,
    bytesReceived: before.bytesReceived + counts.bytesReceived,
    slowWrites: before.slowWrites + (store?.slowWrites ?? 0),
  };
}

/** Before the machine has begun, while its files are opened, what an earlier run left is what is known. */
function knownOf(
  state: ShardState,
  { machine }: FollowerSettings["saved"],
  nowMs: number,
): Pick<ShardState, "complete" | "diverged"> & { readonly owed: OwedShown | null } {
  if (state.main.at !== "new") return { ...state, owed: owedShown(state, nowMs) };
  const { complete, diverged, owed } = machine;
  if (owed === null) return { complete, diverged, owed };
  const sinceMs = Math.max(0, nowMs - owed.sinceMs);
  return { complete, diverged, owed: { why: owed.why, sinceMs, heldUntilMs: null } };
}

/** Whether the main connection carries the live stream; null while that is not known, and without a connection. */
function streamingOf({ main }: ShardState): "live" | "polling" | null {
  if (main.at !== "streaming" || main.stream.is === "probing") return null;
  return main.stream.is;
}
