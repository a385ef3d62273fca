// What a shard's machine asks for: performed by the shard's follower, in this order, before the next input. Plain data.

import type { PlainError } from "../../errors.ts";
import type { ProtocolVersion, ShardInfo } from "../../wire/messages.ts";
import type { OwedWhy, Role, ScanKind, ScanWhy, ShardState, StateWord } from "./types.ts";

type Is<Kind extends string, Fields = object> = Readonly<{ kind: Kind } & Fields>;
type OfLink<Kind extends string, Fields = object> = Is<Kind, { link: number } & Fields>;
type Judged = { scan: ScanKind; why: ScanWhy; tookMs: number; suspects: number; diverged: number };

export type Report =
  | Is<"state", { state: StateWord; activity: string }>
  /** A whole scan was judged; what it healed is the performer's to add. */
  | OfLink<"caught-up", Judged>
  | Is<"ready", { protocol: ProtocolVersion }>
  /** A debt arose, or a stronger one joined it. */
  | Is<"owed", { why: OwedWhy }>
  /** `reasonOf`: why that connection is not there. `heldUpMs` of being held up: for how long. */
  | Is<"log", { level: "info" | "warn"; text: string; reasonOf?: Role; heldUpMs?: number }>;

export type Action =
  | Is<"ask", { request: number; protocol: ProtocolVersion }>
  /** Not wanted any more: a place at the gate that was given meanwhile is free again. */
  | Is<"drop", { request: number }>
  /** `accepted` counts against the budget; `scanning` or `over` frees the place at the gate. */
  | Is<"tell", { request: number; what: "accepted" | "scanning" | "over" }>
  /**
   * Of a scan beside, the judge notes from here on what the stream touches: the leader may read the first slot before
   * ShardInfo comes.
   */
  | OfLink<"dial", { role: Role; protocol: ProtocolVersion; windowAcks: number }>
  /** Last word of a connection: no `ended` follows. */
  | OfLink<"close">
  /** Sends one heartbeat. */
  | OfLink<"probe">
  | OfLink<"expect", { heartbeats: boolean }>
  /** Judge and observer begin; acks run ahead. What ends the link inside is the next input. */
  | OfLink<"scan", { scan: ScanKind; why: ScanWhy }>
  | Is<"makeFiles", { info: ShardInfo }>
  /** Both are answered by `filesClosed`. */
  | Is<"closeFiles">
  | Is<"abandonFiles">
  | OfLink<"sync">
  /** The scan is whole: leftovers are cleared, then `judged`. */
  | OfLink<"judge">
  /** Saves the diverged slots, then trusts them no more. */
  | Is<"acceptLeader">
  | Is<"report", { report: Report }>
  /** The state file is to be durable with what the machine knows now. */
  | Is<"save">
  /** Protocol 1: a stream was given again, so this is a new process. */
  | Is<"leaderRestarted">
  /** The shard is over. Nothing follows. */
  | Is<"end", { error: PlainError | null }>;

export type Outcome = readonly [ShardState, readonly Action[]];

/** One input's time and chance, and what is to be done so far: how the parts of a step tell each other. */
export interface Turn {
  readonly nowMs: number;
  readonly chance: number;
  readonly actions: Action[];
}

export function log({ actions }: Turn, level: "info" | "warn", text: string): void {
  actions.push({ kind: "report", report: { kind: "log", level, text } });
}

/** Why a connection is not there: met again and again with the same words, it is no news. */
export function logReason({ actions }: Turn, reasonOf: Role, text: string): void {
  actions.push({ kind: "report", report: { kind: "log", level: "warn", text, reasonOf } });
}
