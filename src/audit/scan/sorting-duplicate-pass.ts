// The DuplicatePass that sorts: the readable form, used for small shards and where WebAssembly cannot have its memory.

import { SLOT_LIVE } from "../../format/slot-scanner.ts";
import { type DuplicatePass, PAIR_BYTES, type PassShare, partsMaxOf } from "./duplicate-pass.ts";

/** Pairs before the memory grows for the first time. */
const PAIRS_FIRST = 1024;

export class SortingDuplicatePass implements DuplicatePass {
  readonly #share: PassShare;
  readonly #pairsMax: number;
  /** Lower half of a fingerprint x 2^32 + slot each: sorted, the slots of a fingerprint are neighbours, ascending. */
  #pairs = new BigUint64Array(PAIRS_FIRST);
  #halves = new Uint32Array(this.#pairs.buffer);
  #count = 0;
  #parts: number;
  #isCut = false;

  constructor(share: PassShare) {
    this.#share = share;
    this.#parts = share.parts;
    this.#pairsMax = Math.max(PAIRS_FIRST, Math.floor(share.bytesMax / PAIR_BYTES));
  }

  get parts(): number {
    return this.#parts;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void {
    for (let index = 0; index < slots; index++) {
      if (((facts[index] as number) & SLOT_LIVE) === 0) continue;
      const half = Number((fingerprints[index] as bigint) & 0xffffffffn);
      if (!this.#isOurs(half) || !this.#hasRoom() || !this.#isOurs(half)) continue;
      // Little-endian, as all that bun runs on.
      this.#halves[2 * this.#count] = first + index;
      this.#halves[2 * this.#count + 1] = half;
      this.#count += 1;
    }
  }

  #isOurs(half: number): boolean {
    return (half & (this.#parts - 1)) === this.#share.part;
  }

  #hasRoom(): boolean {
    if (this.#count < this.#pairs.length) return true;
    if (this.#pairs.length < this.#pairsMax) this.#grow();
    while (this.#count === this.#pairs.length) {
      this.#isCut ||= this.#parts >= partsMaxOf(this.#share);
      if (this.#isCut) return false;
      this.#parts *= 2;
      this.#thin();
    }
    return true;
  }

  #grow(): void {
    const larger = new BigUint64Array(Math.min(this.#pairsMax, 2 * this.#pairs.length));
    larger.set(this.#pairs);
    this.#pairs = larger;
    this.#halves = new Uint32Array(larger.buffer);
  }

  #thin(): void {
    let kept = 0;
    for (let pair = 0; pair < this.#count; pair++) {
      if (!this.#isOurs(this.#halves[2 * pair + 1] as number)) continue;
      this.#pairs[kept++] = this.#pairs[pair] as bigint;
    }
    this.#count = kept;
  }

  *groups(): Generator<readonly number[]> {
    this.#pairs.subarray(0, this.#count).sort();
    let start = 0;
    for (let end = 1; end <= this.#count; end++) {
      if (end < this.#count && this.#halves[2 * end + 1] === this.#halves[2 * start + 1]) continue;
      if (end - start > 1) yield this.#slots(start, end);
      start = end;
    }
  }

  #slots(start: number, end: number): number[] {
    return Array.from(
      { length: end - start },
      (_, index) => this.#halves[2 * (start + index)] as number,
    );
  }
}
