// The undo journal, `armdb-undo-TIME.journal`: every change of a repair with what was there before and after it, saved
// before the first of them is made. Pure: bytes to entries and back.
//
//   header   0   8  magic `ARMDUNDO`         entry   0   4  bytes of this entry, its crc included
//            8   4  version, 1                       4   4  sequence, from 0: no entry is missing or moved
//            12  4  zeros                            8   1  kind        9  1  place        10  1  shard    11  1  zero
//            16  8  unix ms                          12  4  bytes of `before`               16  4  bytes of `after`
//            24  4  zeros                            20  8  first number                   28  8  second number
//            28  4  crc32 of the 28 bytes before     36  ..  before, after
//                                                    end 4  crc32 of everything before it
//
// The plan ends with `end`; a journal without it was cut before anything was changed. Behind it a `filled` for each shard that was.

import { crc32 } from "node:zlib";
import { assert } from "../../errors.ts";
import { viewOf } from "../../bytes.ts";
import { SHARDS_MAX } from "../../limits.ts";
import { type Change, type FileAttributes, type Place, PLACE_KINDS } from "./changes.ts";

const JOURNAL_MAGIC = "ARMDUNDO";
const JOURNAL_VERSION = 1;
export const JOURNAL_HEADER_BYTES = 32;
const ENTRY_HEAD_BYTES = 36;
const CRC_BYTES = 4;
export const ENTRY_BYTES_MIN = ENTRY_HEAD_BYTES + CRC_BYTES;
/** Contents of removed files are saved in pieces of this size; slots and headers are far smaller. */
export const PIECE_BYTES_MAX = 256 * 1024;
export const ENTRY_BYTES_MAX = ENTRY_BYTES_MIN + 2 * PIECE_BYTES_MAX;

/** `armdb-undo-20270131T120005123Z.journal` */
export function journalFile(wallMs: number): string {
  const time = new Date(wallMs).toISOString().replace(/[-:.]/g, "");
  return `armdb-undo-${time}.journal`;
}

/** In the order of their numbers in the file, from 1. */
const ENTRY_KINDS = [
  "write",
  "resize",
  "remove",
  "contents",
  "create",
  "make-directory",
  "fill",
  "rename-new",
  "sync",
  "sync-directory",
  "end",
  "filled",
] as const;

/** An entry: a change, with a removed file's contents in entries of their own behind it, or the end. */
export type JournalEntry =
  | Exclude<Change, { kind: "remove" }>
  | {
      readonly kind: "remove";
      readonly place: Place;
      readonly bytes: number;
      readonly attributes: FileAttributes;
    }
  | {
      readonly kind: "contents";
      readonly place: Place;
      readonly offset: number;
      readonly before: Uint8Array;
    }
  | { readonly kind: "end" }
  | FilledEntry;

