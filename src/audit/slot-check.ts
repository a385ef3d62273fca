// The hot loop of every scan: a chunk of slots in, one byte of facts a slot out. Used by scan.ts and the commands that
// decode slots. Promises: no allocation a slot, the chunk is left as it was read. Never reads a file.
//
// The crc covers [meta, key, value] with the stored crc in between, so the meta word is put in the crc's place and one
// ready-made view is hashed: one call, no slice (format.md: Slot).

import { crc32 } from "node:zlib";
import { shardOfKey } from "../format/routing.ts";
import {
  SLOT_CRC_OFFSET,
  SLOT_HEADER_BYTES,
  SLOT_KEY_OFFSET,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  type SlotLayout,
  VERSION_MAX,
} from "../format/slot.ts";

/** Facts of a slot, as bits. */
export const SLOT_BAD_CRC = 1;
export const SLOT_BAD_STATUS = 2;
export const SLOT_MISROUTED = 4;
export const SLOT_PADDING = 8;
export const SLOT_FREE_NOT_EMPTY = 16;
export const SLOT_FREE_VERSION = 32;
export const SLOT_DELETED_CRC = 64;
/** OCCUPIED with a right crc. */
export const SLOT_LIVE = 128;

/** The slot's bytes cannot be trusted: `damaged` in the accounting. */
export const SLOT_DAMAGED = SLOT_BAD_CRC | SLOT_BAD_STATUS;
/** Worth a second look before it is reported. */
export const SLOT_SUSPECT = SLOT_DAMAGED | SLOT_MISROUTED;
/** Everything that makes a finding or a note. */
export const SLOT_REMARKABLE = 0xff & ~SLOT_LIVE;

/** Chunks are read in steps of about this size. */
const CHUNK_BYTES = 1024 * 1024;

/** Where live keys should be: null leaves routing unchecked. */
export interface RoutingCheck {
  readonly shard: number;
  readonly shardCount: number;
  readonly shardPrefixBits: number;
}

/** How many slots of each kind; `damaged` is bad crc or status 3 (cli.md: verify). */
export interface SlotCounts {
  occupied: number;
  deleted: number;
  free: number;
  damaged: number;
}

/** A buffer for one chunk of slots, and what a check found in it. */
export class SlotChecker {
  readonly layout: SlotLayout;
  /** Slots that fit the chunk. */
  readonly slotsMax: number;
  /** To be filled by the caller, slot after slot. */
  readonly chunk: Uint8Array;
  /** Facts of each slot of the last `check`. */
  readonly facts: Uint8Array;
  /** A 32-bit hash of the key of each live slot of the last `check`. */
  readonly fingerprints: Uint32Array;
  /** Of all checks so far. */
  readonly counts: SlotCounts = { occupied: 0, deleted: 0, free: 0, damaged: 0 };
  /** Least and greatest version of the slots that were ever used; max -1 when there was none. */
  versionMin = VERSION_MAX;
  versionMax = -1;

  readonly #words: Uint32Array;
  readonly #bytes: Buffer;
  readonly #zeros: Buffer;
  /** [crc field, key, value] of each place in the chunk. */
  readonly #hashed: Uint8Array[];
  readonly #keys: Uint8Array[];
  readonly #routing: RoutingCheck | null;
  readonly #tailMask: number;
  readonly #tailMaskBefore: number;

