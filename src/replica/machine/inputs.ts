// What a shard's machine is told, by the thread, the supervisor, the scans over its connections, the files and the
// judge. Plain data. Every input has the monotonic time, and a number in [0, 1) for what is left to chance.

import type { PlainError } from "../../errors.ts";
import type { ShardInfo } from "../../wire/messages.ts";
import type { Held, OwedWhy } from "./types.ts";

/** What the state file knows of this shard at this leader. */
export interface SavedShard {
  readonly complete: boolean | null;
  readonly diverged: number;
  /** `sinceMs` is monotonic, and may lie before the start of the machine's clock. */
  readonly owed: { readonly why: OwedWhy; readonly sinceMs: number } | null;
}

/**
 * How a connection, or the scan over it, ended. `stalled`: it is there and does nothing, or its scan does not advance.
 * `short`: CaughtUp with another total, or nobody vouched for the scan. `violation`: what the protocol does not have.
 * The text of an Error frame as it came.
 */
export type ConnectionEnd =
  | { readonly kind: "closed-here" }
  | { readonly kind: "lost" | "stalled" | "short" | "violation"; readonly reason: string }
  | { readonly kind: "leader-error"; readonly text: string };

type Is<Kind extends string, Fields = object> = Readonly<
  { kind: Kind; nowMs: number; chance: number } & Fields
>;
type OfLink<Kind extends string, Fields = object> = Is<Kind, { link: number } & Fields>;

/** What is heard of one connection: until `whole` from its scan, then from the link. */
export type LinkInput =
  | OfLink<"opened">
  | OfLink<"shardInfo", { info: ShardInfo; misfit: PlainError | null }>
  /** With a total that adds up. */
  | OfLink<"caughtUp">
  /** The leader gave a sign of life after CaughtUp. */
  | OfLink<"whole">
  | OfLink<"heartbeat">
  /** A live one; in a scan none is told. `heldAtMs`: all that the leader had then is here; null: not known of the stream. */
  | OfLink<"batch", { events: number; full: boolean; heldAtMs: number | null }>
  /** Once, and never after `close`. */
  | OfLink<"ended", { end: ConnectionEnd }>;

export type Input =
  | Is<"start", { saved: SavedShard; hasFiles: boolean }>
  | Is<"tick">
  | Is<"stop">
  /** A comparison wants a scan that begins after this. */
  | Is<"rescan">
  /** A timer came more than 2 s late: what lies in the sockets was not read yet. */
  | Is<"heldUp", { ms: number; byWrite?: boolean }>
  | Is<"granted", { request: number }>
  /** Granted later. */
  | Is<"held", { request: number } & Held>
  | LinkInput
  | Is<"filesMade", { error: PlainError | null }>
  | Is<"filesClosed", { error: PlainError | null }>
  | Is<"diskFailed", { error: PlainError }>
  /** What was written up to `sync` of this link is durable. */
  | OfLink<"durable">
  /** The next input after `judge`. */
  | OfLink<"judged", { suspects: number; diverged: number }>
  /** Newer events explained some: so many are left. */
  | Is<"struck", { diverged: number }>;

export type InputOf<Kind extends Input["kind"]> = Extract<Input, { kind: Kind }>;

/** An input without its moment, as it is told. */
export type Told = Input extends infer Each
  ? Each extends Input
    ? Omit<Each, "nowMs" | "chance">
    : never
  : never;
