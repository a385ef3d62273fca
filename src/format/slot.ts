// One slot: the byte layout of a record (format.md: Slot), its meta word, its version ring and its crc.
// Pure: works on bytes that somebody else read. Used by every command that looks at data.
//
//   offset         size       field
//   0              4          meta: bits 0-1 status, bits 2-31 version
//   4              4          crc32 (IEEE) over meta, key, value; the padding is excluded
//   8              key_len    key
//   8 + key_len    value_len  value
//   ...            0 to 7     zero padding up to a multiple of 8

import { crc32 } from "node:zlib";
import { viewOf } from "../bytes.ts";

export const SLOT_META_OFFSET = 0;
export const SLOT_CRC_OFFSET = 4;
export const SLOT_KEY_OFFSET = 8;
export const SLOT_HEADER_BYTES = 8;

export const STATUS_FREE = 0;
export const STATUS_OCCUPIED = 1;
export const STATUS_DELETED = 2;
/** Never written by anybody: on disk it is damage. */
export const STATUS_INVALID = 3;

export type SlotStatus = 0 | 1 | 2 | 3;
export type SlotStatusName = "free" | "occupied" | "deleted" | "invalid";
export const STATUS_NAMES = ["free", "occupied", "deleted", "invalid"] as const;

/** Versions are 30 bits and wrap. */
export const VERSION_MODULUS = 2 ** 30;
export const VERSION_HALF = 2 ** 29;
export const VERSION_MAX = VERSION_MODULUS - 1;

/** What fixes the layout of every slot of a database. */
export interface SlotLayout {
  readonly keyLen: number;
  readonly valueLen: number;
  /** align8(8 + keyLen + valueLen), bytes. */
  readonly slotSize: number;
}

/** Layout for the given key and value lengths, bytes. */
export function slotLayout(keyLen: number, valueLen: number): SlotLayout {
  return { keyLen, valueLen, slotSize: slotSizeOf(keyLen, valueLen) };
}

/** align8(8 + keyLen + valueLen), bytes. */
export function slotSizeOf(keyLen: number, valueLen: number): number {
  return Math.ceil((SLOT_HEADER_BYTES + keyLen + valueLen) / 8) * 8;
}

/** Status in bits 0-1 of a meta word. */
export function statusOf(meta: number): SlotStatus {
  return (meta & 3) as SlotStatus;
}

/** Version in bits 2-31 of a meta word, 0 to 2^30 - 1. */
export function versionOf(meta: number): number {
  return meta >>> 2;
}

/** The meta word of a status and a version. */
export function packMeta(status: SlotStatus, version: number): number {
  return ((version << 2) | status) >>> 0;
}

/**
 * True when version `candidate` is newer than `current` in the 30-bit ring: 0 < diff < 2^29.
 * Equal is not newer (format.md: Slot).
 */
export function isNewer(candidate: number, current: number): boolean {
  const difference = (candidate - current) & VERSION_MAX;
  return difference > 0 && difference < VERSION_HALF;
}

/** The version after `version`, which wraps to 0. */
export function nextVersion(version: number): number {
  return (version + 1) & VERSION_MAX;
}

/** A decoded slot. `key`, `value` and `padding` are views of the bytes given. */
export interface Slot {
  readonly meta: number;
  readonly status: SlotStatus;
  readonly version: number;
  readonly crcStored: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly padding: Uint8Array;
}

/** Decodes a slot from `slotSize` bytes. Any bytes decode; whether they can be trusted is for the caller. */
export function decodeSlot(bytes: Uint8Array, layout: SlotLayout): Slot {
  const view = viewOf(bytes);
  const meta = view.getUint32(SLOT_META_OFFSET, true);
  const valueOffset = SLOT_KEY_OFFSET + layout.keyLen;
  const paddingOffset = valueOffset + layout.valueLen;
  return {
    meta,
    status: statusOf(meta),
    version: versionOf(meta),
    crcStored: view.getUint32(SLOT_CRC_OFFSET, true),
    key: bytes.subarray(SLOT_KEY_OFFSET, valueOffset),
    value: bytes.subarray(valueOffset, paddingOffset),
    padding: bytes.subarray(paddingOffset, layout.slotSize),
  };
}

/** The crc that a slot with this meta word and the key and value of `bytes` must carry. */
export function slotCrc(bytes: Uint8Array, layout: SlotLayout): number {
  const metaCrc = crc32(bytes.subarray(SLOT_META_OFFSET, SLOT_CRC_OFFSET));
  const end = SLOT_KEY_OFFSET + layout.keyLen + layout.valueLen;
  return crc32(bytes.subarray(SLOT_KEY_OFFSET, end), metaCrc);
}

/** Writes an OCCUPIED slot image of `slotSize` bytes with a fresh crc and zero padding into `into`. */
export function encodeOccupiedSlot(
  into: Uint8Array,
  layout: SlotLayout,
  meta: number,
  key: Uint8Array,
  value: Uint8Array,
): void {
  const view = viewOf(into);
  const valueOffset = SLOT_KEY_OFFSET + layout.keyLen;
  view.setUint32(SLOT_META_OFFSET, meta, true);
  into.set(key, SLOT_KEY_OFFSET);
  into.set(value, valueOffset);
  into.fill(0, valueOffset + layout.valueLen, layout.slotSize);
  view.setUint32(SLOT_CRC_OFFSET, slotCrc(into, layout), true);
}

/** True when an OCCUPIED slot's crc is right; false also for status 3. */
export function isSlotSound(bytes: Uint8Array, layout: SlotLayout): boolean {
  const view = viewOf(bytes);
  const status = statusOf(view.getUint32(0, true));
  if (status === STATUS_INVALID) return false;
  if (status !== STATUS_OCCUPIED) return true;
  return slotCrc(bytes, layout) === view.getUint32(SLOT_CRC_OFFSET, true);
}