  constructor(layout: SlotLayout, routing: RoutingCheck | null, slotsMax = slotsPerChunk(layout)) {
    const { slotSize, keyLen, valueLen } = layout;
    this.layout = layout;
    this.slotsMax = slotsMax;
    this.chunk = new Uint8Array(slotsMax * slotSize);
    this.facts = new Uint8Array(slotsMax);
    this.fingerprints = new Uint32Array(slotsMax);
    this.#words = new Uint32Array(this.chunk.buffer);
    this.#bytes = Buffer.from(this.chunk.buffer);
    this.#zeros = Buffer.alloc(this.chunk.length);
    this.#routing = routing !== null && routing.shardCount > 1 ? routing : null;
    const end = SLOT_HEADER_BYTES + keyLen + valueLen;
    const starts = Array.from({ length: slotsMax }, (_, index) => index * slotSize);
    this.#hashed = starts.map((start) => this.chunk.subarray(start + SLOT_CRC_OFFSET, start + end));
    const keyEnd = SLOT_KEY_OFFSET + keyLen;
    this.#keys =
      this.#routing === null
        ? []
        : starts.map((start) => this.chunk.subarray(start + SLOT_KEY_OFFSET, start + keyEnd));
    [this.#tailMaskBefore, this.#tailMask] = paddingMasks(slotSize - end);
  }

  /** The meta word of a slot in the chunk. */
  metaAt(index: number): number {
    return this.#words[(index * this.layout.slotSize) >> 2] as number;
  }

  /** The bytes of a slot in the chunk, a view. */
  slotAt(index: number): Uint8Array {
    const start = index * this.layout.slotSize;
    return this.chunk.subarray(start, start + this.layout.slotSize);
  }

  /** Checks the first `slots` slots of the chunk. Returns all their facts joined by `or`. */
  check(slots: number): number {
    const words = this.#words;
    const stride = this.layout.slotSize >> 2;
    const counts = this.counts;
    let joined = 0;
    if (this.#isAllZero(slots)) {
      this.facts.fill(0, 0, slots);
      counts.free += slots;
      return 0;
    }
    for (let index = 0, at = 0; index < slots; index++, at += stride) {
      const meta = words[at] as number;
      let facts: number;
      switch (meta & 3) {
        case STATUS_OCCUPIED:
          facts = this.#checkOccupied(index, at, meta);
          if ((facts & SLOT_LIVE) !== 0) counts.occupied += 1;
          else counts.damaged += 1;
          this.#sawVersion(meta >>> 2);
          break;
        case STATUS_DELETED:
          facts = this.#checkDeleted(index, at, meta);
          counts.deleted += 1;
          this.#sawVersion(meta >>> 2);
          break;
        case STATUS_FREE:
          facts = this.#checkFree(index, meta);
          counts.free += 1;
          if (meta !== 0) this.#sawVersion(meta >>> 2);
          break;
        default:
          facts = SLOT_BAD_STATUS;
          counts.damaged += 1;
          this.#sawVersion(meta >>> 2);
      }
      this.facts[index] = facts;
      joined |= facts;
    }
    return joined;
  }

  /** Marks the OCCUPIED slots live and hashes their keys, without checking anything: a later pass over known slots. */
  fingerprintOnly(slots: number): void {
    const stride = this.layout.slotSize >> 2;
    for (let index = 0, at = 0; index < slots; index++, at += stride) {
      const isOccupied = ((this.#words[at] as number) & 3) === STATUS_OCCUPIED;
      this.facts[index] = isOccupied ? SLOT_LIVE : 0;
      if (isOccupied) this.fingerprints[index] = this.#fingerprint(at);
    }
  }

  /** Takes a slot that was counted with these facts and meta out of the counts again. */
  uncount(facts: number, meta: number): void {
    this.#count(facts, meta, -1);
  }

  /** Counts a slot that was checked elsewhere. */
  recount(facts: number, meta: number): void {
    this.#count(facts, meta, 1);
  }

  #count(facts: number, meta: number, step: number): void {
    const status = meta & 3;
    if ((facts & SLOT_DAMAGED) !== 0 || status === STATUS_INVALID) this.counts.damaged += step;
    else if (status === STATUS_OCCUPIED) this.counts.occupied += step;
    else if (status === STATUS_DELETED) this.counts.deleted += step;
    else this.counts.free += step;
  }

  #isAllZero(slots: number): boolean {
    if (this.#words[0] !== 0) return false;
    const end = slots * this.layout.slotSize;
    return this.#bytes.compare(this.#zeros, 0, end, 0, end) === 0;
  }

  #checkOccupied(index: number, at: number, meta: number): number {
    const words = this.#words;
    const stored = words[at + 1] as number;
    words[at + 1] = meta;
    const computed = crc32(this.#hashed[index] as Uint8Array);
    words[at + 1] = stored;
    if (stored !== computed) return SLOT_BAD_CRC;
    this.fingerprints[index] = this.#fingerprint(at);
    let facts = SLOT_LIVE;
    if (this.#hasPadding(at)) facts |= SLOT_PADDING;
    const routing = this.#routing;
    if (routing !== null) {
      const key = this.#keys[index] as Uint8Array;
      if (shardOfKey(key, routing.shardCount, routing.shardPrefixBits) !== routing.shard) {
        facts |= SLOT_MISROUTED;
      }
    }
    return facts;
  }

  /** The crc of a DELETED slot is that of the write before the delete, if it is anything (format.md: Slot). */
  #checkDeleted(index: number, at: number, meta: number): number {
    const words = this.#words;
    const stored = words[at + 1] as number;
    const versionBefore = ((meta >>> 2) - 1) & VERSION_MAX;
    words[at + 1] = (versionBefore << 2) | STATUS_OCCUPIED;
    const computed = crc32(this.#hashed[index] as Uint8Array);
    words[at + 1] = stored;
    return (stored === computed ? 0 : SLOT_DELETED_CRC) | (this.#hasPadding(at) ? SLOT_PADDING : 0);
  }

  #checkFree(index: number, meta: number): number {
    const start = index * this.layout.slotSize;
    const end = start + this.layout.slotSize;
    const isEmpty = this.#bytes.compare(this.#zeros, start + 4, end, start + 4, end) === 0;
    return (isEmpty ? 0 : SLOT_FREE_NOT_EMPTY) | (meta === 0 ? 0 : SLOT_FREE_VERSION);
  }

  #hasPadding(at: number): boolean {
    const last = at + (this.layout.slotSize >> 2) - 1;
    const words = this.#words;
    const rest =
      ((words[last] as number) & this.#tailMask) |
      ((words[last - 1] as number) & this.#tailMaskBefore);
    return rest !== 0;
  }

  /** Mixes the key's words; equal keys have equal fingerprints, others rarely. */
  #fingerprint(at: number): number {
    const words = this.#words;
    const { keyLen } = this.layout;
    let word = at + (SLOT_KEY_OFFSET >> 2);
    const wordsEnd = word + (keyLen >> 2);
    let hash = 0x9747b28c;
    for (; word < wordsEnd; word++) {
      hash = Math.imul(hash ^ (words[word] as number), 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    const restBits = (keyLen & 3) * 8;
    if (restBits !== 0) {
      hash = Math.imul(
        hash ^ ((words[word] as number) & (0xffffffff >>> (32 - restBits))),
        0x85ebca6b,
      );
      hash ^= hash >>> 13;
    }
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #sawVersion(version: number): void {
    if (version > this.versionMax) this.versionMax = version;
    if (version < this.versionMin) this.versionMin = version;
  }
}

/** Slots in a chunk of about 1 MiB, at least one. */
export function slotsPerChunk(layout: SlotLayout): number {
  return Math.max(1, Math.floor(CHUNK_BYTES / layout.slotSize));
}

/** Masks of the padding in the last two words of a slot: the padding is 0 to 7 bytes long. */
function paddingMasks(paddingBytes: number): [before: number, last: number] {
  const lastBytes = Math.min(4, paddingBytes);
  const beforeBytes = paddingBytes - lastBytes;
  return [highBytesMask(beforeBytes), highBytesMask(lastBytes)];
}

function highBytesMask(bytes: number): number {
  return bytes === 0 ? 0 : bytes === 4 ? 0xffffffff : (0xffffffff << (32 - bytes * 8)) >>> 0;
}
