// What a connection of a shard is given, and whom it tells. Types only.

import type { ArmdbError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import type { ScanEnd } from "../link/scan-types.ts";
import type { ShardLinkOptions } from "../link/shard-link.ts";
import type { ShardInfo } from "../wire/messages.ts";
import type { AckLimits } from "./ack-pacer.ts";
import type { AppliedBatch } from "./apply/batch-applier.ts";
import type { ConnectionEnd } from "./machine/inputs.ts";
import type { Role } from "./machine/types.ts";
import type { ShardBody } from "./shard-body.ts";

/** Who owns the connection: hears of it in order, one thing at a time. What it throws ends the thread. */
export interface ConnectionOwner<Connection> {
  opened(from: Connection): void;
  /** ShardInfo came; `scan` or nothing follows from the owner. */
  shardInfo(from: Connection, info: ShardInfo): void;
  scanApplied(from: Connection, batch: AppliedBatch): void;
  caughtUp(from: Connection): void;
  whole(from: Connection, end: Extract<ScanEnd, { kind: "whole" }>): void;
  /** A live batch was applied. */
  live(from: Connection, payload: Uint8Array, full: boolean, batch: AppliedBatch): void;
  heartbeat(from: Connection): void;
  /** What came with a socket chunk is written. */
  chunkEnded(from: Connection): void;
  ended(from: Connection, end: ConnectionEnd): void;
  /** The scan adds up, and nothing from the leader says yet that it lives: `vouch` answers, now or later. */
  wantsWord(from: Connection): void;
  /** The disk, or a bug: thrown here, while what came was taken. */
  failed(error: ArmdbError): void;
}

export interface ConnectionOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly link: ShardLinkOptions;
  readonly role: Role;
  /** Number of the request, the connection and its scan. */
  readonly number: number;
  /** As they hold when a scan begins. */
  limits(): AckLimits;
  /** Null until the shard's files are there. */
  body(): ShardBody | null;
  /** The first frame after ShardInfo is sound: the files may be made. */
  firstIsSound(info: ShardInfo): void;
}
