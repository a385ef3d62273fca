// What a shard's machine is told, by whom it is told it, and when. Used by all of machine/, and made by the shard's follower. Plain
// data. Every input has the monotonic time, and a number in [0, 1) for what is left to chance.

import type { PlainError } from "../../errors.ts";
import type { ShardInfo } from "../../wire/messages.ts";
import type { OwedWhy } from "./types.ts";

/** What the state file knows of this shard at this leader. */
export interface SavedShard {
  readonly complete: boolean | null;
  readonly diverged: number;
  /** `sinceMs` is monotonic, and may lie before the start of the machine's clock. */
  readonly owed: { readonly why: OwedWhy; readonly sinceMs: number } | null;
}

/** How a connection, or the scan over it, ended. */
export type ConnectionEnd =
  /** By the performer itself, without a fault of either side. */
  | { readonly kind: "closed-here" }
  | { readonly kind: "lost"; readonly reason: string }
  /** It is there and does nothing, or its scan does not advance. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** CaughtUp with another total, or nobody vouched for the scan. */
  | { readonly kind: "short"; readonly reason: string }
  /** It sent what the protocol does not have. */
  | { readonly kind: "violation"; readonly reason: string }
  /** It sent an Error frame; the text as it came. */
  | { readonly kind: "leader-error"; readonly text: string };

interface Moment {
  readonly nowMs: number;
  readonly chance: number;
}

type OfLink<Kind extends string> = { readonly kind: Kind; readonly link: number };

export type Input = Moment &
  (
    | { readonly kind: "start"; readonly saved: SavedShard; readonly hasFiles: boolean }
    | { readonly kind: "tick" | "stop" }
    /** A comparison wants a scan that begins after this. */
    | { readonly kind: "rescan" }
    /** A timer came more than 2 s late: what lies in the sockets was not read yet. */
    | { readonly kind: "heldUp"; readonly ms: number }
    | { readonly kind: "granted"; readonly request: number }
    /** Granted later, not before `untilMs` (unix time); `limit` is what the budget allows a day. */
    | {
        readonly kind: "held";
        readonly request: number;
        readonly untilMs: number;
        readonly limit: number;
      }
    | OfLink<"opened">
    | (OfLink<"shardInfo"> & { readonly info: ShardInfo; readonly misfit: PlainError | null })
    /** With a total that adds up. */
    | OfLink<"caughtUp">
    /** The leader gave a sign of life after CaughtUp. */
    | OfLink<"whole">
    | OfLink<"heartbeat">
    /** A live batch; in a scan none is told. */
    | (OfLink<"batch"> & { readonly events: number; readonly full: boolean })
    /** Once a connection; never after `close`. */
    | (OfLink<"ended"> & { readonly end: ConnectionEnd })
    | { readonly kind: "filesMade" | "filesClosed"; readonly error: PlainError | null }
    | { readonly kind: "diskFailed"; readonly error: PlainError }
    /** What was written up to `sync` of this link is durable. */
    | OfLink<"durable">
    /** The next input after `judge`. */
    | (OfLink<"judged"> & { readonly suspects: number; readonly diverged: number })
    /** Newer events explained some: so many are left. */
    | { readonly kind: "struck"; readonly diverged: number }
  );

/** What is heard of one connection. */
export type LinkInput = Extract<
  Input,
  { kind: "opened" | "shardInfo" | "caughtUp" | "whole" | "heartbeat" | "batch" | "ended" }
>;
