// The check of whole slots as they lie on disk, a chunk at a time: what the start of a follower and verify do with
// every slot of a file. Two forms hold this contract and are tested against each other: plain-slot-scanner.ts, to be
// read, and wasm-slot-scanner.ts, fast; create-slot-scanner.ts chooses. No I/O: the caller reads slots into `chunk`.

import type { SlotLayout } from "./slot.ts";

/** Facts of a slot, as bits. */
export const SLOT_BAD_CRC = 1;
/** Status 3. */
export const SLOT_BAD_STATUS = 2;
/** Live, and its key belongs to another shard. */
export const SLOT_MISROUTED = 4;
/** Live or DELETED, and its padding is not zero. */
export const SLOT_PADDING = 8;
/** FREE, and not all zeros behind its meta word. */
export const SLOT_FREE_NOT_EMPTY = 16;
/** FREE with a version. */
export const SLOT_FREE_VERSION = 32;
/** DELETED, and the crc is not that of the version before, which is no damage (format.md: Slot). */
export const SLOT_DELETED_CRC = 64;
/** OCCUPIED with a right crc. */
export const SLOT_LIVE = 128;

/** Where live keys should be. */
export interface RoutingCheck {
  readonly shard: number;
  readonly shardCount: number;
  readonly shardPrefixBits: number;
}

/** What one chunk came to. `damaged`: bad crc or status 3; the four counts make up all its slots. */
export interface ChunkSummary {
  /** The facts of all slots, joined by `or`. */
  readonly facts: number;
  readonly occupied: number;
  readonly deleted: number;
  readonly free: number;
  readonly damaged: number;
  /** Of the slots whose meta word is not 0; VERSION_MAX and -1 when there are none. */
  readonly versionMin: number;
  readonly versionMax: number;
}

export interface SlotScanner {
  readonly layout: SlotLayout;
  /** Slots that fit the chunk. */
  readonly slotsMax: number;
  /** To be filled by the caller, slot after slot. Left as it was by a scan. */
  readonly chunk: Uint8Array;
  /** The chunk as u32: the meta word of a slot at index x slotSize / 4, its crc behind it. */
  readonly words: Uint32Array;
  /** Facts of each slot of the last scan. */
  readonly facts: Uint8Array;
  /** A 64-bit hash of the key of each live slot of the last scan: equal keys, equal hashes. */
  readonly fingerprints: BigUint64Array;
  /** Checks the first `slots` slots of the chunk. */
  scan(slots: number): ChunkSummary;
}

/** Chunks are read in steps of about this size: 1 MiB takes 3 to 7 % longer, 256 KiB 2 to 11 %. */
const CHUNK_BYTES = 512 * 1024;

/** Slots in a chunk of about 512 KiB, at least one. */
export function slotsPerChunk(layout: SlotLayout): number {
  return Math.max(1, Math.floor(CHUNK_BYTES / layout.slotSize));
}
