// What a shard's machine asks for: performed in this order by the shard's follower, each at once. Plain data.

import type { PlainError } from "../../errors.ts";
import type { ProtocolVersion, ShardInfo } from "../../wire/messages.ts";
import type { OwedWhy, Role, ScanKind, ScanWhy, ShardState, StateWord } from "./types.ts";

type OfLink<Kind extends string> = { readonly kind: Kind; readonly link: number };

export type Report =
  | { readonly kind: "state"; readonly state: StateWord; readonly activity: string }
  /** A whole scan was judged; what it healed is the performer's to add. */
  | {
      readonly kind: "caught-up";
      readonly link: number;
      readonly scan: ScanKind;
      readonly why: ScanWhy;
      readonly tookMs: number;
      readonly suspects: number;
      readonly diverged: number;
    }
  | { readonly kind: "ready"; readonly protocol: ProtocolVersion }
  /** A debt arose, or a stronger one joined it. */
  | { readonly kind: "owed"; readonly why: OwedWhy }
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly text: string };

export type Action =
  | { readonly kind: "ask"; readonly request: number; readonly protocol: ProtocolVersion }
  /** Not wanted any more: a place at the gate that was given meanwhile is free again. */
  | { readonly kind: "drop"; readonly request: number }
  /** `accepted` counts against the budget; `scanning` or `over` frees the place at the gate. */
  | {
      readonly kind: "tell";
      readonly request: number;
      readonly what: "accepted" | "scanning" | "over";
    }
  | {
      readonly kind: "dial";
      readonly link: number;
      readonly role: Role;
      readonly protocol: ProtocolVersion;
      readonly windowAcks: number;
    }
  /** Last word of a connection: no `ended` follows. */
  | OfLink<"close">
  /** Sends one heartbeat. */
  | OfLink<"probe">
  | (OfLink<"expect"> & { readonly heartbeats: boolean })
  /** Judge and observer begin; acks run ahead. What ends the link inside is the next input. */
  | (OfLink<"scan"> & { readonly scan: ScanKind; readonly why: ScanWhy })
  | { readonly kind: "makeFiles"; readonly info: ShardInfo }
  /** Both are answered by `filesClosed`. */
  | { readonly kind: "closeFiles" | "abandonFiles" }
  | OfLink<"sync">
  /** The scan is whole: leftovers are cleared, then `judged`. */
  | OfLink<"judge">
  /** Saves the diverged slots, then trusts them no more. */
  | { readonly kind: "acceptLeader" }
  | { readonly kind: "report"; readonly report: Report }
  /** The state file is to be durable with what the machine knows now. */
  | { readonly kind: "save" }
  /** Protocol 1: a stream was given again, so this is a new process. */
  | { readonly kind: "leaderRestarted" }
  /** The shard is over. Nothing follows. */
  | { readonly kind: "end"; readonly error: PlainError | null };

export type Outcome = readonly [ShardState, readonly Action[]];
