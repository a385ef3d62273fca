// A chunk of slots, checked. Used by scan/block.ts and scan/duplicate-search.ts. The check itself is format/slot-scanner.ts, in
// WebAssembly where it pays. Promises: no allocation a slot, the chunk is left as it was read.

import { createSlotScanner } from "../../format/create-slot-scanner.ts";
import { type SlotLayout, VERSION_MAX } from "../../format/slot.ts";
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

const NO_SLOTS: ChunkSummary = {
  facts: 0,
  occupied: 0,
  deleted: 0,
  free: 0,
  damaged: 0,
  versionMin: VERSION_MAX,
  versionMax: -1,
};

/** What many chunks came to. */
export class SlotSums {
  occupied = 0;
  deleted = 0;
  free = 0;
  damaged = 0;
  /** Least and greatest version of the slots that were ever used; max -1 when there was none. */
  versionMin = VERSION_MAX;
  versionMax = -1;

  add(summary: Omit<ChunkSummary, "facts">): void {
    this.occupied += summary.occupied;
    this.deleted += summary.deleted;
    this.free += summary.free;
    this.damaged += summary.damaged;
    if (summary.versionMin < this.versionMin) this.versionMin = summary.versionMin;
    if (summary.versionMax > this.versionMax) this.versionMax = summary.versionMax;
  }
}

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

  /** Checks the first `slots` slots of the chunk. */
  check(slots: number): ChunkSummary {
    if (!this.#isAllZero(slots)) return this.#scanner.scan(slots);
    this.facts.fill(0, 0, slots);
    return { ...NO_SLOTS, free: slots };
  }

  /** Room that was never used is most of a sparse file: one comparison a chunk. */
  #isAllZero(slots: number): boolean {
    if (this.metaAt(0) !== 0) return false;
    const end = slots * this.layout.slotSize;
    return this.#bytes.compare(this.#zeros, 0, end, 0, end) === 0;
  }
}
