// The status document of a follower that runs, from the last snapshots of its shards (cli.md: JSON, status). Used by
// status-source.ts for the control socket, HTTP, the service manager and SIGUSR1. Pure.
// Promises: a shard whose thread has said nothing for 20 s is called stalled, whatever it last said of itself.

import { STATUS_NAMES, statusOf, versionOf } from "../format/slot.ts";
import { DIVERGED_LISTED_MAX } from "../limits.ts";
import type { DivergedSlot, ShardSnapshot } from "../replica/follower-types.ts";
import type { ShardView } from "../replica/shard-crew.ts";
import { completeOfAll } from "../store/copy-state.ts";
import { ageMs, durableLagMs, lagMs } from "./lag.ts";
import {
  type DivergedEntry,
  type ShardStatus,
  type SlotWord,
  type StatusDocument,
  UNKNOWN_SHARD,
} from "./status-types.ts";
import { verdictOf } from "./verdict.ts";

/** A thread that says nothing for this long is stuck: it sends a snapshot every second. */
export const SILENT_THREAD_MS = 20_000;

/** What is known of a follower from inside its process. */
export interface RunningFacts {
  readonly leader: string;
  readonly protocol: 1 | 2 | null;
  readonly connectionsToday: number;
  readonly connectionsPerDay: number | null;
  readonly stopping: boolean;
  readonly pid: number;
  /** Monotonic, as all times of snapshots. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly wallMs: number;
  /** Null until the leader has said how many there are. */
  readonly shardCount: number | null;
  readonly shards: readonly ShardView[];
}

export function runningStatus(facts: RunningFacts): StatusDocument {
  const { nowMs } = facts;
  let listedLeft = DIVERGED_LISTED_MAX;
  const shards = facts.shards.map((view) => {
    const diverged = view.snapshot?.diverged.slice(0, listedLeft).map(divergedEntry) ?? [];
    listedLeft -= diverged.length;
    return { ...shardStatus(view, nowMs), diverged };
  });
  const isWhole = facts.shardCount !== null && shards.length === facts.shardCount;
  return {
    schema: 1,
    command: "status",
    running: true,
    leader: facts.leader,
    protocol: facts.protocol,
    verdict: verdictOf(shards.map((shard) => shard.state)),
    complete: isWhole ? completeOfAll(shards.map((shard) => shard.complete)) : null,
    connectionsToday: facts.connectionsToday,
    connectionsPerDay: facts.connectionsPerDay,
    ready: isWhole && shards.every((shard) => shard.ready === true),
    stopping: facts.stopping,
    pid: facts.pid,
    holder: null,
    atMs: Math.round(facts.wallMs),
    upMs: Math.round(nowMs - facts.startedAtMs),
    scanningShare: meanOf(shards.map((shard) => shard.scanningShare ?? 0)),
    shards,
  };
}

function shardStatus(view: ShardView, nowMs: number): Omit<ShardStatus, "diverged"> {
  const { shard, snapshot, ended, restarts } = view;
  const silentMs = Math.round(nowMs - view.heardAtMs);
  const isSilent = !ended && silentMs >= SILENT_THREAD_MS;
  const told =
    snapshot === null
      ? { state: "connecting" as const, ...UNKNOWN_SHARD, activity: "starting", caughtUp: false }
      : toldBy(snapshot, view.heardAtMs, nowMs);
  const status = { shard, ...told, silentMs, threadRestarts: restarts };
  if (!isSilent) return status;
  const seconds = Math.round(silentMs / 1000);
  const text = `no word from its thread for ${seconds} s; the last was: ${told.activity}`;
  return { ...status, state: "stalled", activity: text, lastError: text, ready: false };
}

/** Everything of a shard that its snapshot tells. */
function toldBy(snapshot: ShardSnapshot, toldAtMs: number, nowMs: number) {
  const { state } = snapshot;
  const isOver = state === "failed" || state === "stopped";
  return {
    state,
    activity: snapshot.activity,
    slots: snapshot.slots,
    occupied: snapshot.occupied,
    scanned: String(snapshot.scanned),
    appliedTotal: String(snapshot.appliedTotal),
    skippedTotal: String(snapshot.skippedTotal),
    healedTotal: String(snapshot.healedTotal),
    divergedSlots: snapshot.divergedSlots,
    reconnects: snapshot.reconnects,
    lastFrameMsAgo: rounded(ageMs(snapshot.lastFrameAtMs, nowMs)),
    lastFullScanMsAgo: rounded(ageMs(snapshot.lastFullScanAtMs, nowMs)),
    durableLagMs: rounded(durableLagMs(snapshot, toldAtMs, nowMs)),
    lagMs: rounded(lagMs(snapshot, toldAtMs, nowMs)),
    maxVersionSeen: snapshot.maxVersionSeen,
    lastError: snapshot.lastError,
    complete: snapshot.complete,
    caughtUp: snapshot.lastFullScanAtMs !== null,
    ready: snapshot.ready && !isOver,
    streaming: snapshot.streaming,
    rescannedTotal: String(snapshot.rescannedTotal),
    replacedTotal: String(snapshot.replacedTotal),
    resetsSaved: snapshot.resetsSaved,
    tornLoaded: snapshot.tornLoaded,
    scansTotal: snapshot.scansDone,
    lastFullScanTookMs: rounded(snapshot.lastFullScanTookMs),
    connections: snapshot.connections,
    bytesReceived: String(snapshot.bytesReceived),
    slowWrites: snapshot.slowWrites,
    slowestWriteMs: rounded(snapshot.slowestWriteMs),
    scanningShare: Number(snapshot.scanningShare.toFixed(4)),
  };
}

function divergedEntry({ slot, kind, here, there }: DivergedSlot): DivergedEntry {
  return { slot, kind, here: slotWord(here), there: there === null ? null : slotWord(there) };
}

function slotWord(word: number): SlotWord {
  return { status: STATUS_NAMES[statusOf(word)], version: versionOf(word) };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}

function meanOf(shares: readonly number[]): number | null {
  if (shares.length === 0) return null;
  return Number((shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(4));
}
