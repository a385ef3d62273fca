// Snapshots, views and documents for the tests of src/status, all of them of a shard that is well; a test changes what it is about.

import type { ShardSnapshot } from "../../src/replica/follower-types.ts";
import type { ShardView } from "../../src/replica/shard-crew.ts";
import { type RunningFacts, runningStatus } from "../../src/status/status-report.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";

export const NOW_MS = 1_000_000;
export const WALL_MS = 1_800_000_000_000;

/** A live shard: a frame 2 s ago, a whole scan a minute ago, everything durable. */
export function snapshotOf(changes: Partial<ShardSnapshot> = {}): ShardSnapshot {
  return {
    shard: 0,
    state: "live",
    activity: "following the live stream",
    protocol: 1,
    slots: 1000,
    occupied: 600,
    scanned: 650,
    scansDone: 1,
    bytesReceived: 20_000,
    appliedTotal: 650n,
    skippedTotal: 10n,
    healedTotal: 0,
    rescannedTotal: 0,
    replacedTotal: 0,
    resetsSaved: 0,
    tornLoaded: 0,
    divergedSlots: 0,
    diverged: [],
    reconnects: 0,
    connections: 1,
    lastFrameAtMs: NOW_MS - 2_000,
    lastFullScanAtMs: NOW_MS - 60_000,
    lastFullScanTookMs: 500,
    streaming: "live",
    currentAtMs: NOW_MS - 2_000,
    oldestUnsyncedAtMs: null,
    ready: true,
    complete: true,
    suspectSlots: 0,
    shownAtMs: NOW_MS,
    progress: { scans: 1, slot: 999 },
    owed: null,
    scan: null,
    call: null,
    saveError: null,
    ownWork: null,
    maxVersionSeen: 7,
    slowWrites: 0,
    slowestWriteMs: 3,
    scanningShare: 0.01,
    lastError: null,
    ...changes,
  };
}

export function viewOf(
  snapshot: Partial<ShardSnapshot> | null = {},
  changes: Partial<ShardView> = {},
): ShardView {
  return {
    shard: snapshot?.shard ?? 0,
    snapshot: snapshot === null ? null : snapshotOf(snapshot),
    heardAtMs: NOW_MS - 500,
    ended: false,
    restarts: 0,
    ...changes,
  };
}

export function documentOf(
  shards: readonly ShardView[],
  changes: Partial<RunningFacts> = {},
): StatusDocument {
  return runningStatus({
    leader: "10.0.0.5:7400",
    protocol: 1,
    connectionsToday: 3,
    connectionsPerDay: 1000,
    stopping: false,
    sync: "group",
    connectionsNextAtMs: null,
    saved: { atMs: WALL_MS - 4_000, failure: null },
    foundSavedAtMs: null,
    pid: 4711,
    nowMs: NOW_MS,
    startedAtMs: NOW_MS - 120_000,
    wallMs: WALL_MS,
    shardCount: shards.length,
    shards,
    ...changes,
  });
}
