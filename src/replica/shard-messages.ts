// What passes between a shard's follower and the supervisor, which are in different threads. Plain data.

import type { PlainError } from "../errors.ts";
import type { HeldShard } from "../store/held-files.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import type { CompareEvent } from "./compare/compare-types.ts";
import type { FollowerReport, ShardSnapshot } from "./follower-types.ts";

/** Supervisor to shard. */
export type ShardCommand =
  /** Answers `prepare`. */
  | { readonly kind: "prepared"; readonly error: PlainError | null }
  /** One more connection may be made. */
  | { readonly kind: "granted"; readonly request: number }
  /** It is granted later, not before `untilMs`, unix time. */
  | {
      readonly kind: "held";
      readonly request: number;
      readonly untilMs: number;
      readonly limit: number;
    }
  /** Whether the leader lives. */
  | { readonly kind: "vouched"; readonly link: number; readonly lives: boolean }
  /** A scan that begins after this is wanted. */
  | { readonly kind: "rescan" }
  /** Compare with the leader by the next scan; `compare` messages come until the last. One at a time. */
  | { readonly kind: "compare"; readonly id: number; readonly differencesMax: number }
  | { readonly kind: "compare-stop" }
  /** Its files are not what it holds any more: nothing is written, and it ends. */
  | { readonly kind: "lost"; readonly error: PlainError }
  /** In good order: everything applied is written and durable, the shard closed clean. */
  | { readonly kind: "stop" };

/** Shard to supervisor. */
export type ShardMessage =
  | FollowerReport
  /** The first ShardInfo is here and the first frame after it was sound: make or check what all shards share. */
  | { readonly kind: "prepare"; readonly info: ShardInfo }
  /** A ShardInfo fits: the geometry and the leader's protocol are known, before anything is written. */
  | { readonly kind: "learned"; readonly info: ShardInfo; readonly protocol: ProtocolVersion }
  /** May one more connection be made? */
  | { readonly kind: "ask"; readonly request: number; readonly protocol: ProtocolVersion }
  /** The request is not wanted any more. */
  | { readonly kind: "drop"; readonly request: number }
  /** What became of the connection that was granted. */
  | {
      readonly kind: "tell";
      readonly request: number;
      readonly what: "accepted" | "scanning" | "over";
    }
  /** The scan of this connection adds up, since then, monotonic: `vouched` may answer whether the leader lives. */
  | { readonly kind: "confirming"; readonly link: number }
  /** A connection is over. `mayStop`: the leader may be stopping, as it did not say why, or its scan was not whole. */
  | { readonly kind: "gone"; readonly link: number; readonly mayStop: boolean }
  /** What the state file holds of this shard is to be durable, by this snapshot, before anything that is reported later. */
  | { readonly kind: "save"; readonly snapshot: ShardSnapshot }
  /** The shard's files are open, and to be watched. */
  | { readonly kind: "holds"; readonly held: HeldShard }
  | { readonly kind: "compare"; readonly id: number; readonly event: CompareEvent }
  /** A bug of ours: the thread ends, and is started again. */
  | { readonly kind: "crashed"; readonly reason: string };
