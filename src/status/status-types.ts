// The state of a follower as `armdb status --json` prints it, and as it crosses the control socket and HTTP (cli.md: JSON,
// status). Everything that shows a follower, tables and metrics included, is made of this document alone. Plain JSON:
// u64 are strings, times are ms, what is not known is null.

import type { DifferenceKind } from "../audit/compare-kinds.ts";
import type { ShardState } from "../replica/follower-types.ts";
import type { CatchUp } from "./catch-up-shown.ts";
import type { ShardFields } from "./fields.ts";

export { UNKNOWN_SHARD } from "./fields.ts";

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
  /** The words of `armdb compare`, said of DIR. */
  readonly kind: DifferenceKind;
  readonly here: SlotWord;
  /** Null: the leader does not have the slot. */
  readonly there: SlotWord | null;
}

/** The fields of a shard stand in fields.ts. */
export interface ShardStatus extends ShardFields {
  readonly shard: number;
  readonly state: ShardState;
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
  /** Of all shards together; null: none scans. */
  readonly catchUp: CatchUp | null;
  /** Unix time at which the state file was saved last. */
  readonly savedAtMs: number | null;
  /** Why it could not be saved; null: it could. */
  readonly saveError: string | null;
  /** Unix time of the next connection that --leader-connections allows; null: nobody waits for it. */
  readonly connectionsNextAtMs: number | null;
  readonly shards: readonly ShardStatus[];
}
