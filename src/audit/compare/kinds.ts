// What it means that one slot is not the same in two places: the words of `armdb compare` (cli.md: JSON, compare). Pure.
// The kinds are said of DIR (`here`); OTHER, a leader or a second directory, is `there`.
// The table stands at `differenceKind`.

import { unreachable } from "../../errors.ts";
import {
  isNewer,
  packMeta,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  type SlotStatus,
  statusOf,
  versionOf,
} from "../../format/slot.ts";

/** In the order of summaries. */
export const DIFFERENCE_KINDS = ["missing", "older", "newer", "value", "status", "extra"] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

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

/**
 * The kind of difference, or null for none; `sameBytes` tells whether key and value (damaged: the slots) are equal.
 *
 *   here \ there   free       deleted         occupied                damaged
 *   free           same       same            missing                 status
 *   deleted        same       by version (1)  by version (2)          status
 *   occupied       extra      by version (2)  by version (3)          extra
 *   damaged        status     status          missing                 same bytes: same, else value
 *
 *   free      never used, FREE of any version, past the end of the file, or not sent by a leader
 *   damaged   OCCUPIED with a bad crc, or status 3: no reader gets a record from it, so it counts as no record
 *   by version: `older` or `newer`; with equal versions (1) same, (2) status, (3) value, or same when key and value are
 *
 * Key and value of DELETED slots are never looked at (format.md: Slot).
 */
export function differenceKind(
  here: SideWord,
  there: SideWord,
  sameBytes: boolean,
): DifferenceKind | null {
  const statusThere = sideStatus(there);
  switch (sideStatus(here)) {
    case "free":
      if (statusThere === "occupied") return "missing";
      return statusThere === "damaged" ? "status" : null;
    case "deleted":
      if (statusThere === "free") return null;
      if (statusThere === "damaged") return "status";
      return byVersion(here, there) ?? (statusThere === "deleted" ? null : "status");
    case "occupied":
      if (statusThere === "free" || statusThere === "damaged") return "extra";
      if (statusThere === "deleted") return byVersion(here, there) ?? "status";
      return byVersion(here, there) ?? (sameBytes ? null : "value");
    case "damaged":
      if (statusThere === "occupied") return "missing";
      if (statusThere === "damaged") return sameBytes ? null : "value";
      return "status";
  }
}

function byVersion(here: SideWord, there: SideWord): "older" | "newer" | null {
  if (versionOf(here) === versionOf(there)) return null;
  // Exactly half the ring apart neither is newer; then the other side's word is as good as ours is old.
  return isNewer(versionOf(here), versionOf(there)) ? "newer" : "older";
}

/** Both sides of a slot at one moment. */
export interface SlotSides {
  readonly here: SideWord;
  readonly there: SideWord;
}

/**
 * True when a slot that differed before and differs again was merely written in between: each side has changed, and
 * each holds by now at least the version that the other had before. What stands still on one side is no such thing.
 */
export function isWriteInFlight(before: SlotSides, now: SlotSides): boolean {
  return (
    now.here !== before.here &&
    now.there !== before.there &&
    hasReached(now.here, before.there) &&
    hasReached(now.there, before.here)
  );
}

function hasReached(word: SideWord, target: SideWord): boolean {
  if (target === SIDE_ABSENT) return true;
  if (word === SIDE_ABSENT) return false;
  return versionOf(word) === versionOf(target) || isNewer(versionOf(word), versionOf(target));
}
