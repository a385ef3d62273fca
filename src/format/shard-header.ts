// The 4096-byte header of fixed.data (format.md: fixed.data header).
//
//   0   4  magic `FIXD`      12  2  key_len
//   4   2  version, 2        14  2  value_len
//   6   2  slot_size         16  1  shard_id
//   8   4  slot_count        17  1  clean_shutdown
//                            18  4078  reserved, zeros

import { isZero, viewOf } from "../bytes.ts";
import { type SlotLayout, slotSizeOf } from "./slot.ts";

export const SHARD_FILE = "fixed.data";
/** A shard that is being made anew, before it gets its name. */
export const SHARD_NEW_FILE = `${SHARD_FILE}.armdb-new`;
/** A removed file of a shard while `repair --undo` writes it again. */
export const RESTORED_FILE = "armdb-undo.tmp";
export const SHARD_HEADER_BYTES = 4096;
export const SHARD_MAGIC = "FIXD";
export const SHARD_VERSION = 2;
/** Written by 0.1.7 to 0.1.12: another slot format, refused by name. */
export const SHARD_VERSION_OLD = 1;

export const HEADER_FIELDS = {
  magic: { offset: 0, bytes: 4 },
  version: { offset: 4, bytes: 2 },
  slotSize: { offset: 6, bytes: 2 },
  slotCount: { offset: 8, bytes: 4 },
  keyLen: { offset: 12, bytes: 2 },
  valueLen: { offset: 14, bytes: 2 },
  shardId: { offset: 16, bytes: 1 },
  cleanShutdown: { offset: 17, bytes: 1 },
  reserved: { offset: 18, bytes: SHARD_HEADER_BYTES - 18 },
} as const;

export interface ShardHeader extends SlotLayout {
  readonly slotCount: number;
  readonly shardId: number;
  /** 1 only between a clean close and the next open; any other value means dirty. */
  readonly cleanShutdown: number;
}

/** Each field as it stands, whether or not it can be right. */
export interface ShardHeaderFields extends ShardHeader {
  readonly magic: string;
  readonly version: number;
  readonly reservedIsZero: boolean;
}

/** The first thing wrong inside one header, in the order magic, version, size. */
export type ShardHeaderFault = "magic" | "version" | "slot-size";

/** Reads every field; null when fewer than 4096 bytes are there. */
export function decodeShardHeader(bytes: Uint8Array): ShardHeaderFields | null {
  if (bytes.length < SHARD_HEADER_BYTES) return null;
  const view = viewOf(bytes);
  return {
    magic: Buffer.from(bytes.subarray(0, 4)).toString("latin1"),
    version: view.getUint16(HEADER_FIELDS.version.offset, true),
    slotSize: view.getUint16(HEADER_FIELDS.slotSize.offset, true),
    slotCount: view.getUint32(HEADER_FIELDS.slotCount.offset, true),
    keyLen: view.getUint16(HEADER_FIELDS.keyLen.offset, true),
    valueLen: view.getUint16(HEADER_FIELDS.valueLen.offset, true),
    shardId: view.getUint8(HEADER_FIELDS.shardId.offset),
    cleanShutdown: view.getUint8(HEADER_FIELDS.cleanShutdown.offset),
    reservedIsZero: isZero(bytes, HEADER_FIELDS.reserved.offset, SHARD_HEADER_BYTES),
  };
}

/** Why a header cannot be used by itself (before it is compared with its siblings), or null. */
export function shardHeaderFault(fields: ShardHeaderFields): ShardHeaderFault | null {
  if (fields.magic !== SHARD_MAGIC) return "magic";
  if (fields.version !== SHARD_VERSION) return "version";
  if (fields.keyLen === 0 || fields.slotSize !== slotSizeOf(fields.keyLen, fields.valueLen)) {
    return "slot-size";
  }
  return null;
}

/** The 4096 bytes of a header. */
export function encodeShardHeader(header: ShardHeader): Uint8Array {
  const bytes = new Uint8Array(SHARD_HEADER_BYTES);
  const view = viewOf(bytes);
  bytes.set(Buffer.from(SHARD_MAGIC, "latin1"), 0);
  view.setUint16(HEADER_FIELDS.version.offset, SHARD_VERSION, true);
  view.setUint16(HEADER_FIELDS.slotSize.offset, header.slotSize, true);
  view.setUint32(HEADER_FIELDS.slotCount.offset, header.slotCount, true);
  view.setUint16(HEADER_FIELDS.keyLen.offset, header.keyLen, true);
  view.setUint16(HEADER_FIELDS.valueLen.offset, header.valueLen, true);
  view.setUint8(HEADER_FIELDS.shardId.offset, header.shardId);
  view.setUint8(HEADER_FIELDS.cleanShutdown.offset, header.cleanShutdown);
  return bytes;
}

/** Byte offset of a slot in its file. */
export function slotOffset(slot: number, slotSize: number): number {
  return SHARD_HEADER_BYTES + slot * slotSize;
}

/** Length of a file with this many slots, bytes. */
export function shardFileBytes(slotCount: number, slotSize: number): number {
  return slotOffset(slotCount, slotSize);
}
