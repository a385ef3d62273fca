// The DuplicatePass that runs in the WASM kernel (src/wasm/duplicates.ts), in a memory of its own: one call a chunk, and
// one a bucket at the end. The memory is laid out here: chunk, buckets, blocks; when all have come, behind the blocks the
// hash table of a bucket and what it finds.

import { ArmdbError } from "../../errors.ts";
import { AreaPlan, growKernel, type Kernel, newKernel } from "../../format/wasm-kernel.ts";
import * as cells from "../../wasm/cells.ts";
import { type DuplicatePass, type PassShare, partsMaxOf } from "./duplicate-pass.ts";

/** Pairs of a bucket, about: it and its hash table then fit the second-level cache. */
const BUCKET_PAIRS = 8 * 1024;
/** Each bucket is written in turn, so there must be few enough. */
const BUCKET_BITS_MAX = 10;
/** Slots that the kernel is given in one call. */
const CHUNK_SLOTS = 16 * 1024;
const PAIRS_PER_BLOCK = (cells.BLOCK_BYTES - cells.BLOCK_HEADER_BYTES) / cells.PAIR_BYTES;

interface Places {
  readonly facts: number;
  readonly fingerprints: number;
  readonly buckets: number;
  readonly blocks: number;
}

/** The least room for blocks: with 2 buckets, some for each. */
const BLOCKS_MIN = 8;

export class WasmDuplicatePass implements DuplicatePass {
  readonly #kernel: Kernel;
  readonly #places: Places;
  readonly #bucketCount: number;
  readonly #share: PassShare;
  #parts: number;
  #isCut = false;
  #bytes: Uint8Array;
  #words: Uint32Array;
  #longs: BigUint64Array;

  private constructor(share: PassShare, bucketBits: number, places: Places, kernel: Kernel) {
    this.#kernel = kernel;
    this.#places = places;
    this.#bucketCount = 2 ** bucketBits;
    this.#share = share;
    this.#parts = share.parts;
    this.#bytes = new Uint8Array(kernel.memory.buffer);
    this.#words = new Uint32Array(kernel.memory.buffer);
    this.#longs = new BigUint64Array(kernel.memory.buffer);
    this.#setCell(cells.PART, share.part);
    this.#setCell(cells.PARTS, share.parts);
    this.#setCell(cells.BUCKET_SHIFT, 32 - bucketBits);
    this.#setCell(cells.FACTS_START, places.facts);
    this.#setCell(cells.FINGERPRINTS_START, places.fingerprints);
    this.#setCell(cells.BUCKETS_START, places.buckets);
    this.#setCell(cells.BLOCKS_END, places.blocks);
    this.#setCell(cells.BLOCKS_LIMIT, this.#bytes.length);
  }

  /** Null when the process cannot have the memory. */
  static create(share: PassShare): WasmDuplicatePass | null {
    const blocksMax = Math.max(BLOCKS_MIN, Math.floor(share.bytesMax / cells.BLOCK_BYTES));
    const pairs = Math.min(share.slotsMax / share.parts, blocksMax * PAIRS_PER_BLOCK);
    // One bit at least, as a shift by 32 would not shift at all.
    const wanted = Math.ceil(Math.log2(Math.max(1, pairs / BUCKET_PAIRS)));
    const bits = Math.max(1, Math.min(BUCKET_BITS_MAX, wanted));
    const plan = new AreaPlan();
    const places: Places = {
      facts: plan.area(CHUNK_SLOTS),
      fingerprints: plan.area(8 * CHUNK_SLOTS),
      buckets: plan.area(cells.BUCKET_BYTES * 2 ** bits),
      blocks: Math.ceil(plan.end / cells.BLOCK_BYTES) * cells.BLOCK_BYTES,
    };
    // Each bucket has one block that is not full. Memory that is not written to costs nothing.
    const blocks = Math.min(blocksMax, Math.ceil(share.slotsMax / PAIRS_PER_BLOCK) + 2 ** bits);
    const kernel = newKernel(places.blocks + blocks * cells.BLOCK_BYTES);
    return kernel === null ? null : new WasmDuplicatePass(share, bits, places, kernel);
  }

  get parts(): number {
    return this.#parts;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void {
    for (let start = 0; start < slots; start += CHUNK_SLOTS) {
      const end = Math.min(slots, start + CHUNK_SLOTS);
      this.#bytes.set(facts.subarray(start, end), this.#places.facts);
      this.#longs.set(fingerprints.subarray(start, end), this.#places.fingerprints / 8);
      this.#deal(first + start, end - start);
    }
  }

  #deal(first: number, slots: number): void {
    let dealt = 0;
    while (!this.#isCut) {
      dealt = this.#kernel.deal(dealt, slots, first);
      if (dealt === slots) return;
      this.#takeLess();
    }
  }

  /** The memory is full: half of what is kept goes. */
  #takeLess(): void {
    this.#isCut = this.#parts >= partsMaxOf(this.#share);
    if (this.#isCut) return;
    this.#parts *= 2;
    this.#setCell(cells.PARTS, this.#parts);
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) this.#kernel.thin(bucket);
  }

  *groups(): Generator<readonly number[]> {
    let pairsMost = 0;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++)
      pairsMost = Math.max(pairsMost, this.#pairsOf(bucket));
    if (pairsMost < 2) return;
    const hash = this.#cell(cells.BLOCKS_END);
    const hashBytes = 4 * 2 ** Math.ceil(Math.log2(2 * pairsMost));
    this.#makeRoom(hash + hashBytes + cells.DOUBLE_BYTES * pairsMost);
    this.#setCell(cells.HASH_START, hash);
    this.#setCell(cells.HASH_MASK, hashBytes - 4);
    this.#setCell(cells.DOUBLES_START, hash + hashBytes);
    for (let bucket = 0; bucket < this.#bucketCount; bucket++)
      yield* this.#groupsOf(bucket, hash + hashBytes);
  }

  #pairsOf(bucket: number): number {
    return this.#cell(this.#places.buckets + cells.BUCKET_BYTES * bucket + 4);
  }

  *#groupsOf(bucket: number, doubles: number): Generator<readonly number[]> {
    const end = doubles + cells.DOUBLE_BYTES * this.#kernel.findDoubles(bucket);
    /** By the slot that the kernel met first, which is not always the least. */
    const groups = new Map<number, number[]>();
    for (let double = doubles; double < end; double += cells.DOUBLE_BYTES) {
      const met = this.#cell(double);
      const slot = this.#cell(double + 4);
      const group = groups.get(met);
      if (group === undefined) groups.set(met, [met, slot]);
      else group.push(slot);
    }
    for (const slots of groups.values()) yield slots.sort((left, right) => left - right);
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    if (!growKernel(this.#kernel, bytes)) {
      const hint = "free memory, or raise ulimit -v and MemoryMax=";
      const what = `Cannot look for keys that are live twice: ${bytes} bytes of memory cannot be had`;
      throw new ArmdbError("unexpected", what, { hint });
    }
    this.#bytes = new Uint8Array(this.#kernel.memory.buffer);
    this.#words = new Uint32Array(this.#kernel.memory.buffer);
    this.#longs = new BigUint64Array(this.#kernel.memory.buffer);
  }

  #cell(address: number): number {
    return this.#words[address / 4] as number;
  }

  #setCell(address: number, value: number): void {
    this.#words[address / 4] = value;
  }
}
