// Fills the table of slots from a shard file: every slot is read and its crc checked (format.md: What the crate
// does on open). An OCCUPIED slot with a bad crc, and one with status 3, is entered as not to be trusted.

import { createSlotScanner } from "../format/create-slot-scanner.ts";
import { slotOffset } from "../format/shard-header.ts";
import type { SlotLayout } from "../format/slot.ts";
import {
  SLOT_BAD_CRC,
  SLOT_BAD_STATUS,
  SLOT_LIVE,
  type SlotScanner,
} from "../format/slot-scanner.ts";
import type { DiskFile } from "../io/disk.ts";
import { OrderedReader } from "../io/ordered-reader.ts";
import type { ShardStoreOptions } from "./open-shard.ts";
import { distrusted, type SlotTable } from "./slot-table.ts";

export interface LoadedCounts {
  readonly occupied: number;
  readonly deleted: number;
  readonly free: number;
  /** Slots that are not to be trusted. */
  readonly torn: number;
}

/** The shard was to stop while its slots were loaded: nothing of it was changed. */
export class LoadStopped extends Error {
  /** Closed clean by whoever had it before. */
  readonly isClean: boolean;

  constructor(isClean: boolean) {
    super("the shard was to stop while its slots were loaded");
    this.name = "LoadStopped";
    this.isClean = isClean;
  }
}

/**
 * Enters all slots of `table.slotCount`; those of holes are never used, and not read. Null: it was to stop before the end. Throws
 * DiskError where the disk cannot.
 */
export function loadSlots(
  file: DiskFile,
  table: SlotTable,
  { layout, attention, clock }: Pick<ShardStoreOptions, "layout" | "attention" | "clock">,
): LoadedCounts | null {
  const scanner = createSlotScanner(layout, null);
  const reader = new OrderedReader(file, null);
  const counts = { occupied: 0, deleted: 0, free: 0, torn: 0 };
  let first = 0;
  while (first < table.slotCount) {
    if (attention.isStopped(clock.nowMs())) return null;
    const unwritten = slotsInHole(file, layout.slotSize, first, table.slotCount);
    counts.free += unwritten;
    first += unwritten;
    const slots = Math.min(scanner.slotsMax, table.slotCount - first);
    if (slots === 0) break;
    const bytes = scanner.chunk.subarray(0, slots * layout.slotSize);
    reader.read(bytes, slotOffset(first, layout.slotSize));
    const summary = scanner.scan(slots);
    counts.occupied += summary.occupied;
    counts.deleted += summary.deleted;
    counts.free += summary.free;
    counts.torn += summary.damaged;
    // A table begins with never-used slots: a chunk of nothing else is entered already.
    if (summary.versionMax >= 0 || summary.damaged > 0) enter(scanner, first, slots, table);
    first += slots;
  }
  return counts;
}

/** So many slots from `first` on lie wholly in a hole. */
function slotsInHole(file: DiskFile, slotSize: number, first: number, end: number): number {
  const offset = slotOffset(first, slotSize);
  const data = file.nextData(offset);
  return data === null
    ? end - first
    : Math.min(end - first, Math.floor((data - offset) / slotSize));
}

function enter(scanner: SlotScanner, first: number, slots: number, table: SlotTable): void {
  const wordsPerSlot = scanner.layout.slotSize / 4;
  for (let index = 0; index < slots; index++) {
    const word = scanner.words[index * wordsPerSlot] as number;
    if (word === 0) continue;
    const facts = scanner.facts[index] as number;
    if ((facts & (SLOT_BAD_CRC | SLOT_BAD_STATUS)) !== 0) {
      table.setSlot(first + index, distrusted(word), 0);
    } else {
      const crc =
        (facts & SLOT_LIVE) === 0 ? 0 : (scanner.words[index * wordsPerSlot + 1] as number);
      table.setSlot(first + index, word, crc);
    }
  }
}
