// What is wrong with the header of a shard: by itself, against its siblings and db.meta, against the file's length
// (format.md: fixed.data header). Used by verify, inspect and repair. Pure but for the look past the last slot.

import { isZero, toHex } from "../../bytes.ts";
import {
  HEADER_FIELDS,
  SHARD_FILE,
  SHARD_HEADER_BYTES,
  SHARD_MAGIC,
  SHARD_VERSION,
  type ShardHeaderFields,
  shardFileBytes,
} from "../../format/shard-header.ts";
import { type SlotLayout, slotSizeOf } from "../../format/slot.ts";
import type { DatabaseDirectory, ShardLook } from "../look/database-look.ts";
import type { FindingList } from "../finding-list.ts";
import type { FindingDraft } from "../findings.ts";

/** Adds every finding about the header and the length of one shard's file, which is there and readable. */
export function checkHeader(
  directory: DatabaseDirectory,
  look: ShardLook,
  findings: FindingList,
): void {
  const place = { shard: look.shard, file: `${look.name}/${SHARD_FILE}` };
  const add = (draft: FindingDraft) => findings.add({ ...place, ...draft });
  if (look.data.bytes === null || look.header === null) {
    const message =
      look.fileBytes === 0
        ? "the file is empty: a crate from 0.7.0 on would start the shard anew"
        : `the file has ${look.fileBytes} bytes, less than its header of ${SHARD_HEADER_BYTES}`;
    add({ kind: "file-short", offset: look.fileBytes, message });
    return;
  }
  if (isZero(look.data.bytes)) {
    const message =
      "the header is all zeros: a crate from 0.7.0 on would take the file for a new one and cut it";
    add({ kind: "header-magic", offset: 0, message });
    return;
  }
  checkOwnFields(look.header, add);
  checkAgainstSiblings(directory, look, look.header, add);
  checkReserved(look.data.bytes, look.header, add);
  if (directory.layout !== null) checkLength(look, look.header, directory.layout, add);
}

type Add = (draft: FindingDraft) => void;

function checkOwnFields(header: ShardHeaderFields, add: Add): void {
  if (header.magic !== SHARD_MAGIC) {
    const found = toHex(Buffer.from(header.magic, "latin1"));
    const message = `the magic is ${found}, expected 46495844 ("FIXD")`;
    add({ kind: "header-magic", offset: HEADER_FIELDS.magic.offset, message });
  }
  if (header.version !== SHARD_VERSION) {
    const message = `the format version is ${header.version}, expected ${SHARD_VERSION}`;
    add({ kind: "header-version", offset: HEADER_FIELDS.version.offset, message });
  }
  const slotSize = slotSizeOf(header.keyLen, header.valueLen);
  if (header.slotSize !== slotSize) {
    const message = `slot_size is ${header.slotSize}, key_len ${header.keyLen} and value_len ${header.valueLen} make ${slotSize}`;
    add({ kind: "header-slot-size", offset: HEADER_FIELDS.slotSize.offset, message });
  }
}

function checkAgainstSiblings(
  { layout }: DatabaseDirectory,
  look: ShardLook,
  header: ShardHeaderFields,
  add: Add,
): void {
  if (layout !== null) {
    for (const [field, name] of [
      ["keyLen", "key_len"],
      ["valueLen", "value_len"],
      ["slotSize", "slot_size"],
    ] as const) {
      if (header[field] === layout[field]) continue;
      const message = `${name} is ${header[field]}, the database has ${layout[field]}`;
      add({ kind: "header-geometry", offset: HEADER_FIELDS[field].offset, message });
    }
  }
  if (header.shardId !== look.shard) {
    const message = `shard_id is ${header.shardId}, the directory is ${look.name}`;
    add({ kind: "header-shard-id", offset: HEADER_FIELDS.shardId.offset, message });
  }
}

function checkReserved(bytes: Uint8Array, header: ShardHeaderFields, add: Add): void {
  if (header.cleanShutdown > 1) {
    const message = `clean_shutdown is ${header.cleanShutdown}, neither 0 nor 1: it counts as not clean`;
    add({ kind: "header-reserved", offset: HEADER_FIELDS.cleanShutdown.offset, message });
  }
  if (header.reservedIsZero) return;
  const start = HEADER_FIELDS.reserved.offset;
  const first = bytes.subarray(start).findIndex((byte) => byte !== 0) + start;
  const message = `the reserved bytes from ${start} on are not all zero, the first one is at ${first}`;
  add({ kind: "header-reserved", offset: first, message });
}

function checkLength(
  look: ShardLook,
  header: ShardHeaderFields,
  layout: SlotLayout,
  add: Add,
): void {
  const expected = shardFileBytes(header.slotCount, layout.slotSize);
  if (look.fileBytes < expected) {
    const missing = Math.ceil((expected - look.fileBytes) / layout.slotSize);
    const message = `the file has ${look.fileBytes} bytes, its header's ${header.slotCount} slots need ${expected}: the last ${missing} slots are cut off`;
    add({ kind: "file-short", offset: look.fileBytes, message });
  } else if (look.fileBytes > expected) {
    const message = `the file has ${look.fileBytes} bytes, ${look.fileBytes - expected} more than its header's ${header.slotCount} slots need`;
    add({ kind: "file-long", offset: expected, message });
  }
}
