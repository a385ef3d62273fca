// Messages of the replication protocol (wire.md: Frames). Encoders return whole frames, header included,
// so that each goes to the socket in one write. Decoders return null for a payload that is too short;
// longer payloads are legal and their rest is ignored, as in the crate.

import { viewOf } from "../bytes.ts";
import { FRAME_HEADER_BYTES, LEADER_TEXT_CHARS_MAX } from "../limits.ts";

export const FRAME_SYNC_REQUEST = 1;
export const FRAME_SHARD_INFO = 2;
export const FRAME_SLOT_BATCH = 3;
export const FRAME_CAUGHT_UP = 4;
export const FRAME_ACK = 5;
export const FRAME_HEARTBEAT = 6;
export const FRAME_ERROR = 255;

export type FrameType = 1 | 2 | 3 | 4 | 5 | 6 | 255;

const FRAME_NAMES: Readonly<Record<FrameType, string>> = {
  1: "SyncRequest",
  2: "ShardInfo",
  3: "SlotBatch",
  4: "CaughtUp",
  5: "Ack",
  6: "Heartbeat",
  255: "Error",
};

/** True for the seven types of the protocol. */
export function isFrameType(type: number): type is FrameType {
  return type in FRAME_NAMES;
}

/** The name of a frame type, for messages to people. */
export function frameName(type: number): string {
  return isFrameType(type) ? FRAME_NAMES[type] : `type ${type}`;
}

/** Protocol versions: 1 up to crate 0.1.16, 2 from 0.2.0. */
export type ProtocolVersion = 1 | 2;
/** SyncRequest flags, bit 0: my shard has no occupied slot, so DELETED slots need not come. */
export const FLAG_EMPTY_STATE = 1;
/** Never a shard: asks for an Error without taking a stream (wire.md, point 7). */
export const SHARD_ID_NONE = 255;

export interface SyncRequest {
  readonly shardId: number;
  readonly protocolVersion: number;
  readonly flags: number;
}

export interface ShardInfo {
  readonly shardCount: number;
  readonly keyLen: number;
  readonly valueLen: number;
  readonly slotSize: number;
  readonly slotCount: number;
  readonly shardPrefixBits: number;
}

export interface CaughtUp {
  readonly shardId: number;
  /** Events sent in the scan, not slots. */
  readonly totalScanned: bigint;
}

export interface Ack {
  readonly shardId: number;
  readonly appliedCount: bigint;
  readonly maxVersionSeen: number;
}

/** A frame of `type` with `payloadBytes` zero bytes of payload, to be filled from FRAME_HEADER_BYTES on. */
export function newFrame(type: FrameType, payloadBytes: number): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payloadBytes);
  frame[0] = type;
  viewOf(frame).setUint32(1, payloadBytes, true);
  return frame;
}

const PAYLOAD = FRAME_HEADER_BYTES;

export function encodeSyncRequest(request: SyncRequest): Uint8Array {
  const frame = newFrame(FRAME_SYNC_REQUEST, 3);
  frame[PAYLOAD] = request.shardId;
  frame[PAYLOAD + 1] = request.protocolVersion;
  frame[PAYLOAD + 2] = request.flags;
  return frame;
}

export function decodeSyncRequest(payload: Uint8Array): SyncRequest | null {
  if (payload.length < 3) return null;
  return {
    shardId: payload[0] ?? 0,
    protocolVersion: payload[1] ?? 0,
    flags: payload[2] ?? 0,
  };
}

export function encodeShardInfo(info: ShardInfo): Uint8Array {
  const frame = newFrame(FRAME_SHARD_INFO, 12);
  const view = viewOf(frame);
  view.setUint8(PAYLOAD, info.shardCount);
  view.setUint16(PAYLOAD + 1, info.keyLen, true);
  view.setUint16(PAYLOAD + 3, info.valueLen, true);
  view.setUint16(PAYLOAD + 5, info.slotSize, true);
  view.setUint32(PAYLOAD + 7, info.slotCount, true);
  view.setUint8(PAYLOAD + 11, info.shardPrefixBits);
  return frame;
}

export function decodeShardInfo(payload: Uint8Array): ShardInfo | null {
  if (payload.length < 12) return null;
  const view = viewOf(payload);
  return {
    shardCount: view.getUint8(0),
    keyLen: view.getUint16(1, true),
    valueLen: view.getUint16(3, true),
    slotSize: view.getUint16(5, true),
    slotCount: view.getUint32(7, true),
    shardPrefixBits: view.getUint8(11),
  };
}

export function encodeCaughtUp(caughtUp: CaughtUp): Uint8Array {
  const frame = newFrame(FRAME_CAUGHT_UP, 9);
  frame[PAYLOAD] = caughtUp.shardId;
  viewOf(frame).setBigUint64(PAYLOAD + 1, caughtUp.totalScanned, true);
  return frame;
}

export function decodeCaughtUp(payload: Uint8Array): CaughtUp | null {
  if (payload.length < 9) return null;
  return { shardId: payload[0] ?? 0, totalScanned: viewOf(payload).getBigUint64(1, true) };
}

export function encodeAck(ack: Ack): Uint8Array {
  const frame = newFrame(FRAME_ACK, 13);
  const view = viewOf(frame);
  view.setUint8(PAYLOAD, ack.shardId);
  view.setBigUint64(PAYLOAD + 1, ack.appliedCount, true);
  view.setUint32(PAYLOAD + 9, ack.maxVersionSeen, true);
  return frame;
}

export function decodeAck(payload: Uint8Array): Ack | null {
  if (payload.length < 13) return null;
  const view = viewOf(payload);
  return {
    shardId: view.getUint8(0),
    appliedCount: view.getBigUint64(1, true),
    maxVersionSeen: view.getUint32(9, true),
  };
}

export function encodeHeartbeat(): Uint8Array {
  return newFrame(FRAME_HEARTBEAT, 0);
}

export function encodeErrorFrame(text: string): Uint8Array {
  const bytes = Buffer.from(text, "utf8");
  const frame = newFrame(FRAME_ERROR, bytes.length);
  frame.set(bytes, PAYLOAD);
  return frame;
}

/** The text of an Error frame, cut to a bound; broken UTF-8 becomes U+FFFD. Escape it before showing it. */
export function decodeErrorText(payload: Uint8Array): string {
  const bytes = payload.subarray(0, LEADER_TEXT_CHARS_MAX * 4);
  return new TextDecoder().decode(bytes).slice(0, LEADER_TEXT_CHARS_MAX);
}

/** The leader's version when the text is its version-mismatch Error, else null (wire.md: A session). */
export function versionMismatchLeader(text: string): number | null {
  const match = /^protocol version mismatch: leader (\d{1,3}), follower \d{1,3}$/.exec(text);
  return match === null ? null : Number(match[1]);
}

export const ERROR_INVALID_SHARD = "invalid shard_id";
export const ERROR_ALREADY_STREAMING = "shard already streaming";
export const ERROR_EVENTS_DROPPED = "events dropped, rescan required";

/** The crate's text for a follower of another protocol version. */
export function versionMismatchText(leader: number, follower: number): string {
  return `protocol version mismatch: leader ${leader}, follower ${follower}`;
}
