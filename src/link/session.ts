// One connection to a leader, as a pure state machine: frames in, events out, and the acks that are due. It owns no
// socket, clock or disk; shard-link.ts drives it. The phases and what is legal in each: wire.md, A session.
//
//   handshake --ShardInfo--> scanning --CaughtUp--> streaming
//
// Acks run ahead of the batches by a window W (wire.md, point 18): W are sent with ShardInfo, then one per batch; on
// protocol 1 the first W live batches go unanswered, which gives the credit back.

import { BATCH_BYTES_FULL, BATCH_EVENTS_FULL, SHARDS_MAX, SLOT_BYTES_MAX } from "../limits.ts";
import { slotSizeOf } from "../format/slot.ts";
import { readU32 } from "../bytes.ts";
import {
  type CaughtUp,
  decodeCaughtUp,
  decodeErrorText,
  decodeShardInfo,
  FRAME_ACK,
  FRAME_CAUGHT_UP,
  FRAME_ERROR,
  FRAME_HEARTBEAT,
  FRAME_SHARD_INFO,
  FRAME_SLOT_BATCH,
  FRAME_SYNC_REQUEST,
  type FrameType,
  frameName,
  type ProtocolVersion,
  type ShardInfo,
} from "../wire/messages.ts";

export type SessionPhase = "handshake" | "scanning" | "streaming";

/** What a frame means. `violation`: bytes that no leader of this protocol sends; the link must be closed. */
export type SessionEvent =
  | { readonly kind: "shard-info"; readonly info: ShardInfo }
  | { readonly kind: "batch"; readonly payload: Uint8Array; readonly full: boolean }
  | { readonly kind: "caught-up"; readonly caughtUp: CaughtUp; readonly adds: boolean }
  /** `isPlain`: of the leader's own clock, and no note of a relay. */
  | { readonly kind: "heartbeat"; readonly isPlain: boolean }
  | { readonly kind: "leader-error"; readonly text: string }
  | { readonly kind: "violation"; readonly reason: string };

/** How many acks run ahead at a leader of this many shards. */
export type WindowFor = (shardCount: number) => number;

export class Session {
  readonly shard: number;
  readonly protocol: ProtocolVersion;
  readonly #windowFor: WindowFor;
  #windowAcks = 0;
  #phase: SessionPhase = "handshake";
  #eventsScanned = 0n;
  #creditToReturn = 0;

  constructor(shard: number, protocol: ProtocolVersion, windowFor: WindowFor) {
    this.shard = shard;
    this.protocol = protocol;
    this.#windowFor = windowFor;
  }

  /** Acks sent ahead of batches in a scan; 0 is strict, and holds before ShardInfo. */
  get windowAcks(): number {
    return this.#windowAcks;
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** Events received in the scan so far. */
  get eventsScanned(): bigint {
    return this.#eventsScanned;
  }

  /** Takes one frame in order. */
  receive(type: FrameType, payload: Uint8Array): SessionEvent {
    switch (type) {
      case FRAME_SHARD_INFO:
        return this.#shardInfo(payload);
      case FRAME_SLOT_BATCH:
        return this.#batch(payload);
      case FRAME_CAUGHT_UP:
        return this.#caughtUp(payload);
      case FRAME_HEARTBEAT:
        // A leader's first heartbeat belongs after CaughtUp; an early one is harmless and proves life.
        return { kind: "heartbeat", isPlain: payload.length === 0 };
      case FRAME_ERROR:
        return { kind: "leader-error", text: decodeErrorText(payload) };
      case FRAME_SYNC_REQUEST:
      case FRAME_ACK:
        return violation(`a ${frameName(type)}, which only followers send`);
    }
  }

  #shardInfo(payload: Uint8Array): SessionEvent {
    if (this.#phase !== "handshake") return violation("a second ShardInfo");
    const info = decodeShardInfo(payload);
    if (info === null) return violation(`a ShardInfo of ${payload.length} bytes`);
    const problem = shardInfoProblem(info, this.shard);
    if (problem !== null) return violation(problem);
    this.#phase = "scanning";
    this.#windowAcks = this.#windowFor(info.shardCount);
    this.#creditToReturn = this.#windowAcks;
    return { kind: "shard-info", info };
  }

  #batch(payload: Uint8Array): SessionEvent {
    if (this.#phase === "handshake") return violation("a SlotBatch before ShardInfo");
    const count = payload.length >= 5 ? readU32(payload, 1) : 0;
    if (this.#phase === "scanning") this.#eventsScanned += BigInt(count);
    const full = count >= BATCH_EVENTS_FULL || payload.length >= BATCH_BYTES_FULL;
    return { kind: "batch", payload, full };
  }

  #caughtUp(payload: Uint8Array): SessionEvent {
    if (this.#phase !== "scanning") return violation(`a CaughtUp while ${this.#phase}`);
    const caughtUp = decodeCaughtUp(payload);
    if (caughtUp === null) return violation(`a CaughtUp of ${payload.length} bytes`);
    if (caughtUp.shardId !== this.shard) {
      return violation(`a CaughtUp for shard ${caughtUp.shardId}, asked for ${this.shard}`);
    }
    this.#phase = "streaming";
    return { kind: "caught-up", caughtUp, adds: caughtUp.totalScanned === this.#eventsScanned };
  }

  /**
   * True when the batch just applied is to be acked now. Once streaming, the window's credit is given back, on protocol 1 alone: its
   * leaders read one frame a batch and no other. Those of protocol 2 read what is left over while they are idle, and from crate 0.7.0
   * on they wait 20 ms behind each batch for an ack: 64 unanswered ones let 20,000 puts a second overflow their ring.
   */
  ackIsDue(): boolean {
    if (this.protocol === 2 || this.#phase !== "streaming") return true;
    if (this.#creditToReturn === 0) return true;
    this.#creditToReturn--;
    return false;
  }
}

/** Why a ShardInfo cannot be true of any database, or null. slot_size is not held against anything: 0.1.x truncates it. */
function shardInfoProblem(info: ShardInfo, shard: number): string | null {
  if (info.shardCount === 0 || info.shardCount > SHARDS_MAX) {
    return `a ShardInfo with ${info.shardCount} shards`;
  }
  if (shard >= info.shardCount) {
    return `a ShardInfo with ${info.shardCount} shards for shard ${shard}`;
  }
  if (info.keyLen === 0) return "a ShardInfo with keys of 0 bytes";
  const slotSize = slotSizeOf(info.keyLen, info.valueLen);
  if (slotSize > SLOT_BYTES_MAX) return `a ShardInfo with slots of ${slotSize} bytes`;
  return null;
}

function violation(what: string): SessionEvent {
  return { kind: "violation", reason: `The peer sent ${what}` };
}
