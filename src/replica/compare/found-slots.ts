// The slots in which a scan found a difference, in a few bytes each: columns that grow, in slot order. Used by
// difference-recorder.ts, twice a scan: what the leader sent, and what it did not send. Bounded: what is past the bound is
// counted, not kept. Pure.

import { assert } from "../../errors.ts";
import { type DifferenceColumns, MENDED } from "./compare-types.ts";

export interface FoundSlot {
  readonly slot: number;
  readonly here: number;
  readonly there: number;
  readonly flags: number;
}

const LENGTH_FIRST = 64;

export class FoundSlots {
  readonly #max: number;
  #slots = new Uint32Array(LENGTH_FIRST);
  #here = new Uint32Array(LENGTH_FIRST);
  #there = new Uint32Array(LENGTH_FIRST);
  #flags = new Uint8Array(LENGTH_FIRST);
  #explained = new Uint8Array(LENGTH_FIRST);
  #foundAtMs = new Float64Array(LENGTH_FIRST);
  #length = 0;
  #notKept = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#length;
  }

  get notKept(): number {
    return this.#notKept;
  }

  slotAt(index: number): number {
    return this.#slots[index] as number;
  }

  thereAt(index: number): number {
    return this.#there[index] as number;
  }

  /** Adds a slot past all that were added before; false when there is no place left. */
  add({ slot, here, there, flags }: FoundSlot, nowMs: number): boolean {
    const last = this.#length - 1;
    assert(last < 0 || slot > this.slotAt(last), "found slots come in order");
    if (this.#length >= this.#max) {
      this.#notKept++;
      return false;
    }
    if (this.#length === this.#slots.length) this.#grow();
    const index = this.#length++;
    this.#slots[index] = slot;
    this.#here[index] = here;
    this.#there[index] = there;
    this.#flags[index] = flags;
    this.#explained[index] = 0;
    this.#foundAtMs[index] = nowMs;
    return true;
  }

  mend(index: number): void {
    this.#flags[index] = (this.#flags[index] as number) | MENDED;
  }

  /** The stream has brought this slot: no difference, if it was found at `sinceMs` or later. */
  explain(slot: number, sinceMs: number): void {
    const index = this.#indexOf(slot);
    if (index >= 0 && (this.#foundAtMs[index] as number) >= sinceMs) this.#explained[index] = 1;
  }

  /** What nothing has explained. */
  *unexplained(): Generator<FoundSlot> {
    for (let index = 0; index < this.#length; index++) {
      if (this.#explained[index] === 1) continue;
      yield {
        slot: this.slotAt(index),
        here: this.#here[index] as number,
        there: this.thereAt(index),
        flags: this.#flags[index] as number,
      };
    }
  }

  /** Index of a slot, -1 when it is not here: by halves. */
  #indexOf(slot: number): number {
    let low = 0;
    let high = this.#length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.slotAt(middle);
      if (found === slot) return middle;
      if (found < slot) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #grow(): void {
    const length = this.#length * 2;
    this.#slots = longer(this.#slots, new Uint32Array(length));
    this.#here = longer(this.#here, new Uint32Array(length));
    this.#there = longer(this.#there, new Uint32Array(length));
    this.#flags = longer(this.#flags, new Uint8Array(length));
    this.#explained = longer(this.#explained, new Uint8Array(length));
    this.#foundAtMs = longer(this.#foundAtMs, new Float64Array(length));
  }
}

function longer<T extends Uint32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Both lists, of which no slot is in both, as columns in slot order. */
export function mergedColumns(left: FoundSlots, right: FoundSlots): DifferenceColumns {
  const found = [...left.unexplained(), ...right.unexplained()].sort((a, b) => a.slot - b.slot);
  return {
    slots: Uint32Array.from(found, ({ slot }) => slot),
    here: Uint32Array.from(found, ({ here }) => here),
    there: Uint32Array.from(found, ({ there }) => there),
    flags: Uint8Array.from(found, ({ flags }) => flags),
  };
}
