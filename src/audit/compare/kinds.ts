// What it means that one slot is not the same in two places: the words of `armdb compare` (cli.md: JSON, compare). Pure.
// The kinds are said of DIR (`here`); OTHER, a leader or a second directory, is `there`.
// The table stands at `differenceKind`.

import { isNewer, versionOf } from "../../format/slot.ts";
import { SIDE_ABSENT, sideStatus, type SideWord } from "../look/side-word.ts";

/** In the order of summaries. */
export const DIFFERENCE_KINDS = ["missing", "older", "newer", "value", "status", "extra"] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

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
