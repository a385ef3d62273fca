// The load of a replica: what it asks of the disk besides its reads.

import { expect, test } from "bun:test";
import { SHARD_HEADER_BYTES } from "../../src/format/shard-header.ts";
import { slotLayout } from "../../src/format/slot.ts";
import { slotsPerChunk } from "../../src/format/slot-scanner.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { loadSlots } from "../../src/store/load-slots.ts";

test("a load has what follows its first read from the disk read ahead, however fast that was", () => {
  const layout = slotLayout(8, 64);
  const chunkSlots = slotsPerChunk(layout);
  const chunkBytes = chunkSlots * layout.slotSize;
  const calls: string[] = [];
  const file = realDisk.open(import.meta.path, "read");
  file.read = (into, offset) => {
    into.fill(0);
    calls.push(`read ${offset}`);
    return into.length;
  };
  file.blocksFetched = () => calls.length;
  file.willRead = (offset) => void calls.push(`ahead from ${offset}`);
  const counts = loadSlots(file, layout, new PlainApplier(0, layout, 2 * chunkSlots));
  file.close();
  const second = SHARD_HEADER_BYTES + chunkBytes;
  expect(counts).toMatchObject({ free: 2 * chunkSlots, torn: 0 });
  expect(calls).toEqual([
    `read ${SHARD_HEADER_BYTES}`,
    `ahead from ${second + chunkBytes}`,
    `read ${second}`,
  ]);
});
