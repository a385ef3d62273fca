// A chunk of slots, checked, and the sums over all chunks so far. Used by scan/shard.ts and what belongs to it. The check itself is
// format/slot-scanner.ts, in WebAssembly where it pays. Promises: no allocation a slot, the chunk is left as it was read.

import { createSlotScanner } from "../../format/create-slot-scanner.ts";
import {
  STATUS_DELETED,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
  type SlotLayout,
  VERSION_MAX,
} from "../../format/slot.ts";
import {
  type ChunkSummary,
  type RoutingCheck,
  SLOT_BAD_CRC,
  SLOT_BAD_STATUS,
  SLOT_LIVE,
  SLOT_MISROUTED,
  type SlotScanner,
  slotsPerChunk,
} from "../../format/slot-scanner.ts";

/** The slot's bytes cannot be trusted: `damaged` in the accounting. */
export const SLOT_DAMAGED = SLOT_BAD_CRC | SLOT_BAD_STATUS;
/** Worth a second look before it is reported. */
export const SLOT_SUSPECT = SLOT_DAMAGED | SLOT_MISROUTED;
/** Everything that makes a finding or a note. */
export const SLOT_REMARKABLE = 0xff & ~SLOT_LIVE;

/** How many slots of each kind; `damaged` is bad crc or status 3 (cli.md: verify). */
export interface SlotCounts {
  occupied: number;
  deleted: number;
  free: number;
  damaged: number;
}

const NO_SLOTS: Readonly<SlotCounts> = { occupied: 0, deleted: 0, free: 0, damaged: 0 };

/** A buffer for one chunk of slots, and what a check found in it. */
export class SlotChecker {
  readonly layout: SlotLayout;
  /** Slots that fit the chunk. */
  readonly slotsMax: number;
  /** To be filled by the caller, slot after slot. */
  readonly chunk: Uint8Array;
  /** Facts of each slot of the last `check`, as bits (format/slot-scanner.ts). */
  readonly facts: Uint8Array;
  /** A 64-bit hash of the key of each live slot of the last `check`. */
  readonly fingerprints: BigUint64Array;
  /** Of all checks so far. */
  readonly counts: SlotCounts = { ...NO_SLOTS };
  /** Least and greatest version of the slots that were ever used; max -1 when there was none. */
  versionMin = VERSION_MAX;
  versionMax = -1;

  readonly #scanner: SlotScanner;
  readonly #bytes: Buffer;
  readonly #zeros: Buffer;

  /** `routing` null leaves routing unchecked. */
  constructor(layout: SlotLayout, routing: RoutingCheck | null, slotsMax = slotsPerChunk(layout)) {
    this.#scanner = createSlotScanner(layout, routing, slotsMax);
    this.layout = layout;
    this.slotsMax = slotsMax;
    this.chunk = this.#scanner.chunk;
    this.facts = this.#scanner.facts;
    this.fingerprints = this.#scanner.fingerprints;
    const { buffer, byteOffset, length } = this.chunk;
    this.#bytes = Buffer.from(buffer, byteOffset, length);
    this.#zeros = Buffer.alloc(length);
  }

  /** The meta word of a slot in the chunk. */
  metaAt(index: number): number {
    return this.#scanner.words[(index * this.layout.slotSize) >> 2] as number;
  }

  /** The bytes of a slot in the chunk, a view. */
  slotAt(index: number): Uint8Array {
    const start = index * this.layout.slotSize;
    return this.chunk.subarray(start, start + this.layout.slotSize);
  }

  /** True when these are the meta words of the first `slots` slots of the chunk. */
  hasMetas(words: Uint32Array, slots: number): boolean {
    for (let index = 0; index < slots; index++)
      if (words[index] !== this.metaAt(index)) return false;
    return true;
  }

  /** Checks the first `slots` slots of the chunk. Returns all their facts joined by `or`. */
  check(slots: number): number {
    if (this.#isAllZero(slots)) {
      this.facts.fill(0, 0, slots);
      this.counts.free += slots;
      return 0;
    }
    const summary = this.#scanner.scan(slots);
    this.addSummary(summary);
    return summary.facts;
  }

  /** Adds to the sums what slots came to, also such as were checked elsewhere. */
  addSummary(summary: Omit<ChunkSummary, "facts">): void {
    const { counts } = this;
    counts.occupied += summary.occupied;
    counts.deleted += summary.deleted;
    counts.free += summary.free;
    counts.damaged += summary.damaged;
    if (summary.versionMin < this.versionMin) this.versionMin = summary.versionMin;
    if (summary.versionMax > this.versionMax) this.versionMax = summary.versionMax;
  }

  /** The sums so far; they start anew. */
  takeSums(): Omit<ChunkSummary, "facts"> {
    const { versionMin, versionMax } = this;
    const sums = { ...this.counts, versionMin, versionMax };
    Object.assign(this.counts, NO_SLOTS);
    this.versionMin = VERSION_MAX;
    this.versionMax = -1;
    return sums;
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
    const status = statusOf(meta);
    if ((facts & SLOT_DAMAGED) !== 0 || status === STATUS_INVALID) this.counts.damaged += step;
    else if (status === STATUS_OCCUPIED) this.counts.occupied += step;
    else if (status === STATUS_DELETED) this.counts.deleted += step;
    else this.counts.free += step;
  }

  /** Room that was never used is most of a sparse file: one comparison a chunk. */
  #isAllZero(slots: number): boolean {
    if (this.metaAt(0) !== 0) return false;
    const end = slots * this.layout.slotSize;
    return this.#bytes.compare(this.#zeros, 0, end, 0, end) === 0;
  }
}
