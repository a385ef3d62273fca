// A leader's directory of one shard full of records, of whatever size a test needs.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { viewOf } from "../../src/bytes.ts";
import { encodeDbMeta } from "../../src/format/db-meta.ts";
import { encodeShardHeader } from "../../src/format/shard-header.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";

const LAYOUT = slotLayout(8, 16);

/** Makes it; slot n holds key n. */
export function makeRecordDirectory(dir: string, records: number): void {
  mkdirSync(join(dir, "shard_000"), { recursive: true });
  writeFileSync(join(dir, "db.meta"), encodeDbMeta({ shardCount: 1, shardPrefixBits: 0 }));
  const header = encodeShardHeader({ ...LAYOUT, slotCount: records, shardId: 0, cleanShutdown: 0 });
  const slots = new Uint8Array(records * LAYOUT.slotSize);
  for (let slot = 0; slot < records; slot++) {
    const key = new Uint8Array(LAYOUT.keyLen);
    viewOf(key).setUint32(4, slot);
    const image = slots.subarray(slot * LAYOUT.slotSize, (slot + 1) * LAYOUT.slotSize);
    const value = new Uint8Array(LAYOUT.valueLen).fill(slot);
    encodeOccupiedSlot(image, LAYOUT, packMeta(STATUS_OCCUPIED, 1), key, value);
  }
  writeFileSync(join(dir, "shard_000", "fixed.data"), Buffer.concat([header, slots]));
}
