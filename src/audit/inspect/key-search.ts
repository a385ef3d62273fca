// Finds every slot of a shard that holds a key, live or not. Used by `inspect key`. Promises: reads the whole shard once,
// a chunk at a time, and compares bytes; no index is trusted.

import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import { SLOT_KEY_OFFSET } from "../../format/slot.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { breathe } from "../scan/pacing.ts";
import { slotsPerChunk } from "../../format/slot-scanner.ts";
import { type ReadableShard, type SlotView, viewSlot } from "./slot-view.ts";

/** Slots with this key in ascending order; never-used slots are left out. `isWhole` false: stopped before the end. */
export interface KeySlots {
  readonly slots: readonly SlotView[];
  readonly isWhole: boolean;
}

/** Searches the first `slotCount` slots of a shard. */
export async function findKey(
  tools: { readonly disk: Disk; readonly clock: Clock; readonly stop: AbortSignal },
  shard: ReadableShard,
  slotCount: number,
  key: Uint8Array,
): Promise<KeySlots> {
  const { slotSize } = shard.layout;
  const inFile = Math.floor((shard.look.fileBytes - SHARD_HEADER_BYTES) / slotSize);
  const end = Math.max(0, Math.min(slotCount, inFile));
  const perChunk = slotsPerChunk(shard.layout);
  const chunk = Buffer.alloc(perChunk * slotSize);
  const slots: SlotView[] = [];
  const file = tools.disk.open(shard.look.data.path, "read");
  const reader = new OrderedReader(file, tools.clock);
  try {
    for (let first = 0; first < end; first += perChunk) {
      if (tools.stop.aborted) return { slots, isWhole: false };
      const count = Math.min(perChunk, end - first);
      const bytes = chunk.subarray(0, count * slotSize);
      const got = reader.read(bytes, slotOffset(first, slotSize));
      for (const index of slotsWithKey(chunk.subarray(0, got), slotSize, key)) {
        const bytes = new Uint8Array(chunk.subarray(index * slotSize, (index + 1) * slotSize));
        const view = viewSlot(bytes, shard, first + index);
        if (!view.isNeverUsed) slots.push(view);
      }
      await breathe();
    }
  } finally {
    file.close();
  }
  return { slots, isWhole: true };
}

/** Indexes of the slots in a chunk whose key field holds these bytes. */
function* slotsWithKey(chunk: Buffer, slotSize: number, key: Uint8Array): Generator<number> {
  let from = SLOT_KEY_OFFSET;
  for (;;) {
    const at = chunk.indexOf(key, from);
    if (at === -1) return;
    const index = Math.floor((at - SLOT_KEY_OFFSET) / slotSize);
    const place = index * slotSize + SLOT_KEY_OFFSET;
    if (at === place && (index + 1) * slotSize <= chunk.length) yield index;
    from = place + slotSize;
  }
}
