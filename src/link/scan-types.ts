// What a scan of one shard is made of besides the link: where it goes, its acks, and how it ended. Plain data and interfaces.

import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import type { BatchFacts } from "../wire/slot-batch.ts";

/** Where a scan goes. What it throws cuts the scan, and stands in `error` as it was thrown. */
export interface ScanSink {
  opened?(): void;
  /** Once, before any batch; throws to refuse another geometry. */
  begin(info: ShardInfo): void;
  /** A batch of the scan; a view, valid during the call. Decoded once, by the sink, which says what it saw or why it is bad. */
  batch(payload: Uint8Array): BatchFacts | { readonly fault: string };
  /** A batch after CaughtUp. */
  live(payload: Uint8Array, full: boolean): void;
  /** CaughtUp came, and its total is what came. */
  caughtUp(): void;
  /** `isPlain`: without a payload. */
  heartbeat(isPlain: boolean): void;
  /** All whole frames of a socket chunk were handed over: write now. */
  chunkEnded(): void;
}

/** Acks of one link. */
export interface AckSender {
  /** ShardInfo came: the acks that run ahead. */
  sendAhead(): void;
  /** A batch of this many payload bytes was handed over. */
  applied(payloadBytes: number): void;
  /** What was handed over is written: acks what is due, in one write. */
  chunkEnded(): void;
  stop(): void;
}

export type ScanCut =
  /** The leader is not there, or went away. */
  | "lost"
  /** It is there, and its scan does not move. */
  | "stalled"
  /** CaughtUp with another total than came: it may be stopping. */
  | "short"
  /** An Error frame: `leaderText`. */
  | "refused"
  | "violation"
  /** The sink threw `error`. */
  | "sink"
  | "stopped";

export type ScanEnd =
  /** The link is the caller's again: open, or ended right behind this by `events dropped`. */
  | {
      readonly kind: "whole";
      readonly info: ShardInfo;
      readonly protocol: ProtocolVersion;
      readonly events: bigint;
      /** Monotonic: the connection was made, before the leader could read a slot for it. */
      readonly beganAtMs: number;
      readonly caughtUpAtMs: number;
    }
  | {
      readonly kind: "cut";
      readonly why: ScanCut;
      readonly reason: string;
      readonly leaderText: string | null;
      readonly error: unknown;
      /** The connection was made; a ShardInfo came; a CaughtUp that added up came. */
      readonly reached: "nothing" | "connection" | "shard-info" | "caught-up";
    };
