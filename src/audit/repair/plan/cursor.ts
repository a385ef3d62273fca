// A cursor that is wrong, or that a repair of its shard makes wrong, and what it is to say (format.md: fixed_repl.cursor).
// Used by repair/plan/shard.ts. Reads the cursor and the meta words of the shard. A cursor decides nothing; it is put right so
// that the next look at it tells the truth.

import { viewOf } from "../../../bytes.ts";
import {
  CURSOR_BYTES,
  CURSOR_FIELDS,
  type CursorFields,
  decodeCursor,
} from "../../../format/cursor.ts";
import { VERSION_MAX, versionOf } from "../../../format/slot.ts";
import { isCursorAhead, type VersionRange } from "../../check/cursor.ts";
import type { ShardLook } from "../../look/database-look.ts";
import { tryDisk } from "../../look/file-look.ts";
import type { SlotReader } from "../../look/slot-reader.ts";
import type { Task } from "../../task.ts";

/** What the slots of a shard say about versions, after the repair. */
export interface VersionFacts {
  readonly range: VersionRange;
  /** Slots that were ever used: at least so many events were applied. */
  readonly used: number;
}

/**
 * Walks all meta words; `changed` has those of the slots that the repair changes. Null: a slot cannot be read. Throws Stopped.
 */
export async function readVersions(
  reader: SlotReader,
  changed: ReadonlyMap<number, number>,
  task: Task,
): Promise<VersionFacts | null> {
  const { slotSize } = reader.layout;
  let min = Number.POSITIVE_INFINITY;
  let max = -1;
  let used = 0;
  const count = (meta: number) => {
    if (meta === 0) return;
    used++;
    min = Math.min(min, versionOf(meta));
    max = Math.max(max, versionOf(meta));
  };
  for (let first = 0; first < reader.slotCount;) {
    await task.breathe();
    const from = first;
    const [run] = tryDisk(() => reader.run(from));
    if (run === null) return null;
    if (run.length === 0) break;
    await task.pay(reader.takeReadBytes());
    const view = viewOf(run);
    for (let offset = 0, slot = first; offset < run.length; offset += slotSize, slot++) {
      count(changed.get(slot) ?? view.getUint32(offset, true));
    }
    first += run.length / slotSize;
  }
  // Slots that the file does not hold yet.
  for (const [slot, meta] of changed) if (slot >= reader.slotCount) count(meta);
  return { range: { min: used === 0 ? 0 : min, max, isWhole: true }, used };
}

/** The cursor's 40 bytes now; null when there is none that counts. */
export function cursorBytes(look: ShardLook): Uint8Array | null {
  const bytes = look.cursor.bytes;
  return bytes === null || bytes.length < CURSOR_BYTES ? null : bytes.slice(0, CURSOR_BYTES);
}

/**
 * What the cursor is to be: the shard it lies in, no version that the shard does not hold, no version without an
 * event. `versions` null: the slots are not known, then only the shard's number is put right.
 */
export function mendCursor(
  before: Uint8Array,
  shard: number,
  versions: VersionFacts | null,
): Uint8Array {
  const after = before.slice();
  const fields = decodeCursor(before);
  if (fields === null) return after;
  const view = viewOf(after);
  view.setUint8(CURSOR_FIELDS.shardId.offset, shard);
  if (versions === null) return after;
  const version = versionToSay(fields, versions);
  view.setUint32(CURSOR_FIELDS.maxVersionSeen.offset, version, true);
  if (fields.appliedTotal === 0n && version > 0) {
    view.setBigUint64(CURSOR_FIELDS.appliedTotal.offset, BigInt(versions.used), true);
  }
  return after;
}

function versionToSay({ maxVersionSeen }: CursorFields, { range }: VersionFacts): number {
  // No version is greater than VERSION_MAX: such a cursor has not wrapped, it is wrong.
  const isPossible = maxVersionSeen <= VERSION_MAX;
  if (isPossible && !isCursorAhead(maxVersionSeen, range)) return maxVersionSeen;
  return Math.max(0, range.max);
}
