// Fills the table of slots from a shard file: every slot is read and its crc checked (format.md: What the crate
// does on open). An OCCUPIED slot with a bad crc, and one with status 3, is entered as not to be trusted. And holds the file
// against the table later on.

import { createSlotScanner } from "../format/create-slot-scanner.ts";
import { slotOffset } from "../format/shard-header.ts";
import { type SlotLayout, STATUS_INVALID, STATUS_OCCUPIED, statusOf } from "../format/slot.ts";
import {
  type ChunkSummary,
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
  const counts = { occupied: 0, deleted: 0, free: 0, torn: 0 };
  const step = layout.slotSize / 4;
  const chunkAt = chunkReader(file, layout, table);
  for (let first = 0, slots = 0; first < table.slotCount; first += slots) {
    if (attention.isStopped(clock.nowMs())) return null;
    const unwritten = slotsInHole(file, layout.slotSize, first, table.slotCount);
    counts.free += unwritten;
    first += unwritten;
    if (first === table.slotCount) break;
    const { scanner, summary, ...chunk } = chunkAt(first);
    slots = chunk.slots;
    counts.occupied += summary.occupied;
    counts.deleted += summary.deleted;
    counts.free += summary.free;
    counts.torn += summary.damaged;
    // A table begins with never-used slots: a chunk of nothing else is entered already.
    if (summary.versionMax < 0 && summary.damaged === 0) continue;
    const { words, facts } = scanner;
    for (let index = 0, at = 0; index < slots; index++, at += step) {
      const word = words[at] as number;
      if (word === 0) continue;
      const known = facts[index] as number;
      table.setSlot(first + index, worth(word, known), crcOf(words[at + 1] as number, known));
    }
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

/**
 * Holds the file against the table, a chunk a step. A slot whose bytes are not what the table says is no longer trusted from then on,
 * so that a scan writes it anew, and told with the word that its bytes are worth. Throws DiskError.
 */
export function* checkSlots(
  file: DiskFile,
  layout: SlotLayout,
  table: SlotTable,
  spoilt: (slot: number, word: number) => void,
): Generator<void> {
  const step = layout.slotSize / 4;
  const chunkAt = chunkReader(file, layout, table);
  for (let first = 0, slots = 0; first < table.slotCount; first += slots) {
    const { scanner, ...chunk } = chunkAt(first);
    slots = chunk.slots;
    const { words, facts } = scanner;
    for (let index = 0, at = 0; index < slots; index++, at += step) {
      const slot = first + index;
      const held = table.word(slot);
      const known = facts[index] as number;
      const word = worth(words[at] as number, known);
      const isSame =
        word === held &&
        (statusOf(held) !== STATUS_OCCUPIED ||
          crcOf(words[at + 1] as number, known) === table.crc(slot));
      if (isSame || statusOf(held) === STATUS_INVALID) continue;
      spoilt(slot, word);
      table.setSlot(slot, distrusted(held), 0);
    }
    yield;
  }
}

interface Chunk {
  readonly scanner: SlotScanner;
  readonly slots: number;
  readonly summary: ChunkSummary;
}

/** Reads the slots of a file from one on, as many as the scanner takes; each chunk holds until the next. */
function chunkReader(
  file: DiskFile,
  layout: SlotLayout,
  table: SlotTable,
): (first: number) => Chunk {
  const scanner = createSlotScanner(layout, null);
  const reader = new OrderedReader(file, null);
  return (first) => {
    const slots = Math.min(scanner.slotsMax, table.slotCount - first);
    const bytes = scanner.chunk.subarray(0, slots * layout.slotSize);
    reader.read(bytes, slotOffset(first, layout.slotSize));
    return { scanner, slots, summary: scanner.scan(slots) };
  };
}

/** A slot's meta word as the table is to have it: distrusted where the slot's bytes are not sound. */
function worth(word: number, facts: number): number {
  return (facts & (SLOT_BAD_CRC | SLOT_BAD_STATUS)) === 0 ? word : distrusted(word);
}

/** The crc of an OCCUPIED slot that is sound, else 0. */
function crcOf(crc: number, facts: number): number {
  return (facts & SLOT_LIVE) === 0 ? 0 : crc;
}
