// Cursors as text and as JSON (cli.md: JSON, cursor). Used by inspect, inspect cursor and verify-cursor.

import type { ShardLook } from "../../audit/look/database-look.ts";
import { CURSOR_BYTES, type CursorFields } from "../../format/cursor.ts";
import type { Output } from "../surface/surface.ts";
import { formatCount, formatDuration, formatTime } from "../surface/numbers.ts";
import { showRaw } from "./bytes.ts";
import { type FieldRow, renderFields } from "./fields.ts";

/** A cursor as JSON has it everywhere; null when there is none. */
export function cursorDocument(shard: number, cursor: CursorFields | null): unknown {
  if (cursor === null) return null;
  return {
    shard,
    shardIdStored: cursor.shardId,
    appliedTotal: String(cursor.appliedTotal),
    maxVersionSeen: cursor.maxVersionSeen,
    lastAckAtMs: String(cursor.lastAckAtMs),
  };
}

/** `2026-11-23 10:00:00 UTC, 5 m 00 s ago` */
export function describeAge(unixMs: bigint, wallMs: number): string {
  if (unixMs === 0n) return "never";
  return `${formatTime(Number(unixMs))}, ${shortAge(unixMs, wallMs)}`;
}

/** `5 m 00 s ago` */
export function shortAge(unixMs: bigint, wallMs: number): string {
  if (unixMs === 0n) return "never";
  const ageMs = wallMs - Number(unixMs);
  return ageMs >= 0 ? `${formatDuration(ageMs)} ago` : `in ${formatDuration(-ageMs)}`;
}

/** Prints every field of a shard's cursor with its offset, raw bytes and meaning. */
export function renderCursor(
  out: Output,
  look: ShardLook,
  cursor: CursorFields | null,
  wallMs: number,
): void {
  const { palette } = out;
  out.line(`${palette.bold(look.cursor.name)}: ${describeFile(look, cursor)}`);
  const bytes = look.cursor.bytes;
  if (bytes === null || cursor === null) return;
  const row = (offset: number, length: number, field: string, meaning: string): FieldRow => ({
    offset,
    bytes: length,
    field,
    raw: showRaw(bytes.subarray(offset, offset + length)),
    meaning,
  });
  renderFields(out, [
    row(0, 1, "shard_id", `shard ${cursor.shardId}`),
    row(1, 3, "", "zeros"),
    row(4, 8, "applied_total", `${formatCount(cursor.appliedTotal)} events applied, at least`),
    row(12, 4, "max_version_seen", `version ${formatCount(cursor.maxVersionSeen)}`),
    row(16, 4, "", "zeros"),
    row(20, 8, "last_ack_unix_ms", `saved ${describeAge(cursor.lastAckAtMs, wallMs)}`),
    row(28, 12, "", "zeros"),
  ]);
}

function describeFile(look: ShardLook, cursor: CursorFields | null): string {
  if (look.cursor.error !== null) return `cannot be read (${look.cursor.error.errno})`;
  if (look.cursor.facts === null) return "none";
  if (look.cursor.facts.kind !== "file") return `not a plain file but a ${look.cursor.facts.kind}`;
  const bytes = look.cursor.facts.bytes;
  if (cursor === null)
    return `${bytes} bytes, too short to count (a whole one has ${CURSOR_BYTES})`;
  return `${bytes} bytes`;
}
