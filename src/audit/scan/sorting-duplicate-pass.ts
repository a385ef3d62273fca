// The DuplicatePass that sorts: the readable form, used for small shards and where WebAssembly cannot have its memory.

import { SLOT_LIVE } from "../../format/slot-scanner.ts";
import type { DuplicatePass, PassShare } from "./duplicate-pass.ts";

export class SortingDuplicatePass implements DuplicatePass {
  readonly #share: PassShare;
  /** Lower half of a fingerprint x 2^32 + slot each: sorted, the slots of a fingerprint are neighbours, ascending. */
  #pairs: BigUint64Array;
  #halves: Uint32Array;
  #count = 0;

  constructor(share: PassShare) {
    this.#share = share;
    this.#pairs = new BigUint64Array(Math.ceil(share.slotsMax / share.passes));
    this.#halves = new Uint32Array(this.#pairs.buffer);
  }

  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void {
    const { pass, passes } = this.#share;
    for (let index = 0; index < slots; index++) {
      if (((facts[index] as number) & SLOT_LIVE) === 0) continue;
      const half = Number((fingerprints[index] as bigint) & 0xffffffffn);
      if (half % passes !== pass) continue;
      if (this.#count === this.#pairs.length) this.#grow();
      // Little-endian, as all that bun runs on.
      this.#halves[2 * this.#count] = first + index;
      this.#halves[2 * this.#count + 1] = half;
      this.#count += 1;
    }
  }

  /** One pass may have more than its share of the fingerprints. */
  #grow(): void {
    const larger = new BigUint64Array(2 * this.#pairs.length + 1);
    larger.set(this.#pairs);
    this.#pairs = larger;
    this.#halves = new Uint32Array(larger.buffer);
  }

  groups(): number[][] {
    this.#pairs.subarray(0, this.#count).sort();
    const groups: number[][] = [];
    let start = 0;
    for (let end = 1; end <= this.#count; end++) {
      if (end < this.#count && this.#halves[2 * end + 1] === this.#halves[2 * start + 1]) continue;
      if (end - start > 1) groups.push(this.#slots(start, end));
      start = end;
    }
    return groups;
  }

  #slots(start: number, end: number): number[] {
    return Array.from(
      { length: end - start },
      (_, index) => this.#halves[2 * (start + index)] as number,
    );
  }
}
