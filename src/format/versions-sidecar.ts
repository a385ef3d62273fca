// fixed.versions, the sidecar of a clean shutdown (format.md: fixed.versions):
// slot_count meta words, then slot_count, then crc32 of all before it. All u32, little-endian.

import { crc32 } from "node:zlib";
import { viewOf } from "../bytes.ts";

export const SIDECAR_FILE = "fixed.versions";
export const SIDECAR_TEMP_FILE = "fixed.versions.tmp";
const TRAILER_BYTES = 8;

/** Length of a sidecar for this many slots, bytes. */
export function sidecarBytes(slotCount: number): number {
  return slotCount * 4 + TRAILER_BYTES;
}

/** The trailer that follows the words: slot_count and the crc, given the crc of the words alone. */
export function encodeSidecarTrailer(slotCount: number, wordsCrc: number): Uint8Array {
  const trailer = new Uint8Array(TRAILER_BYTES);
  const view = viewOf(trailer);
  view.setUint32(0, slotCount, true);
  view.setUint32(4, crc32(trailer.subarray(0, 4), wordsCrc), true);
  return trailer;
}

/** The whole sidecar of `words`. For small shards and tests; a follower streams it. */
export function encodeSidecar(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(sidecarBytes(words.length));
  const view = viewOf(bytes);
  words.forEach((word, slot) => view.setUint32(slot * 4, word, true));
  const end = words.length * 4;
  bytes.set(encodeSidecarTrailer(words.length, crc32(bytes.subarray(0, end))), end);
  return bytes;
}

/** Why a sidecar is not usable. */
export type SidecarFault = "size" | "count" | "crc";
