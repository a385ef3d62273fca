// Slots that differ, a few bytes each: columns that grow, in slot order. Bounded: what is past the bound is counted, not kept. Used by
// scan-judge.ts and by compare/recorded-scan.ts, which give `flag` its meaning. Pure.

import { DIFFERENCES_MAX } from "../../limits.ts";

const LENGTH_FIRST = 64;
/** Beside a flag: no difference after all. */
const STRUCK = 0x80;

export class SlotColumns {
  readonly #max: number;
  #slots = new Uint32Array(LENGTH_FIRST);
  #here = new Uint32Array(LENGTH_FIRST);
  #there = new Uint32Array(LENGTH_FIRST);
  #flags = new Uint8Array(LENGTH_FIRST);
  #foundAtMs = new Float64Array(LENGTH_FIRST);
  #length = 0;
  #left = 0;
  /** Slots past the bound. */
  notKept = 0;

  constructor(max: number = DIFFERENCES_MAX) {
    this.#max = max;
  }

  /** The slots of lists that have none in common, without those that were struck. */
  static merged(...lists: readonly SlotColumns[]): SlotColumns {
    const merged = new SlotColumns(Number.POSITIVE_INFINITY);
    const at = lists.map(() => 0);
    for (;;) {
      let least = -1;
      let slot = Number.POSITIVE_INFINITY;
      for (const [index, list] of lists.entries()) {
        const next = list.#slots[at[index] as number] as number;
        if ((at[index] as number) >= list.#length || next >= slot) continue;
        [least, slot] = [index, next];
      }
      const list = lists[least];
      if (list === undefined) return merged;
      const index = at[least] as number;
      at[least] = index + 1;
      if (!list.isStruck(index)) merged.addFrom(list, index);
    }
  }

  /** Slots that are kept, those that were struck too. */
  get length(): number {
    return this.#length;
  }

  /** Slots that are kept and were not struck. */
  get left(): number {
    return this.#left;
  }

  slot(index: number): number {
    return this.#slots[index] as number;
  }

  here(index: number): number {
    return this.#here[index] as number;
  }

  there(index: number): number {
    return this.#there[index] as number;
  }

  flag(index: number): number {
    return (this.#flags[index] as number) & ~STRUCK;
  }

  /** When the slot was added, monotonic; 0 where nobody asks. */
  foundAtMs(index: number): number {
    return this.#foundAtMs[index] as number;
  }

  /** Adds a slot past all that were added before. */
  add(slot: number, here: number, there: number, flag: number, atMs = 0): void {
    if (this.#length >= this.#max) {
      this.notKept++;
      return;
    }
    if (this.#length === this.#slots.length) this.#grow();
    const index = this.#length++;
    this.#left++;
    this.#slots[index] = slot;
    this.#here[index] = here;
    this.#there[index] = there;
    this.#flags[index] = flag;
    this.#foundAtMs[index] = atMs;
  }

  addFrom(list: SlotColumns, index: number): void {
    this.add(list.slot(index), list.here(index), list.there(index), list.flag(index));
  }

  isStruck(index: number): boolean {
    return ((this.#flags[index] as number) & STRUCK) !== 0;
  }

  /** It is no difference after all. */
  strike(index: number): void {
    if (this.isStruck(index)) return;
    this.#flags[index] = this.flag(index) | STRUCK;
    this.#left--;
  }

  /** Index of a slot, -1 when it is not here: by halves. */
  indexOf(slot: number): number {
    let low = 0;
    let high = this.#length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.slot(middle);
      if (found === slot) return middle;
      if (found < slot) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** All of a merged list, as it crosses threads. */
  columns(): Record<"slots" | "here" | "there", Uint32Array> & { readonly flags: Uint8Array } {
    const length = this.#length;
    return {
      slots: this.#slots.slice(0, length),
      here: this.#here.slice(0, length),
      there: this.#there.slice(0, length),
      flags: this.#flags.slice(0, length),
    };
  }

  #grow(): void {
    const length = this.#length * 2;
    this.#slots = longer(this.#slots, new Uint32Array(length));
    this.#here = longer(this.#here, new Uint32Array(length));
    this.#there = longer(this.#there, new Uint32Array(length));
    this.#flags = longer(this.#flags, new Uint8Array(length));
    this.#foundAtMs = longer(this.#foundAtMs, new Float64Array(length));
  }
}

function longer<T extends Uint32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
