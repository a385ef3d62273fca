// What one shard's machine is in (docs/cli.md, replicate). Plain data throughout, so that it crosses threads and is
// shown as it is: step.ts moves it, shown.ts reads it. inputs.ts has what it is told, actions.ts what it asks for. A
// connection and its one scan have one number, `link`, which is also the number of the request for it.

import type { PlainError } from "../../errors.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";

/** What holds for the whole run. */
export interface MachineSettings {
  /** Address of the leader and number of the shard: for texts alone. */
  readonly leader: string;
  readonly shard: number;
  /** Asked for first. */
  readonly protocol: ProtocolVersion;
  /** An earlier process followed this leader. */
  readonly followedBefore: boolean;
  readonly once: boolean;
  readonly acceptLeader: boolean;
  readonly resyncMs: number | null;
  readonly pollMs: number;
  readonly windowAcks: number;
  readonly isRateLimited: boolean;
  /** A run of full batches of so many events may have hidden a loss: RUN_EVENTS_SUSPECT, less in tests. */
  readonly runEventsSuspect: number;
}

/** Why a whole scan is owed, strongest first in owed.ts. */
export type OwedWhy = "loss" | "cut" | "accept" | "settle" | "old-ring" | "asked" | "calendar";
export type ScanWhy = "first" | "reconnect" | OwedWhy;
/** `beside`: the stream goes on meanwhile. */
export type ScanKind = "first" | "rescan" | "beside";
export type Role = "main" | "beside";

/** A whole scan that is due. Paid by the `whole` of a scan dialed after `since`, and by nothing else. */
export interface Owed {
  /** The strongest of what joined. */
  readonly why: OwedWhy;
  /** Number of the input at which the last of it arose. */
  readonly since: number;
  /** When the first of it arose; of a loss, when all was here last before its run of full batches. Monotonic. */
  readonly sinceMs: number;
  /** Null: when the run of full batches has ended. */
  readonly notBeforeMs: number | null;
  /** `accept` or `settle` is among what joined: nothing is ready before. */
  readonly holdsReady: boolean;
}

/** Whether the main connection carries the live stream. `probeAtMs`: when it is asked for; null: it was. */
export type Stream =
  | { readonly is: "probing"; readonly probeAtMs: number | null }
  | { readonly is: "polling" }
  | { readonly is: "live" };

/** `own`: closed here for a scan; `soon`: the leader asked for it, or is about to give the stream back. */
export interface Resting {
  readonly at: "resting";
  readonly untilMs: number;
  readonly why: "backoff" | "soon" | "own";
}

export interface Asking {
  readonly at: "asking";
  readonly request: number;
  readonly protocol: ProtocolVersion;
  readonly held: Held | null;
}

/** The budget is used up until then, unix time; it allows so many connections a day. */
export interface Held {
  readonly untilMs: number;
  readonly limit: number;
}

export interface Connection {
  readonly link: number;
  readonly protocol: ProtocolVersion;
  /**
   * Number of the input that dialed it, and its time: the earliest moment at which the leader could read a slot for it.
   */
  readonly dialedAt: number;
  readonly beganAtMs: number;
}

interface Scan extends Connection {
  readonly kind: ScanKind;
  readonly why: ScanWhy;
}

export type Dialing = Connection & { readonly at: "dialing"; readonly isAccepted: boolean };
/** Past ShardInfo, while the shard's files are made. */
export type Making = Connection & { readonly at: "making" };
export type Scanning = Scan & { readonly at: "scanning" };
/** CaughtUp came and added up; nobody has vouched for it yet. */
export type Confirming = Scan & { readonly at: "confirming"; readonly caughtUpAtMs: number };
export type MainConfirming = Confirming & { readonly stream: Stream };
/** Past its whole scan: nothing else is. */
export interface Streaming extends Connection {
  readonly at: "streaming";
  readonly stream: Stream;
  readonly sinceMs: number;
}

/** The main connection while there is one. */
export type MainLink = Dialing | Making | Scanning | MainConfirming | Streaming;
export type Main = { readonly at: "new" | "over" } | Resting | Asking | MainLink;
export type Beside = { readonly at: "none" } | Resting | Asking | Dialing | Scanning | Confirming;

/** The last whole scan. */
export interface LastScan extends Scan {
  readonly caughtUpAtMs: number;
  /** Until then it decides nothing: ready is what was ready before it. */
  readonly isJudged: boolean;
  readonly wasReady: boolean;
}

/** What is known of the leader. */
export interface LeaderFacts {
  /** Of the last ShardInfo that fitted. */
  readonly protocol: ProtocolVersion;
  /** Named by an Error, and not confirmed by a ShardInfo yet: asked for next. */
  readonly named: ProtocolVersion | null;
  /** A ShardInfo of this run fitted. */
  readonly hasAnswered: boolean;
  /** It says when it drops events. */
  readonly dropsTold: boolean;
  readonly windowAcks: number;
  readonly streamWasLost: boolean;
  /** Its ring may hold old events: a live stream ended that we did not end, or an earlier process followed it. */
  readonly hasGap: boolean;
  /** Every connection since then said that it does not fit. */
  readonly incompatibleSinceMs: number | null;
}

/** The next pause, and how often it was tried almost at once. */
export interface Pause {
  readonly delayMs: number;
  readonly soonTries: number;
}

/** How the shard ends; `abandons`: its files are left as they are. */
export interface Ending {
  readonly error: PlainError | null;
  readonly abandons: boolean;
}

export interface Trouble {
  readonly text: string;
  readonly stalled: boolean;
}

export interface ShardState {
  readonly settings: MachineSettings;
  /** Numbers given so far: of inputs that changed something, and of requests and their connections. */
  readonly inputs: number;
  readonly links: number;
  readonly files: "none" | "asked" | "open" | "closing";
  readonly main: Main;
  readonly beside: Beside;
  readonly owed: Owed | null;
  readonly scheduledAtMs: number | null;
  /** Full live batches without one that was not full, or a heartbeat, between them. */
  readonly run: { readonly sinceMs: number; readonly events: number } | null;
  readonly leader: LeaderFacts;
  readonly pauses: { readonly main: Pause; readonly beside: Pause };
  readonly last: LastScan | null;
  /** The last scan of this run that was whole and is durable. */
  readonly durableLink: number | null;
  readonly complete: boolean | null;
  /** Slots that wait for their second look. */
  readonly suspects: number;
  readonly diverged: number;
  /** Scans in a row that were made for suspects. */
  readonly settlingScans: number;
  /** --accept-leader has not listed anything yet. */
  readonly accepting: boolean;
  /** Of the last end of the main connection, until the next ShardInfo. */
  readonly trouble: Trouble | null;
  readonly counts: {
    /** Accepted by the leader, beside the stream too. */
    readonly connections: number;
    /** Main connections made because one was lost or refused. */
    readonly reconnects: number;
    /** Whole ones. */
    readonly scans: number;
  };
  readonly ending: Ending | null;
}

type Unlinked = "stopped" | "failed" | "stalled" | "waiting" | "connecting";
/** cli.md: status. */
export type StateWord = Unlinked | "scanning" | "polling" | "live" | "diverged";
