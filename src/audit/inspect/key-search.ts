// Finds every slot of a shard that holds a key, live or not. Used by `inspect key`. Promises: reads the whole shard once,
// a chunk at a time, and compares bytes; no index is trusted.

import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import { SLOT_KEY_OFFSET } from "../../format/slot.ts";
import type { Clock } from "../../io/clock.ts";
import { type Disk, DiskError } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { Stopped } from "../stopped.ts";
import { taskFor } from "../task.ts";
import { type ReadableShard, type SlotView, viewSlot } from "./slot-view.ts";

/** Slots with this key in ascending order; never-used slots are left out. `isWhole` false: stopped before the end. */
export interface KeySlots {
  readonly slots: readonly SlotView[];
  readonly isWhole: boolean;
}

export interface SearchTools {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
}

/** Searches the first `slotCount` slots of a shard. Throws DiskError for what cannot be read. */
export async function findKey(
  tools: SearchTools,
  shard: ReadableShard,
  slotCount: number,
  key: Uint8Array,
): Promise<KeySlots> {
  const { slotSize } = shard.layout;
  const end = slotOffset(slotsHeld(shard, slotCount), slotSize);
  const task = taskFor(tools.clock, tools.stop, tools.bytesPerSecond);
  const part = task.part({
    name: "search",
    shard: shard.look.shard,
    unitBytes: slotSize,
    totalBytes: end - SHARD_HEADER_BYTES,
  });
  const slots: SlotView[] = [];
  const file = tools.disk.open(shard.look.data.path, "read");
  try {
    const reader = new OrderedReader(file, tools.clock);
    for await (const chunk of task.chunks(part, reader, SHARD_HEADER_BYTES, end)) {
      if (chunk.kind === "unreadable") throw new DiskError("read", file.path, chunk.reason);
      const bytes = Buffer.from(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.length);
      const first = (chunk.offset - SHARD_HEADER_BYTES) / slotSize;
      for (const index of slotsWithKey(bytes, slotSize, key)) {
        const image = new Uint8Array(bytes.subarray(index * slotSize, (index + 1) * slotSize));
        const view = viewSlot(image, shard, first + index);
        if (!view.isNeverUsed) slots.push(view);
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof Stopped)) throw thrown;
    return { slots, isWhole: false };
  } finally {
    file.close();
  }
  return { slots, isWhole: true };
}

/** Of `slotCount` slots those that the file has. */
function slotsHeld({ look, layout }: ReadableShard, slotCount: number): number {
  const inFile = Math.floor((look.fileBytes - SHARD_HEADER_BYTES) / layout.slotSize);
  return Math.max(0, Math.min(slotCount, inFile));
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
