// Finds the slots of a shard that may hold one key, in a bounded amount of memory: the first half of the search for keys
// that are live twice (duplicate-search.ts has the second, which compares whole keys). Live slots come in as pairs of
// fingerprint and slot and are dealt at once into buckets by the first bits of the fingerprint; at the end each bucket, which
// fits the cache, is looked through for fingerprints that come twice. Where the pairs of all slots do not fit, each pass
// takes a part of the fingerprints and the file is read once more a pass.

import { SLOT_LIVE } from "../format/slot-scanner.ts";

/** Bytes a live slot costs: its pair, room in a block that is not full, and its cell when all keys are one. */
const BYTES_PER_SLOT = 20;
/** Passes never take more than this for less memory: a file is not read a thousand times. */
const BYTES_MIN = 64 * 1024;
/** Pairs of a bucket, about: its hash table then fits the second-level cache, and few enough places are written in turn. */
const BUCKET_PAIRS = 32 * 1024;
const BUCKET_BITS_MAX = 8;
/** Pairs of a block; a bucket is a chain of blocks. */
const BLOCK_PAIRS = 512;
/** A block: its pairs, then the number of the block before it. */
const BLOCK_WORDS = 2 * BLOCK_PAIRS + 1;
const NO_BLOCK = 0xffffffff;

/** Passes that are needed for this many slots in this much memory. */
export function passesFor(slotCount: number, bytesMax: number): number {
  return Math.max(1, Math.ceil((slotCount * BYTES_PER_SLOT) / Math.max(bytesMax, BYTES_MIN)));
}

/** One pass: takes the fingerprints of its part, gives the groups of slots that may hold one key. */
export class DuplicatePass {
  readonly #pass: number;
  readonly #passes: number;
  /** A bucket is a fingerprint shifted by this to the right. */
  readonly #bucketShift: number;
  /** Of each bucket: the word in which its next pair goes, and how many pairs it has. */
  readonly #next: Uint32Array;
  readonly #pairs: Uint32Array;
  /** All blocks. Memory that is not written to costs nothing. */
  #blocks: Uint32Array;
  #blockCount = 0;

  /** `slotsMax`: live slots that may come in all passes together. */
  constructor(pass: number, passes: number, slotsMax: number) {
    this.#pass = pass;
    this.#passes = passes;
    const pairs = slotsMax / passes;
    // One bit at least, as a shift by 32 would not shift at all.
    const wanted = Math.ceil(Math.log2(Math.max(1, pairs / BUCKET_PAIRS)));
    const bits = Math.max(1, Math.min(BUCKET_BITS_MAX, wanted));
    this.#bucketShift = 32 - bits;
    this.#next = new Uint32Array(2 ** bits).fill(NO_BLOCK);
    this.#pairs = new Uint32Array(2 ** bits);
    this.#blocks = new Uint32Array((Math.ceil(pairs / BLOCK_PAIRS) + 2 ** bits) * BLOCK_WORDS);
  }

  /** Takes the live slots of a checked chunk whose fingerprints belong to this pass. */
  addChunk(facts: Uint8Array, fingerprints: Uint32Array, first: number, slots: number): void {
    const pass = this.#pass;
    const passes = this.#passes;
    const shift = this.#bucketShift;
    const pairs = this.#pairs;
    const next = this.#next;
    for (let index = 0; index < slots; index++) {
      if (((facts[index] as number) & SLOT_LIVE) === 0) continue;
      const fingerprint = fingerprints[index] as number;
      if (passes > 1 && fingerprint % passes !== pass) continue;
      const bucket = fingerprint >>> shift;
      const count = pairs[bucket] as number;
      pairs[bucket] = count + 1;
      if (count % BLOCK_PAIRS === 0) this.#addBlock(bucket);
      const at = next[bucket] as number;
      next[bucket] = at + 2;
      this.#blocks[at] = fingerprint;
      this.#blocks[at + 1] = first + index;
    }
  }

  /** Begins a block of a bucket, which knows the one before it by its number. */
  #addBlock(bucket: number): void {
    const start = this.#blockCount * BLOCK_WORDS;
    if (start + BLOCK_WORDS > this.#blocks.length) {
      // One pass has more than its share of the fingerprints.
      const larger = new Uint32Array(2 * this.#blocks.length + BLOCK_WORDS);
      larger.set(this.#blocks);
      this.#blocks = larger;
    }
    const end = this.#next[bucket] as number;
    this.#blocks[start + 2 * BLOCK_PAIRS] = end === NO_BLOCK ? NO_BLOCK : blockOf(end);
    this.#next[bucket] = start;
    this.#blockCount += 1;
  }

  /** Groups of two or more slots with one fingerprint, each ascending. Their keys are probably, not surely, equal. */
  groups(): number[][] {
    const most = this.#pairs.reduce((left, right) => Math.max(left, right), 1);
    const pairs = new Uint32Array(2 * most);
    const table = new Uint32Array(2 ** Math.ceil(Math.log2(2 * most)));
    const groups: number[][] = [];
    for (const [bucket, count] of this.#pairs.entries()) {
      if (count < 2) continue;
      this.#gather(bucket, count, pairs);
      groupBucket(pairs, count, table, groups);
    }
    return groups;
  }

  /** Copies the pairs of a bucket, in the order in which they came, to the front of `into`. */
  #gather(bucket: number, count: number, into: Uint32Array): void {
    let left = count;
    for (let block = blockOf(this.#next[bucket] as number); block !== NO_BLOCK;) {
      const start = block * BLOCK_WORDS;
      const inBlock = left % BLOCK_PAIRS === 0 ? BLOCK_PAIRS : left % BLOCK_PAIRS;
      left -= inBlock;
      into.set(this.#blocks.subarray(start, start + 2 * inBlock), 2 * left);
      block = this.#blocks[start + 2 * BLOCK_PAIRS] as number;
    }
  }
}

/** The block whose pairs end before this word: a full block ends where the number of the one before it stands. */
function blockOf(end: number): number {
  return Math.floor((end - 1) / BLOCK_WORDS);
}

/**
 * Adds the groups of one bucket of `count` pairs. `table` is a hash table of places in the bucket, with open addressing
 * and at least twice as many cells as pairs; 0 is an empty cell.
 */
function groupBucket(
  pairs: Uint32Array,
  count: number,
  table: Uint32Array,
  groups: number[][],
): void {
  const mask = table.length - 1;
  table.fill(0);
  /** Groups by the place of their first pair. */
  let found: Map<number, number[]> | null = null;
  for (let pair = 0; pair < count; pair++) {
    const fingerprint = pairs[2 * pair] as number;
    let cell = fingerprint & mask;
    let place = table[cell] as number;
    while (place !== 0 && pairs[2 * (place - 1)] !== fingerprint) {
      cell = (cell + 1) & mask;
      place = table[cell] as number;
    }
    if (place === 0) {
      table[cell] = pair + 1;
      continue;
    }
    const slot = pairs[2 * pair + 1] as number;
    found ??= new Map();
    const group = found.get(place);
    if (group === undefined) found.set(place, [pairs[2 * (place - 1) + 1] as number, slot]);
    else group.push(slot);
  }
  if (found !== null) for (const group of found.values()) groups.push(group);
}
