// The SlotScanner that runs in the WASM kernel (src/wasm/scan.ts); the chunk lies in its memory, so the read goes there at
// once. The whole chunk is checked by one native crc over all of it (src/wasm/span-crc.ts). Measured against one crc for each
// slot: 12 instead of 22 ns a slot at 8x64, 14 instead of 41 at 16x100; of a whole verify 21 % at 8x64, 6 % at 32x1000. Where
// it is wrong each span of it has one, and where that is wrong each slot; long records by a native call on a view made beforehand.

import { crc32 } from "node:zlib";
import * as cells from "../wasm/cells.ts";
import { shardOfKey } from "./routing.ts";
import {
  packMeta,
  SLOT_CRC_OFFSET,
  SLOT_HEADER_BYTES,
  SLOT_KEY_OFFSET,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_OCCUPIED,
  statusOf,
  VERSION_MAX,
  versionOf,
} from "./slot.ts";
import {
  type ChunkSummary,
  type RoutingCheck,
  SLOT_LIVE,
  SLOT_MISROUTED,
  type SlotScanner,
} from "./slot-scanner.ts";
import { AreaPlan, CRC_NATIVE_BYTES_MIN, type Kernel, newKernel } from "./wasm-kernel.ts";

/** About so much of a chunk that is not sound goes through one crc: a wrong slot makes only these slower. */
const SPAN_BYTES = 16 * 1024;
/** The kernel hashes keys of up to this many bytes. */
const HASHED_BYTES_MAX = 128;

/** Neighbouring slots of the chunk, and its part that they fill. */
interface Span {
  readonly first: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

interface Places {
  readonly chunk: number;
  readonly facts: number;
  readonly fingerprints: number;
  readonly crcs: number;
  readonly products: number;
  readonly end: number;
}

export class WasmSlotScanner implements SlotScanner {
  readonly layout: SlotLayout;
  readonly slotsMax: number;
  readonly chunk: Uint8Array;
  readonly words: Uint32Array;
  readonly facts: Uint8Array;
  readonly fingerprints: BigUint64Array;
  readonly #kernel: Kernel;
  readonly #cells: Uint32Array;
  /** Where the kernel looks for crcs that are taken here. */
  readonly #crcs: Uint32Array;
  readonly #all: Span;
  /** Of the whole chunk, in their order. */
  readonly #spans: readonly Span[];
  /** [crc field, key, value] of each slot; empty where the kernel takes the crcs. */
  readonly #records: readonly Uint8Array[];
  /** Set where keys are too long for the kernel. */
  readonly #routingHere: RoutingCheck | null;

  private constructor(
    layout: SlotLayout,
    routing: RoutingCheck | null,
    slotsMax: number,
    places: Places,
    kernel: Kernel,
    nativeBytesMin: number,
  ) {
    const { keyLen, valueLen, slotSize } = layout;
    const { buffer } = kernel.memory;
    this.layout = layout;
    this.slotsMax = slotsMax;
    this.chunk = new Uint8Array(buffer, places.chunk, slotsMax * slotSize);
    this.words = new Uint32Array(buffer, places.chunk, (slotsMax * slotSize) / 4);
    this.facts = new Uint8Array(buffer, places.facts, slotsMax);
    this.fingerprints = new BigUint64Array(buffer, places.fingerprints, slotsMax);
    this.#crcs = new Uint32Array(buffer, places.crcs, slotsMax);
    this.#cells = new Uint32Array(buffer, 0, cells.KEY_SCRATCH / 4);
    this.#kernel = kernel;
    const recordEnd = SLOT_HEADER_BYTES + keyLen + valueLen;
    this.#all = { first: 0, end: slotsMax, bytes: this.chunk };
    this.#spans = spansOf(this.chunk, slotSize);
    this.#records =
      keyLen + valueLen < nativeBytesMin
        ? []
        : Array.from({ length: slotsMax }, (_, index) =>
            this.chunk.subarray(index * slotSize + SLOT_CRC_OFFSET, index * slotSize + recordEnd),
          );
    this.#setCell(cells.KEY_BYTES, keyLen);
    this.#setCell(cells.VALUE_BYTES, valueLen);
    this.#setCell(cells.SLOT_BYTES, slotSize);
    this.#setCell(cells.CHUNK_START, places.chunk);
    this.#setCell(cells.FACTS_START, places.facts);
    this.#setCell(cells.FINGERPRINTS_START, places.fingerprints);
    this.#setCell(cells.CRCS_START, places.crcs);
    this.#setCell(cells.PRODUCTS_START, places.products);
    kernel.prepareSpans();
    this.#routingHere = this.#setRouting(routing);
  }

  /** Null when the process cannot have the memory. */
  static create(
    layout: SlotLayout,
    routing: RoutingCheck | null,
    slotsMax: number,
    nativeBytesMin = CRC_NATIVE_BYTES_MIN,
  ): WasmSlotScanner | null {
    const plan = new AreaPlan();
    const places: Places = {
      chunk: plan.area(slotsMax * layout.slotSize),
      facts: plan.area(slotsMax),
      fingerprints: plan.area(slotsMax * 8),
      crcs: plan.area(slotsMax * 4),
      products: plan.area(cells.PRODUCTS_BYTES),
      end: plan.end,
    };
    const kernel = newKernel(places.end);
    if (kernel === null) return null;
    return new WasmSlotScanner(layout, routing, slotsMax, places, kernel, nativeBytesMin);
  }

