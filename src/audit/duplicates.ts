// Finds the slots of a shard that may hold one key, in a bounded amount of memory: the first half of the search for keys
// that are live twice (duplicate-search.ts has the second, which compares whole keys). Live slots come in as pairs of
// fingerprint and slot, written one after another; at the end they are dealt into buckets that fit the cache, and in each a
// bit table shows which fingerprints come twice. Where the pairs of all slots do not fit, each pass takes a part of the
// fingerprints and the file is read once more a pass.

import { SLOT_LIVE } from "../format/slot-scanner.ts";

/** Bytes a live slot costs: a pair as it comes and once more in its bucket, and what the candidates need. */
const BYTES_PER_SLOT = 20;
/** Passes never take more than this for less memory: a file is not read a thousand times. */
const BYTES_MIN = 64 * 1024;
const BLOCK_PAIRS = 64 * 1024;
/** Pairs of a bucket, about. */
const BUCKET_PAIRS = 4096;
const BUCKET_BITS_MAX = 12;
const TABLE_BITS_PER_PAIR = 16;

/** Passes that are needed for this many slots in this much memory. */
export function passesFor(slotCount: number, bytesMax: number): number {
  return Math.max(1, Math.ceil((slotCount * BYTES_PER_SLOT) / Math.max(bytesMax, BYTES_MIN)));
}

/** One pass: takes the fingerprints of its part, gives the groups of slots that may hold one key. */
export class DuplicatePass {
  readonly #pass: number;
  readonly #passes: number;
  /** Pairs of fingerprint and slot, block after block. */
  readonly #blocks: Uint32Array[] = [];
  #inLast = BLOCK_PAIRS;

  constructor(pass: number, passes: number) {
    this.#pass = pass;
    this.#passes = passes;
  }

  /** Takes the live slots of a checked chunk whose fingerprints belong to this pass. */
  addChunk(facts: Uint8Array, fingerprints: Uint32Array, first: number, slots: number): void {
    const pass = this.#pass;
    const passes = this.#passes;
    let block = this.#blocks[this.#blocks.length - 1] as Uint32Array;
    let at = this.#inLast;
    for (let index = 0; index < slots; index++) {
      if (((facts[index] as number) & SLOT_LIVE) === 0) continue;
      const fingerprint = fingerprints[index] as number;
      if (passes > 1 && fingerprint % passes !== pass) continue;
      if (at === BLOCK_PAIRS) {
        block = new Uint32Array(2 * BLOCK_PAIRS);
        this.#blocks.push(block);
        at = 0;
      }
      block[2 * at] = fingerprint;
      block[2 * at + 1] = first + index;
      at += 1;
    }
    this.#inLast = at;
  }

  /** Groups of two or more slots with one fingerprint, each ascending. Their keys are probably, not surely, equal. */
  groups(): number[][] {
    const pairs = this.#pairsInAll();
    if (pairs === 0) return [];
    const bits = Math.min(BUCKET_BITS_MAX, Math.max(0, Math.ceil(Math.log2(pairs / BUCKET_PAIRS))));
    const [dealt, starts] = this.#deal(pairs, bits);
    const groups: number[][] = [];
    for (let bucket = 0; bucket + 1 < starts.length; bucket++) {
      groupBucket(dealt, starts[bucket] as number, starts[bucket + 1] as number, groups);
    }
    return groups;
  }

  #pairsInAll(): number {
    return this.#blocks.length === 0 ? 0 : (this.#blocks.length - 1) * BLOCK_PAIRS + this.#inLast;
  }

  /** The pairs ordered by the first bits of their fingerprint, and where each bucket starts. */
  #deal(pairs: number, bits: number): [dealt: Uint32Array, starts: Uint32Array] {
    const starts = new Uint32Array(2 ** bits + 1);
    this.#eachBlock((block, count) => {
      for (let pair = 0; pair < count; pair++) {
        const bucket = bucketOf(block[2 * pair] as number, bits);
        starts[bucket + 1] = (starts[bucket + 1] as number) + 1;
      }
    });
    for (let bucket = 1; bucket < starts.length; bucket++) {
      starts[bucket] = (starts[bucket] as number) + (starts[bucket - 1] as number);
    }
    const ends = starts.slice();
    const dealt = new Uint32Array(2 * pairs);
    this.#eachBlock((block, count) => {
      for (let pair = 0; pair < count; pair++) {
        const fingerprint = block[2 * pair] as number;
        const bucket = bucketOf(fingerprint, bits);
        const place = ends[bucket] as number;
        ends[bucket] = place + 1;
        dealt[2 * place] = fingerprint;
        dealt[2 * place + 1] = block[2 * pair + 1] as number;
      }
    });
    return [dealt, starts];
  }

  #eachBlock(visit: (block: Uint32Array, count: number) => void): void {
    for (const [index, block] of this.#blocks.entries()) {
      visit(block, index === this.#blocks.length - 1 ? this.#inLast : BLOCK_PAIRS);
    }
  }
}

/** Shifting by 32 would not shift at all. */
function bucketOf(fingerprint: number, bits: number): number {
  return bits === 0 ? 0 : fingerprint >>> (32 - bits);
}

/** Adds the groups of one bucket: pairs `start` to `end` of `dealt`. */
function groupBucket(dealt: Uint32Array, start: number, end: number, groups: number[][]): void {
  if (end - start < 2) return;
  const tableBits = 2 ** Math.ceil(Math.log2((end - start) * TABLE_BITS_PER_PAIR));
  const mask = Math.min(tableBits, 2 ** 31) - 1;
  const seenOnce = new Uint32Array((mask + 1) / 32);
  const seenTwice = new Uint32Array((mask + 1) / 32);
  let hasTwice = false;
  for (let pair = start; pair < end; pair++) {
    const bit = (dealt[2 * pair] as number) & mask;
    const flag = 1 << (bit & 31);
    const seen = seenOnce[bit >>> 5] as number;
    if ((seen & flag) === 0) {
      seenOnce[bit >>> 5] = seen | flag;
    } else {
      seenTwice[bit >>> 5] = (seenTwice[bit >>> 5] as number) | flag;
      hasTwice = true;
    }
  }
  if (!hasTwice) return;
  // The few whose bit was seen twice, by fingerprint: most of them are alone there.
  const byFingerprint = new Map<number, number[]>();
  for (let pair = start; pair < end; pair++) {
    const fingerprint = dealt[2 * pair] as number;
    const bit = fingerprint & mask;
    if (((seenTwice[bit >>> 5] as number) & (1 << (bit & 31))) === 0) continue;
    const slots = byFingerprint.get(fingerprint);
    if (slots === undefined) byFingerprint.set(fingerprint, [dealt[2 * pair + 1] as number]);
    else slots.push(dealt[2 * pair + 1] as number);
  }
  for (const slots of byFingerprint.values()) if (slots.length > 1) groups.push(slots);
}
