// The status document of a follower that runs, from the last snapshots of its shards (cli.md: JSON, status). Used by
// status-source.ts for the control socket, HTTP, the service manager and SIGUSR1. Pure.
// Promises: a shard whose thread has said nothing for 20 s is called stalled, whatever it last said of itself.

import { DIVERGED_LISTED_MAX } from "../limits.ts";
import type { DivergedSlot, SyncPolicy } from "../replica/follower-types.ts";
import type { ShardView } from "../replica/shard-crew.ts";
import { completeOfAll } from "../store/copy-state.ts";
import { catchUpOfAll } from "./catch-up-shown.ts";
import { divergedEntry } from "./diverged-words.ts";
import { fieldsBy } from "./fields.ts";
import {
  type DivergedEntry,
  type ShardStatus,
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
  readonly sync: SyncPolicy;
  /** Unix time of the next connection that the budget allows, where a shard waits for one. */
  readonly connectionsNextAtMs: number | null;
  /** Of the state file, in this run: when it was saved last, unix time, and why it could not be. */
  readonly saved: { readonly atMs: number | null; readonly failure: string | null };
  /** Unix time at which the run before saved it; null: there was none with this leader. */
  readonly foundSavedAtMs: number | null;
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
    const diverged = view.snapshot?.diverged.slice(0, listedLeft).map(entryOf) ?? [];
    listedLeft -= diverged.length;
    return { ...shardStatus(view, facts), diverged };
  });
  const isWhole = facts.shardCount !== null && shards.length === facts.shardCount;
  const complete = completeOfAll(shards.map((shard) => shard.complete));
  return {
    schema: 1,
    command: "status",
    running: true,
    leader: facts.leader,
    protocol: facts.protocol,
    verdict: verdictOf(shards, facts.stopping),
    connectionsToday: facts.connectionsToday,
    connectionsPerDay: facts.connectionsPerDay,
    ready: isWhole && !facts.stopping && shards.every((shard) => shard.ready === true),
    stopping: facts.stopping,
    pid: facts.pid,
    holder: null,
    atMs: Math.round(facts.wallMs),
    upMs: Math.round(nowMs - facts.startedAtMs),
    scanningShare: meanOf(shards.map((shard) => shard.scanningShare ?? 0)),
    complete: isWhole || complete === false ? complete : null,
    catchUp: catchUpOfAll(shards),
    savedAtMs: roundedOrNull(facts.saved.atMs ?? facts.foundSavedAtMs),
    saveError: facts.saved.failure,
    connectionsNextAtMs: roundedOrNull(facts.connectionsNextAtMs),
    shards,
  };
}

function shardStatus(view: ShardView, facts: RunningFacts): Omit<ShardStatus, "diverged"> {
  const { shard, snapshot, ended, restarts, heardAtMs } = view;
  const { nowMs, startedAtMs, sync, foundSavedAtMs } = facts;
  const silentMs = Math.round(nowMs - heardAtMs);
  const isSilent = !ended && silentMs >= SILENT_THREAD_MS;
  const times = { toldAtMs: heardAtMs, nowMs, startedAtMs, foundSavedAtMs };
  const told =
    snapshot === null
      ? { state: "connecting" as const, ...UNKNOWN_SHARD, ...STARTING, silentMs }
      : {
          state: snapshot.state,
          ...fieldsBy((_name, row) => row.of({ snapshot, ...times, sync, silentMs, restarts })),
        };
  const status = { shard, ...told, threadRestarts: restarts };
  if (!isSilent) return status;
  const seconds = Math.round(silentMs / 1000);
  const text = `no word from its thread for ${seconds} s; the last was: ${told.activity}`;
  const state = (told.divergedSlots ?? 0) > 0 ? ("diverged" as const) : ("stalled" as const);
  return { ...status, state, activity: text, lastError: text, ready: false };
}

function entryOf({ slot, here, there }: DivergedSlot): DivergedEntry {
  return divergedEntry(slot, here, there);
}

/** Known of a shard whose thread has not spoken yet. */
const STARTING = { activity: "starting", caughtUp: false, ready: false };

function roundedOrNull(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}

function meanOf(shares: readonly number[]): number | null {
  if (shares.length === 0) return null;
  return Number((shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(4));
}
