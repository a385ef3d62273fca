// Finds keys that are live in two slots of one shard: exactly, in a bounded amount of memory (issue: verify). Used by
// scan.ts. Live slots come in as (fingerprint, slot). A bit table sees which fingerprints may come twice; only those
// few slots are then read again and their keys compared. Where all fingerprints do not fit, each pass takes a part of
// them and the file is read once more a pass.

/** Bytes a live slot costs at most: 8 for the pair, two tables of up to 32 bits, and what the candidates need. */
const BYTES_PER_SLOT = 18;
const TABLE_BITS_PER_SLOT = 16;
const BLOCK_PAIRS = 64 * 1024;

/** Passes that are needed for this many slots in this much memory. */
export function passesFor(slotCount: number, bytesMax: number): number {
  return Math.max(1, Math.ceil((slotCount * BYTES_PER_SLOT) / Math.max(bytesMax, 64 * 1024)));
}

/** One pass: takes the fingerprints of its part, gives the groups of slots that may hold one key. */
export class DuplicatePass {
  readonly #pass: number;
  readonly #passes: number;
  readonly #mask: number;
  readonly #seenOnce: Uint32Array;
  readonly #seenTwice: Uint32Array;
  /** Pairs of fingerprint and slot, block after block. */
  readonly #blocks: Uint32Array[] = [];
  #inLast = BLOCK_PAIRS;

  constructor(pass: number, passes: number, slotCount: number) {
    this.#pass = pass;
    this.#passes = passes;
    const wanted = Math.max(1024, Math.ceil(slotCount / passes) * TABLE_BITS_PER_SLOT);
    const bits = 2 ** Math.min(32, Math.ceil(Math.log2(wanted)));
    this.#mask = bits - 1;
    this.#seenOnce = new Uint32Array(bits / 32);
    this.#seenTwice = new Uint32Array(bits / 32);
  }

  /** Takes a live slot, if its fingerprint belongs to this pass. */
  add(fingerprint: number, slot: number): void {
    if (this.#passes > 1 && fingerprint % this.#passes !== this.#pass) return;
    const bit = this.#bitOf(fingerprint);
    const word = bit >>> 5;
    const flag = 1 << (bit & 31);
    if (((this.#seenOnce[word] as number) & flag) === 0)
      this.#seenOnce[word] = (this.#seenOnce[word] as number) | flag;
    else this.#seenTwice[word] = (this.#seenTwice[word] as number) | flag;
    if (this.#inLast === BLOCK_PAIRS) {
      this.#blocks.push(new Uint32Array(2 * BLOCK_PAIRS));
      this.#inLast = 0;
    }
    const block = this.#blocks[this.#blocks.length - 1] as Uint32Array;
    block[2 * this.#inLast] = fingerprint;
    block[2 * this.#inLast + 1] = slot;
    this.#inLast += 1;
  }

  /** Groups of two or more slots with one fingerprint, each ascending. Their keys are probably, not surely, equal. */
  groups(): number[][] {
    const [fingerprints, slots] = this.#candidates();
    const order = new Uint32Array(fingerprints.length).map((_, index) => index);
    order.sort((left, right) => {
      const difference = (fingerprints[left] as number) - (fingerprints[right] as number);
      return difference !== 0 ? difference : (slots[left] as number) - (slots[right] as number);
    });
    const groups: number[][] = [];
    for (let start = 0; start < order.length;) {
      const fingerprint = fingerprints[order[start] as number];
      let end = start + 1;
      while (end < order.length && fingerprints[order[end] as number] === fingerprint) end += 1;
      if (end - start > 1) {
        groups.push(Array.from(order.subarray(start, end), (index) => slots[index] as number));
      }
      start = end;
    }
    return groups;
  }

  #candidates(): [fingerprints: Uint32Array, slots: Uint32Array] {
    const fingerprints: number[] = [];
    const slots: number[] = [];
    for (const [index, block] of this.#blocks.entries()) {
      const pairs = index === this.#blocks.length - 1 ? this.#inLast : BLOCK_PAIRS;
      for (let pair = 0; pair < pairs; pair++) {
        const fingerprint = block[2 * pair] as number;
        const bit = this.#bitOf(fingerprint);
        if (((this.#seenTwice[bit >>> 5] as number) & (1 << (bit & 31))) === 0) continue;
        fingerprints.push(fingerprint);
        slots.push(block[2 * pair + 1] as number);
      }
    }
    return [new Uint32Array(fingerprints), new Uint32Array(slots)];
  }

  /** The low bits of a fingerprint choose the pass; the rest is mixed in again, so that they do not thin out the table. */
  #bitOf(fingerprint: number): number {
    if (this.#passes === 1) return (fingerprint & this.#mask) >>> 0;
    return (Math.imul(fingerprint ^ (fingerprint >>> 15), 0x2c1b3c6d) & this.#mask) >>> 0;
  }
}
