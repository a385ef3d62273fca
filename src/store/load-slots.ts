// Fills the table of slots from a shard file: every slot is read and its crc checked (format.md: What the crate
// does on open). An OCCUPIED slot with a bad crc, and one with status 3, is entered as not to be trusted.

import { viewOf } from "../bytes.ts";
import { SHARD_HEADER_BYTES } from "../format/shard-header.ts";
import {
  SLOT_CRC_OFFSET,
  type SlotLayout,
  slotCrc,
  STATUS_DELETED,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
} from "../format/slot.ts";
import type { DiskFile } from "../io/disk.ts";
import { distrusted, type SlotTable } from "./slot-table.ts";

export interface LoadedCounts {
  readonly occupied: number;
  readonly deleted: number;
  readonly free: number;
  /** Slots that are not to be trusted. */
  readonly torn: number;
}

const CHUNK_BYTES = 1024 * 1024;

/** Reads all slots of `table.slotCount`; throws DiskError where the disk cannot. */
export function loadSlots(file: DiskFile, layout: SlotLayout, table: SlotTable): LoadedCounts {
  const slotsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / layout.slotSize));
  const chunk = new Uint8Array(slotsPerChunk * layout.slotSize);
  const counts = { occupied: 0, deleted: 0, free: 0, torn: 0 };
  for (let first = 0; first < table.slotCount; first += slotsPerChunk) {
    const slots = Math.min(slotsPerChunk, table.slotCount - first);
    const bytes = chunk.subarray(0, slots * layout.slotSize);
    file.read(bytes, SHARD_HEADER_BYTES + first * layout.slotSize);
    loadChunk(bytes, first, slots, layout, table, counts);
  }
  return counts;
}

type Counts = { -readonly [Name in keyof LoadedCounts]: LoadedCounts[Name] };

function loadChunk(
  bytes: Uint8Array,
  first: number,
  slots: number,
  layout: SlotLayout,
  table: SlotTable,
  counts: Counts,
): void {
  const view = viewOf(bytes);
  for (let index = 0; index < slots; index++) {
    const offset = index * layout.slotSize;
    const word = view.getUint32(offset, true);
    if (word === 0) {
      counts.free++;
      continue;
    }
    const status = statusOf(word);
    let crc = 0;
    if (status === STATUS_OCCUPIED || status === STATUS_INVALID) {
      const slot = bytes.subarray(offset, offset + layout.slotSize);
      crc = view.getUint32(offset + SLOT_CRC_OFFSET, true);
      if (status === STATUS_INVALID || slotCrc(slot, layout) !== crc) {
        counts.torn++;
        table.setSlot(first + index, distrusted(word), 0);
        continue;
      }
      counts.occupied++;
    } else if (status === STATUS_DELETED) counts.deleted++;
    else counts.free++;
    table.setSlot(first + index, word, crc);
  }
}
