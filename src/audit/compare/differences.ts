// The slots of one shard that differ, in a few bytes each: four columns that grow. Used by every round of compare.
// Promises: at most DIFFERENCES_MAX slots of all shards together are kept; what is past that is counted, not kept.

import { assert } from "../../errors.ts";
import { DIFFERENCES_MAX } from "../../limits.ts";
import { DIFFERENCE_KINDS, type DifferenceKind, type SlotSides } from "./kinds.ts";

/** One slot that differs. */
export interface Difference extends SlotSides {
  readonly slot: number;
  readonly kind: DifferenceKind;
}

/** How many more differences may be kept, over all shards of a comparison. */
export class DifferenceBudget {
  #left: number;

  constructor(max = DIFFERENCES_MAX) {
    this.#left = max;
  }

  /** Takes one place; false when there is none left. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  giveBack(places: number): void {
    this.#left += places;
  }
}

const COLUMN_LENGTH_FIRST = 64;

export class DifferenceList {
  readonly #budget: DifferenceBudget;
  #slots = new Uint32Array(COLUMN_LENGTH_FIRST);
  #here = new Uint32Array(COLUMN_LENGTH_FIRST);
  #there = new Uint32Array(COLUMN_LENGTH_FIRST);
  #kinds = new Uint8Array(COLUMN_LENGTH_FIRST);
  #length = 0;
  #uncounted = 0;

  constructor(budget: DifferenceBudget) {
    this.#budget = budget;
  }

  /** Differences kept. */
  get length(): number {
    return this.#length;
  }

  /** Differences met when the budget was used up. */
  get notKept(): number {
    return this.#uncounted;
  }

  /** Adds a slot, past all that were added before. */
  add(difference: Difference): void {
    const last = this.#length - 1;
    assert(last < 0 || difference.slot > this.slotAt(last), "differences come in slot order");
    if (!this.#budget.take()) {
      this.#uncounted++;
      return;
    }
    if (this.#length === this.#slots.length) this.#grow();
    const at = this.#length++;
    this.#slots[at] = difference.slot;
    this.#here[at] = difference.here;
    this.#there[at] = difference.there;
    this.#kinds[at] = DIFFERENCE_KINDS.indexOf(difference.kind);
  }

  /** Differences of an earlier round that were not kept and cannot be looked at again: they stay counted. */
  carryNotKept(count: number): void {
    this.#uncounted += count;
  }

  slotAt(index: number): number {
    return this.#slots[index] as number;
  }

  at(index: number): Difference {
    return {
      slot: this.slotAt(index),
      kind: DIFFERENCE_KINDS[this.#kinds[index] as number] as DifferenceKind,
      here: this.#here[index] as number,
      there: this.#there[index] as number,
    };
  }

  *[Symbol.iterator](): Generator<Difference> {
    for (let index = 0; index < this.#length; index++) yield this.at(index);
  }

  /** Gives its places back to the budget: the next round keeps the same slots again. */
  release(): void {
    this.#budget.giveBack(this.#length);
  }

  #grow(): void {
    const length = this.#length * 2;
    this.#slots = longer(this.#slots, new Uint32Array(length));
    this.#here = longer(this.#here, new Uint32Array(length));
    this.#there = longer(this.#there, new Uint32Array(length));
    this.#kinds = longer(this.#kinds, new Uint8Array(length));
  }
}

function longer<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
