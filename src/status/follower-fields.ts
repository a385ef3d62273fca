// The fields of a status document beside those of its shards (fields.ts), each spelled once, in the same way. Pure. No field is left
// out; of an older peer's document what is missing is null.

import type { SyncPolicy } from "../replica/follower-types.ts";
import type { Supervisor } from "../replica/supervisor.ts";
import { completeOfAll } from "../store/copy-state.ts";
import type { LockHolder } from "../store/holders.ts";
import type { FollowerState } from "../store/state-file.ts";
import { SHARDS_MAX } from "../limits.ts";
import { CATCH_UP, catchUpOfAll } from "./catch-up-shown.ts";
import { count, flag, list, orNull, record, text, word } from "./field-kinds.ts";
import { documentKind, Rows } from "./field-rows.ts";
import { SHARD_FIELDS, type ShardStatus } from "./fields.ts";
import { pastTime, rounded } from "./shard-facts.ts";
import { runningVerdict, stoppedVerdict, VERDICTS } from "./verdict.ts";

/** What is known of a follower from inside its process. Times are monotonic but for `wallMs`. */
export interface FollowerFacts {
  readonly leader: string;
  readonly supervisor: Pick<
    Supervisor,
    "protocol" | "geometry" | "connectionsToday" | "connectionsNextAtMs" | "saved" | "shards"
  >;
  readonly connectionsPerDay: number | null;
  readonly sync: SyncPolicy;
  /** The state file as the run before left it. */
  readonly found: FollowerState | null;
  readonly stopping: boolean;
  readonly pid: number;
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly wallMs: number;
}

interface RunningFollower extends FollowerFacts {
  readonly shards: readonly ShardStatus[];
  /** Unix time at which the run before saved the state file; null: there was none with this leader. */
  readonly foundSavedAtMs: number | null;
}

/** A directory on which nobody answers. */
export interface StoppedFollower {
  readonly state: FollowerState | null;
  readonly complete: boolean | null;
  readonly holder: LockHolder | null;
  readonly wallMs: number;
  readonly shards: readonly ShardStatus[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

const { always, saved, running } = new Rows<RunningFollower, StoppedFollower>();

/** In the order of the document. Names are a promise (docs/cli.md). */
export const FOLLOWER_FIELDS = {
  schema: always({ kind: word([1]), of: () => 1 as const, stopped: () => 1 as const }),
  command: always({
    kind: word(["status"]),
    of: () => "status" as const,
    stopped: () => "status" as const,
  }),
  running: always({ kind: flag, of: () => true, stopped: () => false }),
  leader: saved({
    kind: text,
    of: ({ leader }) => leader,
    stopped: ({ state }) => state?.leader ?? null,
  }),
  protocol: saved({
    kind: word([1, 2]),
    of: ({ supervisor }) => supervisor.protocol,
    stopped: ({ state }) => state?.protocol ?? null,
    gauge: "armdb_leader_protocol",
    help: "Protocol of the leader, 1 or 2.",
  }),
  verdict: always({
    kind: word(VERDICTS),
    of: ({ shards, stopping }) => runningVerdict(shards, stopping),
    stopped: ({ shards, complete }) => stoppedVerdict(shards, complete),
  }),
  /** False when any shard's is, true when all are. */
  complete: saved({ kind: flag, of: completeOf, stopped: ({ complete }) => complete }),
  connectionsToday: saved({
    kind: count,
    of: ({ supervisor }) => supervisor.connectionsToday,
    stopped: ({ state, wallMs }) =>
      state?.connectionsAtMs.filter((atMs) => atMs > wallMs - DAY_MS).length ?? null,
    gauge: "armdb_leader_connections_today",
    help: "Connections that this leader process accepted in the last 24 hours; counted on protocol 1, which never gives their memory back.",
  }),
  /** What `--leader-connections` allows; null: no bound, or not known. */
  connectionsPerDay: running({ kind: count, of: ({ connectionsPerDay }) => connectionsPerDay }),
  /** Every shard has caught up and is durable. */
  ready: always({
    kind: flag,
    of: ({ supervisor, shards, stopping }) =>
      shards.length === supervisor.geometry?.shardCount &&
      !stopping &&
      shards.every((shard) => shard.ready === true),
    stopped: () => false,
    gauge: "armdb_ready",
    help: "1 once every shard has caught up and is durable.",
  }),
  stopping: always({ kind: flag, of: ({ stopping }) => stopping, stopped: () => false }),
  pid: running({ kind: count, of: ({ pid }) => pid }),
  /** Without a follower: another process that holds the directory's lock. */
  holder: saved({
    kind: record({ pid: orNull(count), kind: word(["exclusive", "shared"]) }),
    of: () => null,
    stopped: ({ holder }) => holder,
  }),
  /** Unix time of this document. */
  atMs: always({
    kind: count,
    of: ({ wallMs }) => Math.round(wallMs),
    stopped: ({ wallMs }) => Math.round(wallMs),
  }),
  upMs: running({
    kind: count,
    of: ({ nowMs, startedAtMs }) => Math.round(nowMs - startedAtMs),
    gauge: "armdb_uptime_seconds",
    help: "Since this follower was started.",
    unit: "seconds",
  }),
  /** Of all shards: how much of the time they scan. */
  scanningShare: running({
    kind: count,
    of: ({ shards }) => meanOf(shards.map((shard) => shard.scanningShare ?? 0)),
  }),
  /** Of all shards together; null: none scans. */
  catchUp: running({ kind: CATCH_UP, of: ({ shards }) => catchUpOfAll(shards) }),
  /** Unix time at which the state file was saved last. */
  savedAtMs: saved({
    kind: count,
    of: ({ supervisor, foundSavedAtMs }) => rounded(supervisor.saved.atMs ?? foundSavedAtMs),
    stopped: ({ state, wallMs }) => savedTime(state, wallMs),
  }),
  /** Why it could not be saved; null: it could. */
  saveError: running({ kind: text, of: ({ supervisor }) => supervisor.saved.failure }),
  /** Unix time of the next connection that --leader-connections allows; null: nobody waits for it. */
  connectionsNextAtMs: running({
    kind: count,
    of: ({ supervisor }) => rounded(supervisor.connectionsNextAtMs),
  }),
  shards: always({
    kind: list(documentKind(SHARD_FIELDS), SHARDS_MAX),
    of: ({ shards }) => shards,
    stopped: ({ shards }) => shards,
  }),
} as const;

/** When a state file was saved; null: it does not say, or it is a time that has not come yet. */
export function savedTime(state: FollowerState | null, wallMs: number): number | null {
  return state === null || state.savedAtMs <= 0 ? null : pastTime(state.savedAtMs, wallMs);
}

/** Of shards that are not known yet nobody says that they are complete. */
function completeOf({ supervisor, shards }: RunningFollower): boolean | null {
  const complete = completeOfAll(shards.map((shard) => shard.complete));
  const areAllKnown = shards.length === supervisor.geometry?.shardCount;
  return areAllKnown || complete === false ? complete : null;
}

function meanOf(shares: readonly number[]): number | null {
  if (shares.length === 0) return null;
  return Number((shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(4));
}
