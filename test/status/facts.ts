// Snapshots, views and documents for the tests of src/status, all of them of a shard that is well; a test changes what it is about.

import type { ShardSnapshot } from "../../src/replica/follower-types.ts";
import type { ShardView } from "../../src/replica/shard-crew.ts";
import type { FollowerFacts } from "../../src/status/follower-fields.ts";
import { runningStatus } from "../../src/status/status-report.ts";
import { type FollowerState, NO_OTHERS } from "../../src/store/state-file.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";

export const NOW_MS = 1_000_000;
export const WALL_MS = 1_800_000_000_000;
export const LEADER = "10.0.0.5:7400";
const GEOMETRY = { shardPrefixBits: 0, keyLen: 8, valueLen: 16 };

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

/** What a follower left in its state file four seconds ago. */
export function stateOf(changes: Partial<FollowerState> = {}): FollowerState {
  return {
    ...{ leader: LEADER, protocol: 1, created: true, shards: [], connectionsAtMs: [] },
    ...{ savedAtMs: WALL_MS - 4_000, others: NO_OTHERS },
    ...changes,
  };
}

/** What a follower's document is made of beside its shards; a changed `supervisor` is changed in part. */
type Changes = Partial<Omit<FollowerFacts, "supervisor">> &
  Partial<Omit<FollowerFacts["supervisor"], "geometry" | "shards">> & {
    /** Null: the leader has not said it. */
    readonly shardCount?: number | null;
  };

export function documentOf(shards: readonly ShardView[], changes: Changes = {}): StatusDocument {
  const { protocol, connectionsToday, connectionsNextAtMs, saved, shardCount, ...more } = {
    ...{ protocol: 1 as const, connectionsToday: 3, connectionsNextAtMs: null },
    saved: { atMs: WALL_MS - 4_000, failure: null },
    shardCount: shards.length,
    ...changes,
  };
  const geometry = shardCount === null ? null : { ...GEOMETRY, shardCount };
  return runningStatus({
    supervisor: { protocol, connectionsToday, connectionsNextAtMs, saved, geometry, shards },
    leader: LEADER,
    connectionsPerDay: 1000,
    sync: "group",
    found: null,
    stopping: false,
    pid: 4711,
    nowMs: NOW_MS,
    startedAtMs: NOW_MS - 120_000,
    wallMs: WALL_MS,
    ...more,
  });
}
