// One side of a slot in a comparison or a repair, as a single number. Pure. Used by look/slot-reader.ts, the comparisons and
// repair/source.ts.

import { unreachable } from "../../errors.ts";
import {
  packMeta,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  type SlotStatus,
  statusOf,
  versionOf,
} from "../../format/slot.ts";

/**
 * One side of a slot as a meta word. Status 3 stands for damaged, whatever the bytes were: it is never a sound
 * slot's status.
 */
export type SideWord = number;

export type SideStatus = "free" | "occupied" | "deleted" | "damaged";

/** The side word of a slot that does not exist: free, version 0. */
export const SIDE_ABSENT: SideWord = 0;

/** The side word of a slot whose bytes cannot be trusted. */
export function damagedSide(meta: number): SideWord {
  return packMeta(STATUS_INVALID, versionOf(meta));
}

export function sideStatus(word: SideWord): SideStatus {
  const status = statusOf(word);
  switch (status) {
    case STATUS_FREE:
      return "free";
    case STATUS_OCCUPIED:
      return "occupied";
    case STATUS_DELETED:
      return "deleted";
    case STATUS_INVALID:
      return "damaged";
    default:
      return unreachable(status);
  }
}

/** The inverse of `sideStatus`; null for a word that is no status. */
export function sideWordOf(status: string, version: number): SideWord | null {
  const names: Readonly<Record<string, SlotStatus>> = {
    free: STATUS_FREE,
    occupied: STATUS_OCCUPIED,
    deleted: STATUS_DELETED,
    damaged: STATUS_INVALID,
  };
  const found = Object.hasOwn(names, status) ? names[status] : undefined;
  return found === undefined ? null : packMeta(found, version);
}