  scan(slots: number): ChunkSummary {
    this.#clearCounts();
    let facts = this.#scanSound(this.#all, slots) ?? this.#scanSpans(slots);
    if (this.#routingHere !== null) facts |= this.#checkRouting(slots, this.#routingHere);
    return {
      facts,
      occupied: this.#cell(cells.COUNT_OCCUPIED),
      deleted: this.#cell(cells.COUNT_DELETED),
      free: this.#cell(cells.COUNT_FREE),
      damaged: this.#cell(cells.COUNT_DAMAGED),
      versionMin: Math.min(this.#cell(cells.VERSION_LEAST), VERSION_MAX),
      versionMax: this.#cell(cells.VERSION_GREATEST) | 0,
    };
  }

  #clearCounts(): void {
    this.#setCell(cells.COUNT_OCCUPIED, 0);
    this.#setCell(cells.COUNT_DELETED, 0);
    this.#setCell(cells.COUNT_FREE, 0);
    this.#setCell(cells.COUNT_DAMAGED, 0);
    this.#setCell(cells.VERSION_LEAST, -1);
    this.#setCell(cells.VERSION_GREATEST, -1);
  }

  /** The slots of a span up to `slotsEnd`, by one crc; null when that is not right. */
  #scanSound({ first, end, bytes }: Span, slotsEnd: number): number | null {
    const kernel = this.#kernel;
    const filled =
      slotsEnd === end ? bytes : bytes.subarray(0, (slotsEnd - first) * this.layout.slotSize);
    if (crc32(filled) !== kernel.spanCrc(first, slotsEnd) >>> 0) return null;
    return kernel.scan(first, slotsEnd, cells.CRCS_SOUND);
  }

  /** Span after span: each slot by its own crc only where that of its span is not right either. */
  #scanSpans(slots: number): number {
    let facts = 0;
    for (const span of this.#spans) {
      if (span.first >= slots) break;
      const end = Math.min(slots, span.end);
      facts |= this.#scanSound(span, end) ?? this.#scanEach(span.first, end);
    }
    return facts;
  }

  #scanEach(first: number, end: number): number {
    if (this.#records.length === 0) return this.#kernel.scan(first, end, cells.CRCS_TAKEN);
    this.#takeCrcs(first, end);
    return this.#kernel.scan(first, end, cells.CRCS_GIVEN);
  }

  /**
   * The crc covers the meta word, key and value, with the stored crc in between: so the meta word takes the place of the crc
   * for the length of one call.
   */
  #takeCrcs(first: number, end: number): void {
    const words = this.words;
    const crcs = this.#crcs;
    const records = this.#records;
    const stride = this.layout.slotSize / 4;
    for (let index = first, at = first * stride; index < end; index++, at += stride) {
      const word = words[at] as number;
      const status = statusOf(word);
      if (status !== STATUS_OCCUPIED && status !== STATUS_DELETED) continue;
      const stored = words[at + 1] as number;
      words[at + 1] = status === STATUS_OCCUPIED ? word : wordBeforeDelete(word);
      crcs[index] = crc32(records[index] as Uint8Array);
      words[at + 1] = stored;
    }
  }

  /** Tells the kernel what it must know to route keys; hands `routing` back where it cannot. */
  #setRouting(routing: RoutingCheck | null): RoutingCheck | null {
    if (routing === null || routing.shardCount <= 1) return null;
    const { keyLen } = this.layout;
    const bits = routing.shardPrefixBits;
    const isWhole = bits === 0 || bits >= keyLen * 8;
    const bytes = isWhole ? keyLen : Math.ceil(bits / 8);
    if (bytes > HASHED_BYTES_MAX) return routing;
    const restBits = isWhole ? 0 : bits & 7;
    this.#setCell(cells.ROUTING_SHARD, routing.shard);
    this.#setCell(cells.ROUTING_SHARD_COUNT, routing.shardCount);
    this.#setCell(cells.ROUTING_BYTES, bytes);
    this.#setCell(cells.ROUTING_LAST_MASK, restBits === 0 ? 0xff : (0xff << (8 - restBits)) & 0xff);
    return null;
  }

  #checkRouting(slots: number, routing: RoutingCheck): number {
    const { slotSize, keyLen } = this.layout;
    let joined = 0;
    for (let index = 0; index < slots; index++) {
      const facts = this.facts[index] as number;
      if ((facts & SLOT_LIVE) === 0) continue;
      const start = index * slotSize + SLOT_KEY_OFFSET;
      const key = this.chunk.subarray(start, start + keyLen);
      if (shardOfKey(key, routing.shardCount, routing.shardPrefixBits) === routing.shard) continue;
      this.facts[index] = facts | SLOT_MISROUTED;
      joined = SLOT_MISROUTED;
    }
    return joined;
  }

  #cell(address: number): number {
    return this.#cells[address / 4] as number;
  }

  #setCell(address: number, value: number): void {
    this.#cells[address / 4] = value;
  }
}

function spansOf(chunk: Uint8Array, slotSize: number): Span[] {
  const slotsMax = chunk.length / slotSize;
  const spanSlots = Math.max(1, Math.floor(SPAN_BYTES / slotSize));
  return Array.from({ length: Math.ceil(slotsMax / spanSlots) }, (_, number) => {
    const first = number * spanSlots;
    const end = Math.min(slotsMax, first + spanSlots);
    return { first, end, bytes: chunk.subarray(first * slotSize, end * slotSize) };
  });
}

/** OCCUPIED, one version back: the meta word that the crc of a DELETED slot was made with. */
function wordBeforeDelete(word: number): number {
  return packMeta(STATUS_OCCUPIED, (versionOf(word) - 1) & VERSION_MAX);
}