/** A shard was filled: the length and the crc32 of its whole file. */
export interface FilledEntry {
  readonly kind: "filled";
  readonly shard: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** Why bytes are no sound journal. */
export type JournalFault = "magic" | "version" | "crc" | "length" | "sequence" | "kind" | "place";

export function encodeJournalHeader(wallMs: number): Uint8Array {
  const bytes = new Uint8Array(JOURNAL_HEADER_BYTES);
  const view = viewOf(bytes);
  bytes.set(Buffer.from(JOURNAL_MAGIC, "latin1"), 0);
  view.setUint32(8, JOURNAL_VERSION, true);
  view.setBigUint64(16, BigInt(Math.round(wallMs)), true);
  view.setUint32(28, crc32(bytes.subarray(0, 28)), true);
  return bytes;
}

/** The time of a journal, unix ms, or why it is none. */
export function decodeJournalHeader(bytes: Uint8Array): { readonly wallMs: number } | JournalFault {
  const magic = Buffer.from(bytes.subarray(0, JOURNAL_MAGIC.length)).toString("latin1");
  if (!JOURNAL_MAGIC.startsWith(magic)) return "magic";
  if (bytes.length < JOURNAL_HEADER_BYTES) return "length";
  const view = viewOf(bytes);
  if (view.getUint32(8, true) !== JOURNAL_VERSION) return "version";
  if (view.getUint32(28, true) !== crc32(bytes.subarray(0, 28))) return "crc";
  return { wallMs: Number(view.getBigUint64(16, true)) };
}

/** The parts of an entry that differ by kind. */
interface EntryParts {
  readonly place: Place;
  readonly first: number;
  readonly second: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const NO_PARTS: EntryParts = {
  place: { kind: "root", shard: 0 },
  first: 0,
  second: 0,
  before: NOTHING,
  after: NOTHING,
};

function partsOf(entry: JournalEntry): EntryParts {
  switch (entry.kind) {
    case "write": {
      const { place, offset, before, after } = entry;
      assert(before.length === after.length, "a write replaces as many bytes as it writes");
      return { place, first: offset, second: 0, before, after };
    }
    case "resize":
      return {
        ...NO_PARTS,
        place: entry.place,
        first: entry.bytesBefore,
        second: entry.bytesAfter,
      };
    case "remove": {
      const { place, bytes, attributes } = entry;
      return { ...NO_PARTS, place, first: bytes, before: encodeAttributes(attributes) };
    }
    case "contents":
      return { ...NO_PARTS, place: entry.place, first: entry.offset, before: entry.before };
    case "create":
    case "make-directory":
      return { ...NO_PARTS, place: entry.place, before: encodeAttributes(entry.attributes) };
    case "fill":
    case "rename-new":
      return { ...NO_PARTS, place: { kind: "new-data", shard: entry.shard } };
    case "sync":
    case "sync-directory":
      return { ...NO_PARTS, place: entry.place };
    case "end":
      return NO_PARTS;
    case "filled": {
      const { shard, bytes, crc32: crc } = entry;
      return { ...NO_PARTS, place: { kind: "new-data", shard }, first: bytes, second: crc };
    }
  }
}

/** uid as i64 (-1: none), gid and mode as u32. */
function encodeAttributes({ uid, gid, mode }: FileAttributes): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = viewOf(bytes);
  view.setBigInt64(0, uid === null ? -1n : BigInt(uid), true);
  view.setUint32(8, gid, true);
  view.setUint32(12, mode, true);
  return bytes;
}

function decodeAttributes(bytes: Uint8Array): FileAttributes | null {
  if (bytes.length !== 16) return null;
  const view = viewOf(bytes);
  const uid = Number(view.getBigInt64(0, true));
  return {
    uid: uid === -1 ? null : uid,
    gid: view.getUint32(8, true),
    mode: view.getUint32(12, true) & 0o777,
  };
}

/** The bytes of one entry. */
export function encodeEntry(entry: JournalEntry, sequence: number): Uint8Array {
  const { place, first, second, before, after } = partsOf(entry);
  const bytes = new Uint8Array(ENTRY_BYTES_MIN + before.length + after.length);
  assert(bytes.length <= ENTRY_BYTES_MAX, "a journal entry is no longer than its bound");
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, sequence, true);
  view.setUint8(8, ENTRY_KINDS.indexOf(entry.kind) + 1);
  view.setUint8(9, PLACE_KINDS.indexOf(place.kind));
  view.setUint8(10, place.shard);
  view.setUint32(12, before.length, true);
  view.setUint32(16, after.length, true);
  view.setBigUint64(20, BigInt(first), true);
  view.setBigUint64(28, BigInt(second), true);
  bytes.set(before, ENTRY_HEAD_BYTES);
  bytes.set(after, ENTRY_HEAD_BYTES + before.length);
  const crcOffset = bytes.length - CRC_BYTES;
  view.setUint32(crcOffset, crc32(bytes.subarray(0, crcOffset)), true);
  return bytes;
}

/** The entry in `bytes`, which are as long as its first field says; or what is wrong with it. */
export function decodeEntry(bytes: Uint8Array, sequence: number): JournalEntry | JournalFault {
  const view = viewOf(bytes);
  const crcOffset = bytes.length - CRC_BYTES;
  if (bytes.length < ENTRY_BYTES_MIN || view.getUint32(0, true) !== bytes.length) return "length";
  if (view.getUint32(crcOffset, true) !== crc32(bytes.subarray(0, crcOffset))) return "crc";
  if (view.getUint32(4, true) !== sequence) return "sequence";
  const beforeBytes = view.getUint32(12, true);
  const afterBytes = view.getUint32(16, true);
  if (ENTRY_BYTES_MIN + beforeBytes + afterBytes !== bytes.length) return "length";
  const kind = PLACE_KINDS[view.getUint8(9)];
  const shard = view.getUint8(10);
  if (kind === undefined || shard >= SHARDS_MAX) return "place";
  const first = view.getBigUint64(20, true);
  const second = view.getBigUint64(28, true);
  const safeMax = BigInt(Number.MAX_SAFE_INTEGER);
  if (first > safeMax || second > safeMax) return "length";
  const afterOffset = ENTRY_HEAD_BYTES + beforeBytes;
  return entryOf(view.getUint8(8), {
    place: { kind, shard },
    first: Number(first),
    second: Number(second),
    before: bytes.slice(ENTRY_HEAD_BYTES, afterOffset),
    after: bytes.slice(afterOffset, crcOffset),
  });
}

function entryOf(number: number, parts: EntryParts): JournalEntry | JournalFault {
  const kind = ENTRY_KINDS[number - 1];
  const { place, first, second, before, after } = parts;
  if (kind === undefined) return "kind";
  switch (kind) {
    case "write":
      if (before.length !== after.length) return "length";
      return { kind, place, offset: first, before, after };
    case "resize":
      return { kind, place, bytesBefore: first, bytesAfter: second };
    case "remove": {
      const attributes = decodeAttributes(before);
      return attributes === null ? "length" : { kind, place, bytes: first, attributes };
    }
    case "contents":
      return { kind, place, offset: first, before };
    case "create":
    case "make-directory": {
      const attributes = decodeAttributes(before);
      return attributes === null ? "length" : { kind, place, attributes };
    }
    case "fill":
    case "rename-new":
      return { kind, shard: place.shard };
    case "sync":
    case "sync-directory":
      return { kind, place };
    case "end":
      return { kind };
    case "filled":
      return { kind, shard: place.shard, bytes: first, crc32: second };
  }
}
