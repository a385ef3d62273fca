// The status document of a follower that runs, from the last snapshots of its shards (docs/cli.md: JSON, status). Used by
// status-source.ts for the control socket, HTTP, the service manager and SIGUSR1. Pure.
// Promises: a shard whose thread has said nothing for 20 s is called stalled, whatever it last said of itself.

import { DIVERGED_LISTED_MAX } from "../limits.ts";
import { leftOf } from "../replica/saved-shards.ts";
import type { ShardView } from "../replica/shard-crew.ts";
import { runningValues, stoppedValues } from "./field-rows.ts";
import { SHARD_FIELDS, type ShardStatus } from "./fields.ts";
import { FOLLOWER_FIELDS, type FollowerFacts, savedTime } from "./follower-fields.ts";
import type { StatusDocument } from "./status-types.ts";

/** A thread that says nothing for this long is stuck: it sends a snapshot every second. */
export const SILENT_THREAD_MS = 20_000;

export function runningStatus(facts: FollowerFacts): StatusDocument {
  const { found, leader, wallMs } = facts;
  const foundSavedAtMs = found?.leader === leader ? savedTime(found, wallMs) : null;
  const shards: ShardStatus[] = [];
  let listedMax = DIVERGED_LISTED_MAX;
  for (const view of facts.supervisor.shards) {
    const status = shardStatus(view, { ...facts, foundSavedAtMs, listedMax });
    listedMax -= status.diverged.length;
    shards.push(status);
  }
  return runningValues(FOLLOWER_FIELDS, { ...facts, foundSavedAtMs, shards });
}

interface Shown extends FollowerFacts {
  readonly foundSavedAtMs: number | null;
  readonly listedMax: number;
}

function shardStatus(view: ShardView, facts: Shown): ShardStatus {
  const { snapshot, ended, restarts, heardAtMs } = view;
  const silentMs = Math.round(facts.nowMs - heardAtMs);
  const more = { silentMs, restarts, toldAtMs: heardAtMs };
  const status =
    snapshot === null
      ? { ...unheard(view, facts), silentMs, threadRestarts: restarts }
      : runningValues(SHARD_FIELDS, { ...facts, ...more, snapshot });
  if (ended || silentMs < SILENT_THREAD_MS) return status;
  const seconds = Math.round(silentMs / 1000);
  const text = `no word from its thread for ${seconds} s; the last was: ${status.activity}`;
  const state = isDiverged(status) ? "diverged" : "stalled";
  return { ...status, state, activity: text, lastError: text, ready: false };
}

/** Of a shard whose thread has not spoken yet there is what an earlier run saved, but that a run counts from 0. */
function unheard({ shard }: ShardView, facts: Shown): ShardStatus {
  const { found, leader, foundSavedAtMs: savedAtMs, wallMs } = facts;
  const left = found === null ? null : leftOf(found, leader, shard);
  const saved = left === null ? null : { ...left, counters: null };
  const complete = saved?.complete ?? null;
  const files = { slots: null, occupied: null, cursor: null };
  const stopped = { shard, saved, savedAtMs, wallMs, complete, ...files };
  const status = stoppedValues(SHARD_FIELDS, stopped);
  const state = isDiverged(status) ? "diverged" : "connecting";
  return { ...status, state, activity: "starting", caughtUp: status.caughtUp ?? false };
}

function isDiverged({ divergedSlots }: ShardStatus): boolean {
  return (divergedSlots ?? 0) > 0;
}
