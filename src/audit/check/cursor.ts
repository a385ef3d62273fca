// The cursor of a shard against the shard (format.md: fixed_repl.cursor; cli.md: Finding kinds). Used by verify,
// verify-cursor and inspect cursor. Pure. A cursor behind its data is normal: the crate saves it every 1000 events.

import {
  CURSOR_BYTES,
  CURSOR_FIELDS,
  CURSOR_FILE,
  type CursorFields,
  decodeCursor,
} from "../../format/cursor.ts";
import { VERSION_HALF, VERSION_MAX } from "../../format/slot.ts";
import type { ShardLook } from "../look/database-look.ts";
import type { FindingList } from "../finding-list.ts";
import type { FindingDraft } from "../findings.ts";
import { isPlainFile } from "./meta.ts";

/** Least and greatest version of the slots that were ever used; `max` is -1 when there are none. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
  /** False: not all slots were read, so that there may be others. */
  readonly isWhole: boolean;
}

/** How far ahead of this machine's clock a cursor may be, ms. */
const CLOCK_SKEW_MS_MAX = 5 * 60 * 1000;

/** The cursor's fields as they stand, null when there is none or it is too short to count. */
export function cursorOf(look: ShardLook): CursorFields | null {
  return look.cursor.bytes === null ? null : decodeCursor(look.cursor.bytes);
}

export interface CursorCheck {
  readonly look: ShardLook;
  /** True when a shard of the database has a cursor: then all should. */
  readonly isReplica: boolean;
  /** Null, or not whole: that the cursor is ahead cannot be told. */
  readonly versions: VersionRange | null;
  readonly wallMs: number;
}

/** Adds every finding about one shard's cursor. */
export function checkCursor(check: CursorCheck, findings: FindingList): void {
  const { look } = check;
  const file = `${look.name}/${CURSOR_FILE}`;
  const add = (draft: FindingDraft) => findings.add({ shard: look.shard, file, ...draft });
  if (look.cursor.error !== null) {
    add({ kind: "unreadable", message: `the cursor cannot be read: ${look.cursor.error.errno}` });
    return;
  }
  if (look.cursor.facts === null) {
    if (check.isReplica)
      add({ kind: "cursor-missing", message: "this shard has no cursor, another one has" });
    return;
  }
  if (!isPlainFile(look.cursor, findings, look.shard)) return;
  const bytes = look.cursor.facts.bytes;
  const cursor = cursorOf(look);
  if (cursor === null) {
    add({
      kind: "cursor-short",
      offset: bytes,
      message: `the cursor has ${bytes} bytes, a whole one has ${CURSOR_BYTES}`,
    });
    return;
  }
  if (bytes > CURSOR_BYTES) {
    add({
      kind: "cursor-long",
      offset: CURSOR_BYTES,
      message: `the cursor has ${bytes} bytes, only ${CURSOR_BYTES} count`,
    });
  }
  checkFields(check, cursor, add);
  checkAgainstVersions(check, cursor, add);
}

function checkFields(
  check: CursorCheck,
  cursor: CursorFields,
  add: (draft: FindingDraft) => void,
): void {
  if (cursor.shardId !== check.look.shard) {
    const message = `the cursor names shard ${cursor.shardId}, it lies in ${check.look.name}`;
    add({ kind: "cursor-shard", offset: CURSOR_FIELDS.shardId.offset, message });
  }
  if (cursor.appliedTotal === 0n && cursor.maxVersionSeen > 0) {
    const message = `the cursor says that nothing was applied and that version ${cursor.maxVersionSeen} was`;
    add({ kind: "cursor-totals", offset: CURSOR_FIELDS.appliedTotal.offset, message });
  }
  if (!cursor.reservedIsZero) {
    add({
      kind: "cursor-reserved",
      offset: 1,
      message: "bytes of the cursor that should be zero are not",
    });
  }
  if (cursor.lastAckAtMs > BigInt(Math.floor(check.wallMs) + CLOCK_SKEW_MS_MAX)) {
    const message = `the cursor was saved ${describeTime(cursor.lastAckAtMs)}, which is still to come`;
    add({ kind: "cursor-future", offset: CURSOR_FIELDS.lastAckAtMs.offset, message });
  }
}

function checkAgainstVersions(
  check: CursorCheck,
  cursor: CursorFields,
  add: (draft: FindingDraft) => void,
): void {
  const { versions } = check;
  const { offset } = CURSOR_FIELDS.maxVersionSeen;
  if (cursor.maxVersionSeen > VERSION_MAX) {
    const message = `the cursor has seen version ${cursor.maxVersionSeen}, no version is greater than ${VERSION_MAX}`;
    add({ kind: "cursor-ahead", offset, message });
    return;
  }
  if (versions === null || !versions.isWhole) return;
  if (!isCursorAhead(cursor.maxVersionSeen, versions)) return;
  const held =
    versions.max < 0
      ? "no slot was ever used"
      : `the greatest version in the shard is ${versions.max}`;
  const message = `the cursor has seen version ${cursor.maxVersionSeen}, ${held}`;
  add({ kind: "cursor-ahead", offset, message });
}

/**
 * True when the cursor has seen a version that the shard does not hold. Not where a version of the shard lies within
 * 2^29 past it in the ring: versions have wrapped since (cli.md: Finding kinds, `cursor-ahead`).
 */
export function isCursorAhead(maxVersionSeen: number, versions: VersionRange): boolean {
  if (versions.max < 0) return maxVersionSeen > 0;
  if (maxVersionSeen <= versions.max) return false;
  return maxVersionSeen - versions.min <= VERSION_HALF;
}

/** A time as the cursor has it: ISO where it is one, else the bare number. */
function describeTime(unixMs: bigint): string {
  return unixMs <= 8_640_000_000_000_000n
    ? new Date(Number(unixMs)).toISOString()
    : `at ${unixMs} ms`;
}
