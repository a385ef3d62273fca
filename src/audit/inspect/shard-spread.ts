// What a shard looks like from afar: how full each part of it is, and how its versions are spread. Fed by a scan, chunk by
// chunk; used by `inspect shard`. Promises: memory does not grow with the shard.

import { type SlotChecker } from "../scan/slot-check.ts";
import { SLOT_DAMAGED } from "../scan/slot-check.ts";

/** One part of the occupancy map. */
export interface SpreadCell {
  readonly slots: number;
  readonly occupied: number;
  readonly deleted: number;
  readonly damaged: number;
}

/** Of the slots that were ever used. `median` is exact below 65,536 and within 2 % above. */
export interface VersionSpread {
  readonly min: number;
  readonly max: number;
  readonly median: number;
  /** How many slots have a version of 0, 1, 2-3, 4-7, ...: index is the number of bits. */
  readonly byBits: readonly number[];
}

const EXACT_VERSIONS = 65_536;
const EXACT_BITS = 16;
/** Steps in which each doubling above the exact versions is divided. */
const STEPS_PER_DOUBLING = 64;
const DOUBLINGS = 14;
const VERSION_BITS = 30;

export class ShardSpread {
  readonly #slotCount: number;
  readonly #occupied: Uint32Array;
  readonly #deleted: Uint32Array;
  readonly #damaged: Uint32Array;
  readonly #versions = new Uint32Array(EXACT_VERSIONS + DOUBLINGS * STEPS_PER_DOUBLING);
  readonly #byBits = new Uint32Array(VERSION_BITS + 1);
  #used = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = -1;
  #lastUsed = -1;

  constructor(slotCount: number, cellsMax: number) {
    const cells = Math.max(1, Math.min(slotCount, cellsMax));
    this.#slotCount = slotCount;
    this.#occupied = new Uint32Array(cells);
    this.#deleted = new Uint32Array(cells);
    this.#damaged = new Uint32Array(cells);
  }

  /** Takes a checked chunk. */
  addChunk(checker: SlotChecker, first: number, slots: number): void {
    for (let index = 0; index < slots; index++) {
      const meta = checker.metaAt(index);
      const isDamaged = ((checker.facts[index] as number) & SLOT_DAMAGED) !== 0;
      const status = meta & 3;
      if (meta === 0 && !isDamaged) continue;
      const slot = first + index;
      const cell = Math.floor((slot * this.#occupied.length) / this.#slotCount);
      const counts = isDamaged ? this.#damaged : status === 1 ? this.#occupied : this.#deleted;
      if (isDamaged || status !== 0) counts[cell] = (counts[cell] as number) + 1;
      this.#lastUsed = slot;
      if (!isDamaged) this.#addVersion(meta >>> 2);
    }
  }

  #addVersion(version: number): void {
    this.#used += 1;
    if (version < this.#min) this.#min = version;
    if (version > this.#max) this.#max = version;
    const place = placeOf(version);
    this.#versions[place] = (this.#versions[place] as number) + 1;
    const bits = 32 - Math.clz32(version);
    this.#byBits[bits] = (this.#byBits[bits] as number) + 1;
  }

  /** The greatest slot that was ever used, -1 when there is none. */
  get lastUsedSlot(): number {
    return this.#lastUsed;
  }

  cells(): SpreadCell[] {
    const count = this.#occupied.length;
    return Array.from(this.#occupied, (occupied, cell) => ({
      slots: boundary(cell + 1, count, this.#slotCount) - boundary(cell, count, this.#slotCount),
      occupied,
      deleted: this.#deleted[cell] as number,
      damaged: this.#damaged[cell] as number,
    }));
  }

  /** Null when no slot was ever used. */
  versions(): VersionSpread | null {
    if (this.#used === 0) return null;
    const byBits = [...this.#byBits.subarray(0, 33 - Math.clz32(this.#max))];
    return { min: this.#min, max: this.#max, median: this.#median(), byBits };
  }

  #median(): number {
    let left = Math.ceil(this.#used / 2);
    for (let place = 0; place < this.#versions.length; place++) {
      left -= this.#versions[place] as number;
      if (left <= 0) return Math.max(this.#min, Math.min(this.#max, versionAt(place)));
    }
    return this.#max;
  }
}

/** The first slot of a cell: the least one with floor(slot x cells / slotCount) = cell. */
function boundary(cell: number, cells: number, slotCount: number): number {
  return Math.ceil((cell * slotCount) / cells);
}

function placeOf(version: number): number {
  if (version < EXACT_VERSIONS) return version;
  const doubling = 31 - Math.clz32(version) - EXACT_BITS;
  const base = 2 ** (doubling + EXACT_BITS);
  const step = Math.floor(((version - base) / base) * STEPS_PER_DOUBLING);
  return EXACT_VERSIONS + doubling * STEPS_PER_DOUBLING + step;
}

function versionAt(place: number): number {
  if (place < EXACT_VERSIONS) return place;
  const above = place - EXACT_VERSIONS;
  const base = 2 ** (Math.floor(above / STEPS_PER_DOUBLING) + EXACT_BITS);
  return Math.floor(base * (1 + ((above % STEPS_PER_DOUBLING) + 0.5) / STEPS_PER_DOUBLING));
}
