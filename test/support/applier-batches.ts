// Batches and slot images from rows that a test can read, made without the code under test.

import { crc32 } from "node:zlib";
import { viewOf } from "../../src/bytes.ts";
import type { SlotLayout } from "../../src/format/slot.ts";
import type { BatchApplier } from "../../src/replica/apply/batch-applier.ts";
import type { ProtocolVersion } from "../../src/wire/messages.ts";

/** One event: key and value as text of the right length; the value is left out unless the word says OCCUPIED. */
export interface BatchRow {
  readonly slot: number;
  readonly word: number;
  readonly key: string;
  readonly value: string;
}

/** The payload of these rows. */
export function batchPayload(
  shard: number,
  layout: SlotLayout,
  protocol: ProtocolVersion,
  rows: readonly BatchRow[],
): Uint8Array {
  const parts: Uint8Array[] = [];
  const number = (value: number) => {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value, true);
    parts.push(bytes);
  };
  parts.push(Uint8Array.of(shard));
  number(rows.length);
  for (const { slot, word, key, value } of rows) {
    number(slot);
    number(word);
    const status = word & 3;
    if (status !== 0 || protocol === 1) parts.push(padded(key, layout.keyLen));
    if (status === 1) parts.push(padded(value, layout.valueLen));
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** The slot image that an OCCUPIED row has to become. */
export function imageOf(row: BatchRow, layout: SlotLayout): Uint8Array {
  const image = new Uint8Array(layout.slotSize);
  const view = viewOf(image);
  view.setUint32(0, row.word, true);
  image.set(padded(row.key, layout.keyLen), 8);
  image.set(padded(row.value, layout.valueLen), 8 + layout.keyLen);
  const body = image.subarray(8, 8 + layout.keyLen + layout.valueLen);
  view.setUint32(4, crc32(body, crc32(image.subarray(0, 4))), true);
  return image;
}

export interface Written {
  readonly slot: number;
  readonly bytes: Uint8Array;
}

/** All pending writes, as copies. */
export function takeAll(applier: BatchApplier): Written[] {
  const writes: Written[] = [];
  applier.takeWrites((slot, memory, start, end) => {
    writes.push({ slot, bytes: memory.slice(start, end) });
  });
  return writes;
}

function padded(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(text).subarray(0, length));
  return bytes;
}
