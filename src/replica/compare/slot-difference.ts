// Whether a slot of the file and an event of a scan say the same. Used by difference-recorder.ts; what a difference is called is
// for the audit to say. Pure.

import { equalBytes } from "../../bytes.ts";
import {
  isNewer,
  SLOT_KEY_OFFSET,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../format/slot.ts";
import type { SlotEvent } from "../../wire/slot-batch.ts";

/** Key and value in the slot are those of an event that carries them. */
export function hasRecord(bytes: Uint8Array | null, layout: SlotLayout, event: SlotEvent): boolean {
  if (bytes === null || statusOf(event.meta) !== STATUS_OCCUPIED) return false;
  const valueOffset = SLOT_KEY_OFFSET + layout.keyLen;
  return (
    equalBytes(bytes.subarray(SLOT_KEY_OFFSET, valueOffset), event.key) &&
    equalBytes(bytes.subarray(valueOffset, valueOffset + layout.valueLen), event.value)
  );
}

/** Whether the two sides may be called different at all: not where neither has a record, unless both are deleted. */
export function isDifference(here: number, there: number, sameBytes: boolean): boolean {
  const hasRecordHere = (statusOf(here) & 1) === 1;
  const hasRecordThere = (statusOf(there) & 1) === 1;
  if (!hasRecordHere && !hasRecordThere) {
    const bothDeleted = statusOf(here) === STATUS_DELETED && statusOf(there) === STATUS_DELETED;
    return bothDeleted && here !== there;
  }
  return here !== there || (statusOf(there) === STATUS_OCCUPIED && !sameBytes);
}

/** True where here is sound and not older: the leader's scan read the slot before the stream brought what is here. */
export function isPast(here: number, there: number): boolean {
  if (here === 0 || statusOf(here) === STATUS_INVALID) return false;
  return !isNewer(versionOf(there), versionOf(here));
}
