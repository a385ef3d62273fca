// Sets of slots as sorted ranges: what a plan looks at, whatever number of slots that is. Pure. Used by repair/plan/marks.ts and what
// reads them.

/** First and last slot. */
export type SlotRange = readonly [first: number, last: number];

export class SlotRanges {
  static readonly NONE = new SlotRanges([]);
  /** Sorted; none touches another. */
  readonly #ranges: readonly SlotRange[];

  private constructor(ranges: readonly SlotRange[]) {
    this.#ranges = ranges;
  }

  /** Of ranges in any order, which may overlap. */
  static of(ranges: readonly SlotRange[]): SlotRanges {
    const sorted = [...ranges].sort((left, right) => left[0] - right[0]);
    const joined: [number, number][] = [];
    for (const [first, last] of sorted) {
      const before = joined.at(-1);
      if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
      else joined.push([first, last]);
    }
    return new SlotRanges(joined);
  }

  /** All slots of these sets. */
  static union(...sets: readonly SlotRanges[]): SlotRanges {
    return SlotRanges.of(sets.flatMap((set) => set.#ranges));
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** How many slots there are. */
  get count(): number {
    return this.#ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  /** From the first slot to the last, with those between that are not in it. */
  get span(): number {
    const [from] = this.#ranges[0] ?? [0];
    return this.isEmpty ? 0 : (this.#ranges.at(-1)?.[1] ?? from) - from + 1;
  }

  has(slot: number): boolean {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as SlotRange)[1] < slot) low = middle + 1;
      else high = middle;
    }
    const found = this.#ranges[low];
    return found !== undefined && found[0] <= slot;
  }

  /** What is in both, in one walk over them. */
  within(other: SlotRanges): SlotRanges {
    const both: SlotRange[] = [];
    let [mine, theirs] = [0, 0];
    for (;;) {
      const here = this.#ranges[mine];
      const there = other.#ranges[theirs];
      if (here === undefined || there === undefined) return new SlotRanges(both);
      const first = Math.max(here[0], there[0]);
      const last = Math.min(here[1], there[1]);
      if (first <= last) both.push([first, last]);
      if (here[1] < there[1]) mine++;
      else theirs++;
    }
  }

  /** Every slot, ascending. */
  *slots(end = Number.POSITIVE_INFINITY): Generator<number> {
    for (const [first, last] of this.#ranges) {
      for (let slot = first; slot <= last && slot < end; slot++) yield slot;
    }
  }
}
