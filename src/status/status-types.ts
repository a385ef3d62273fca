// The state of a follower as `armdb status --json` prints it, and as it crosses the control socket and HTTP (cli.md: JSON,
// status). Everything that shows a follower, tables and metrics included, is made of this document alone. Plain JSON:
// u64 are strings, times are ms, what is not known is null.

import type { ShardState } from "../replica/follower-types.ts";

/** cli.md: Verdict of status. */
export type StatusVerdict = "live" | "behind" | "stalled" | "diverged" | "incomplete" | "stopped";

/** Every state, in the order of cli.md. */
export const SHARD_STATES: readonly ShardState[] = [
  "connecting",
  "scanning",
  "live",
  "polling",
  "waiting",
  "stalled",
  "diverged",
  "failed",
  "stopped",
];

/** One side of a diverged slot. */
export interface SlotWord {
  readonly status: string;
  readonly version: number;
}

export interface DivergedEntry {
  readonly slot: number;
  readonly kind: string;
  readonly here: SlotWord;
  /** Null: the leader does not have the slot. */
  readonly there: SlotWord | null;
}

export interface ShardStatus {
  readonly shard: number;
  readonly state: ShardState;
  /** A few words on what is happening. */
  readonly activity: string | null;
  readonly slots: number | null;
  readonly occupied: number | null;
  readonly scanned: string | null;
  readonly appliedTotal: string | null;
  readonly skippedTotal: string | null;
  readonly healedTotal: string | null;
  readonly divergedSlots: number | null;
  readonly reconnects: number | null;
  readonly lastFrameMsAgo: number | null;
  /** Since the last whole scan began. */
  readonly lastFullScanMsAgo: number | null;
  readonly durableLagMs: number | null;
  /** Null: infinite where `caughtUp` is false, else not known. */
  readonly lagMs: number | null;
  readonly maxVersionSeen: number | null;
  readonly lastError: string | null;
  /** A whole scan of it was durable once; false: never since armdb made it, null: not known. */
  readonly complete: boolean | null;

  /** A whole scan has come through in this run; null without a follower. */
  readonly caughtUp: boolean | null;
  /** Caught up, and what it caught up with is durable. */
  readonly ready: boolean | null;
  readonly streaming: "live" | "polling" | null;
  readonly rescannedTotal: string | null;
  readonly replacedTotal: string | null;
  readonly resetsSaved: number | null;
  readonly tornLoaded: number | null;
  readonly scansTotal: number | null;
  readonly lastFullScanTookMs: number | null;
  readonly connections: number | null;
  readonly bytesReceived: string | null;
  readonly slowWrites: number | null;
  readonly slowestWriteMs: number | null;
  /** Of the time since the shard's thread began, 0 to 1. */
  readonly scanningShare: number | null;
  /** Since the shard's thread said anything. */
  readonly silentMs: number | null;
  readonly threadRestarts: number | null;
  /** At most 1000 of all shards together. */
  readonly diverged: readonly DivergedEntry[];
}

/** cf. LockHolder in store/holders.ts. */
export interface StatusHolder {
  readonly pid: number | null;
  readonly kind: "exclusive" | "shared";
}

export interface StatusDocument {
  readonly schema: 1;
  readonly command: "status";
  readonly running: boolean;
  readonly leader: string | null;
  readonly protocol: 1 | 2 | null;
  readonly verdict: StatusVerdict;
  /** False when any shard's is, true when all are. */
  readonly complete: boolean | null;
  readonly connectionsToday: number | null;

  /** What `--leader-connections` allows; null: no bound, or not known. */
  readonly connectionsPerDay: number | null;
  /** Every shard has caught up and is durable. */
  readonly ready: boolean;
  readonly stopping: boolean;
  readonly pid: number | null;
  /** Without a follower: another process that holds the directory's lock. */
  readonly holder: StatusHolder | null;
  /** Unix time of this document, ms. */
  readonly atMs: number;
  readonly upMs: number | null;
  /** Of all shards: how much of the time they scan. */
  readonly scanningShare: number | null;
  readonly shards: readonly ShardStatus[];
}

/** A shard of which nothing is known but its number and state: what the others fill in. */
export const UNKNOWN_SHARD: Omit<ShardStatus, "shard" | "state"> = {
  activity: null,
  slots: null,
  occupied: null,
  scanned: null,
  appliedTotal: null,
  skippedTotal: null,
  healedTotal: null,
  divergedSlots: null,
  reconnects: null,
  lastFrameMsAgo: null,
  lastFullScanMsAgo: null,
  durableLagMs: null,
  lagMs: null,
  maxVersionSeen: null,
  lastError: null,
  complete: null,
  caughtUp: null,
  ready: null,
  streaming: null,
  rescannedTotal: null,
  replacedTotal: null,
  resetsSaved: null,
  tornLoaded: null,
  scansTotal: null,
  lastFullScanTookMs: null,
  connections: null,
  bytesReceived: null,
  slowWrites: null,
  slowestWriteMs: null,
  scanningShare: null,
  silentMs: null,
  threadRestarts: null,
  diverged: [],
};
