// The blocks of a shard, and who scans which: the thread that a shard was given to takes them from the first on, threads that
// have none left help from the last on. So a scan ends when all threads do, and one large shard has them all. Each permit
// and each place is one atomic count, nobody waits.

import { slotOffset } from "../../format/shard-header.ts";
import { slotsPerChunk } from "../../format/slot-scanner.ts";
import {
  CELL_BLOCKS_COLLECTED,
  CELL_BLOCKS_HELPED,
  CELL_BLOCKS_TAKEN,
  type ScanTask,
  type SlotRange,
} from "./data.ts";

/** About 16 MiB, a few ms: threads end within so much of each other. */
const BLOCK_CHUNKS = 32;
/** So many slots helpers may be ahead of a scan that takes its time, 9 bytes each. */
const AHEAD_SLOTS_MAX = 4 * 1024 * 1024;

/** Slots that a scan can read: what the header counts, and no more than the file has. */
export function readableSlots({ slotCount, layout, fileBytes }: ScanTask): number {
  const whole = Math.floor((fileBytes - slotOffset(0, layout.slotSize)) / layout.slotSize);
  return Math.max(0, Math.min(slotCount, whole));
}

/** Gives out the blocks of one shard, each once. `cells` are shared by all threads that scan it (scan/data.ts). */
export class BlockClaims {
  readonly count: number;
  /** But for the last one. */
  readonly slotsPerBlock: number;
  readonly #cells: Int32Array;
  readonly #end: number;
  #ownNext = 0;

  /** All that share `cells` must have the same `slotsPerBlock`. */
  constructor(
    task: ScanTask,
    cells: Int32Array,
    slotsPerBlock = BLOCK_CHUNKS * slotsPerChunk(task.layout),
  ) {
    this.#cells = cells;
    this.#end = readableSlots(task);
    this.slotsPerBlock = slotsPerBlock;
    this.count = Math.ceil(this.#end / slotsPerBlock);
  }

  /** Blocks that nobody has taken. */
  get left(): number {
    return Math.max(0, this.count - Atomics.load(this.#cells, CELL_BLOCKS_TAKEN));
  }

  /** True while helpers have to wait: the owner has not got the blocks yet that they are done with. */
  get isBehind(): boolean {
    const ahead =
      Atomics.load(this.#cells, CELL_BLOCKS_HELPED) -
      Atomics.load(this.#cells, CELL_BLOCKS_COLLECTED);
    return ahead >= Math.max(1, Math.floor(AHEAD_SLOTS_MAX / this.slotsPerBlock));
  }

  /** Notes a block that the owner has got from a helper. */
  noteCollected(): void {
    Atomics.add(this.#cells, CELL_BLOCKS_COLLECTED, 1);
  }

  /** The first block that is left, for the owner only; null when none is. */
  takeFirst(): number | null {
    return this.#permit() ? this.#ownNext++ : null;
  }

  /** The last block that is left, for helpers; null when none is, or the owner is behind. */
  takeLast(): number | null {
    if (this.isBehind || !this.#permit()) return null;
    return this.count - 1 - Atomics.add(this.#cells, CELL_BLOCKS_HELPED, 1);
  }

  rangeOf(block: number): SlotRange {
    const first = block * this.slotsPerBlock;
    return { first, slots: Math.min(this.slotsPerBlock, this.#end - first) };
  }

  /** There are never more permits than blocks, so those from the two ends do not meet. */
  #permit(): boolean {
    return this.left > 0 && Atomics.add(this.#cells, CELL_BLOCKS_TAKEN, 1) < this.count;
  }
}
