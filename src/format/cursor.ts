// fixed_repl.cursor, the 40 bytes a follower leaves beside its shard (format.md: fixed_repl.cursor).
// Diagnostic only: it never decides anything, for the crate or for us.
//
//   0   1  shard_id             16  4  zeros
//   1   3  zeros                20  8  last_ack_unix_ms
//   4   8  applied_total        28  12 zeros
//   12  4  max_version_seen

import { isZero, viewOf } from "../bytes.ts";

export const CURSOR_FILE = "fixed_repl.cursor";
export const CURSOR_TEMP_FILE = "fixed_repl.cursor.tmp";
export const CURSOR_BYTES = 40;

export const CURSOR_FIELDS = {
  shardId: { offset: 0, bytes: 1 },
  appliedTotal: { offset: 4, bytes: 8 },
  maxVersionSeen: { offset: 12, bytes: 4 },
  lastAckAtMs: { offset: 20, bytes: 8 },
} as const;

export interface Cursor {
  readonly shardId: number;
  /** Events applied, a lower bound. */
  readonly appliedTotal: bigint;
  readonly maxVersionSeen: number;
  /** Unix time of the save, ms. */
  readonly lastAckAtMs: bigint;
}

export interface CursorFields extends Cursor {
  readonly reservedIsZero: boolean;
}

/** Reads a cursor from its first 40 bytes; null when shorter, which counts as absent. */
export function decodeCursor(bytes: Uint8Array): CursorFields | null {
  if (bytes.length < CURSOR_BYTES) return null;
  const view = viewOf(bytes);
  return {
    shardId: view.getUint8(CURSOR_FIELDS.shardId.offset),
    appliedTotal: view.getBigUint64(CURSOR_FIELDS.appliedTotal.offset, true),
    maxVersionSeen: view.getUint32(CURSOR_FIELDS.maxVersionSeen.offset, true),
    lastAckAtMs: view.getBigUint64(CURSOR_FIELDS.lastAckAtMs.offset, true),
    reservedIsZero: isZero(bytes, 1, 4) && isZero(bytes, 16, 20) && isZero(bytes, 28, CURSOR_BYTES),
  };
}

/** The 40 bytes of a cursor. */
export function encodeCursor(cursor: Cursor): Uint8Array {
  const bytes = new Uint8Array(CURSOR_BYTES);
  const view = viewOf(bytes);
  view.setUint8(CURSOR_FIELDS.shardId.offset, cursor.shardId);
  view.setBigUint64(CURSOR_FIELDS.appliedTotal.offset, cursor.appliedTotal, true);
  view.setUint32(CURSOR_FIELDS.maxVersionSeen.offset, cursor.maxVersionSeen, true);
  view.setBigUint64(CURSOR_FIELDS.lastAckAtMs.offset, cursor.lastAckAtMs, true);
  return bytes;
}
