// What a shard follower is told, what it asks of the program around it, and what it reports. Plain data throughout, so
// that it crosses threads as it is.

import type { PlainError } from "../errors.ts";
import type { SavedShard } from "./machine/inputs.ts";
import type { OwedShown, Progress, ScanShown } from "./machine/shown.ts";
import type { Role, ScanWhy, StateWord } from "./machine/types.ts";
import type { CallUnderWay } from "../store/attention.ts";
import type { Geometry } from "../store/geometry.ts";
import type { NewFileOwner } from "../store/ownership.ts";
import type { ProtocolVersion } from "../wire/messages.ts";

export type ShardState = StateWord;

/** When written data is made durable (cli.md: --sync). */
export type SyncPolicy = "group" | "batch" | "off";

export interface FollowerSettings {
  readonly host: string;
  readonly port: number;
  readonly dir: string;
  readonly shard: number;
  /** Tried first; the leader's Error may lower it. */
  readonly protocol: ProtocolVersion;
  /** Known from DIR; null when DIR is to be made from what the leader says. */
  readonly geometry: Geometry | null;
  /** The shard's files exist and are to be continued. */
  readonly exists: boolean;
  readonly owner: NewFileOwner;
  readonly once: boolean;
  readonly resyncMs: number | null;
  readonly pollMs: number;
  readonly windowAcks: number;
  /** Of scans, all shards together, bytes a second. */
  readonly limitRateBytes: number | null;
  readonly sync: SyncPolicy;
  readonly acceptLeader: boolean;
  /** An earlier process followed this leader: its ring may hold old events (wire.md: L2). */
  readonly followedBefore: boolean;
  readonly saved: SavedFacts;
}

/** What an earlier run left of this shard at this leader (store/state-file.ts); times are monotonic, and may be negative. */
export interface SavedFacts {
  readonly machine: SavedShard;
  readonly diverged: readonly DivergedSlot[];
  readonly lastFullScanAtMs: number | null;
  readonly lastFullScanTookMs: number | null;
  readonly currentAtMs: number | null;
  readonly lastFrameAtMs: number | null;
  /** In this run, by a thread that died. */
  readonly counted: Counted;
}

/** What a shard counts from the start of the run; over all runs what it applied. */
export interface Counted {
  readonly appliedTotal: bigint | null;
  readonly skippedTotal: bigint;
  readonly healedTotal: number;
  readonly rescannedTotal: number;
  readonly replacedTotal: number;
  readonly resetsSaved: number;
  readonly reconnects: number;
  readonly connections: number;
  /** Whole ones. */
  readonly scansDone: number;
  readonly bytesReceived: number;
  readonly slowWrites: number;
}

export const NOTHING_COUNTED: Counted = {
  ...{ appliedTotal: null, skippedTotal: 0n, healedTotal: 0, rescannedTotal: 0, replacedTotal: 0 },
  ...{ resetsSaved: 0, reconnects: 0, connections: 0, scansDone: 0, bytesReceived: 0 },
  slowWrites: 0,
};

export const NOTHING_SAVED: SavedFacts = {
  machine: { complete: null, diverged: 0, owed: null },
  diverged: [],
  lastFullScanAtMs: null,
  lastFullScanTookMs: null,
  currentAtMs: null,
  lastFrameAtMs: null,
  counted: NOTHING_COUNTED,
};

/** One listed difference that neither side can explain away (cli.md: diverged). */
export interface DivergedSlot {
  readonly slot: number;
  readonly kind: "older" | "same-version" | "missing";
  /** Meta words; there is null where the leader does not have the slot. */
  readonly here: number;
  readonly there: number | null;
}

/** Work of a shard in which its leader is not waited for: in the words of status. */
export type OwnWork = "reading its own slots" | "creating its files" | "syncing";

/** Everything status, metrics and progress show of one shard. */
export interface ShardSnapshot extends Counted {
  readonly shard: number;
  readonly state: ShardState;
  /** A few words for people on what is happening. */
  readonly activity: string;
  readonly protocol: ProtocolVersion;
  /** Null, as all that is the files' own: they are not open yet. */
  readonly slots: number | null;
  readonly occupied: number | null;
  /** Events of the scan under way, or of the last one; null: none began in this run. */
  readonly scanned: number | null;
  readonly tornLoaded: number | null;
  readonly divergedSlots: number;
  readonly diverged: readonly DivergedSlot[];
  /** Monotonic ms (io/clock.ts), null: never. */
  readonly lastFrameAtMs: number | null;
  /** Start of the last whole scan. */
  readonly lastFullScanAtMs: number | null;
  readonly lastFullScanTookMs: number | null;
  /** Whether the main connection carries the live stream; null while that is not known, and without a connection. */
  readonly streaming: "live" | "polling" | null;
  /** When this shard last held all that its leader had: the last live frame, or the start of a whole scan; null: never. */
  readonly currentAtMs: number | null;
  readonly oldestUnsyncedAtMs: number | null;
  /** Caught up, and what it caught up with is durable. */
  readonly ready: boolean;
  readonly maxVersionSeen: number | null;
  readonly slowestWriteMs: number | null;
  readonly scanningShare: number;
  readonly lastError: string | null;
  /** A whole scan has ended and is durable, in this run or by the state file; null: not known. */
  readonly complete: boolean | null;
  /** Slots that wait for their second look. */
  readonly suspectSlots: number;
  /** Null: it waits for its leader, or follows it. */
  readonly ownWork: OwnWork | null;
  /** Why there is no room for its cursor; null: there is. */
  readonly saveError: string | null;
  /** A call of the disk that has not come back; the sync thread's is told of in the shard's snapshots. */
  readonly call: CallUnderWay | null;
  /** How far the scans have come. */
  readonly progress: Progress;
  /** When this was told; monotonic. */
  readonly shownAtMs: number;
  readonly owed: OwedShown | null;
  readonly scan: (ScanShown & { readonly slot: number }) | null;
}

export type FollowerReport =
  | { readonly kind: "snapshot"; readonly snapshot: ShardSnapshot }
  | {
      readonly kind: "state";
      readonly shard: number;
      readonly state: ShardState;
      readonly detail: string;
    }
  | {
      readonly kind: "caught-up";
      readonly shard: number;
      readonly scanned: bigint;
      readonly applied: bigint;
      /** Of this scan. */
      readonly healed: bigint;
      readonly why: ScanWhy;
      /** Since the shard's first connect began. */
      readonly tookMs: number;
    }
  /** Caught up and durable. */
  | { readonly kind: "ready"; readonly shard: number; readonly protocol: ProtocolVersion }
  | {
      readonly kind: "log";
      /** Null: the follower as a whole. */
      readonly shard: number | null;
      readonly level: "debug" | "info" | "warn";
      readonly text: string;
      /** Why that connection is not there. */
      readonly reasonOf?: Role;
      /** Of being held up: for how long. */
      readonly heldUpMs?: number;
    }
  | {
      readonly kind: "diverged";
      readonly shard: number;
      readonly slots: readonly DivergedSlot[];
      readonly total: number;
    }
  /** A live stream was given again after it was lost: this is a new leader process (protocol 1). */
  | { readonly kind: "leader-restarted"; readonly shard: number }
  /** The shard is over, in good order (`error` null) or not. Nothing follows. */
  | {
      readonly kind: "ended";
      readonly shard: number;
      readonly error: PlainError | null;
      /** Why its files are not closed clean though nothing failed; null: they are, or there are none. */
      readonly unclean: string | null;
    };
