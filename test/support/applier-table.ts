// The table that decides what an event does to a slot (wire.md: Apply, Protocol 2 in events, point 8), written out row by row,
// apart from the code: what is here, what comes, and what has to become of it on each protocol.

import { packMeta, type SlotStatus, VERSION_HALF, VERSION_MAX } from "../../src/format/slot.ts";

/** What a slot is before the event. `torn`: occupied, with a bad crc on disk. */
export type Here = "never" | "free" | "occupied" | "deleted" | "torn";
/** What comes; `changed` is occupied with another value than the one here. */
export type There = "free" | "occupied" | "changed" | "deleted";
/** The event's version against the slot's. */
export type Relation = "newer" | "same" | "older";
/** take: it happens. replace: it happens though the version is equal. same: nothing to do. The others: ours is kept, and a scan notes it. */
export type Fate = "take" | "replace" | "same" | "same-version" | "older";

export const HERES: readonly Here[] = ["never", "free", "occupied", "deleted", "torn"];
export const THERES: readonly There[] = ["free", "occupied", "changed", "deleted"];
export const RELATIONS: readonly Relation[] = ["newer", "same", "older"];

/** Of an event with the same version: `protocol 1 / protocol 2`. */
const SAME_VERSION: Readonly<
  Record<Exclude<Here, "never" | "torn">, Readonly<Record<There, readonly [Fate, Fate]>>>
> = {
  free: {
    free: ["same", "same"],
    occupied: ["same-version", "replace"],
    changed: ["same-version", "replace"],
    deleted: ["same", "same"],
  },
  occupied: {
    // A reset: on protocol 2 it takes the slot although the version is equal.
    free: ["same-version", "take"],
    occupied: ["same", "same"],
    changed: ["same-version", "replace"],
    deleted: ["same-version", "replace"],
  },
  deleted: {
    // On protocol 1 anything that is not occupied is a delete, and both are dead.
    free: ["same", "take"],
    occupied: ["same-version", "replace"],
    changed: ["same-version", "replace"],
    deleted: ["same", "same"],
  },
};

export function fateOf(here: Here, there: There, relation: Relation, protocol: 1 | 2): Fate {
  // Nothing is there, or nothing that counts: whatever comes is taken, at any version.
  if (here === "never" || here === "torn") return "take";
  if (relation === "newer") return "take";
  if (relation === "older") return "older";
  return SAME_VERSION[here][there][protocol - 1] as Fate;
}

/** Versions here and there, for each relation: near 0, across the end, and half of the ring apart. */
export const VERSIONS: Readonly<Record<Relation, readonly (readonly [number, number])[]>> = {
  newer: [
    [5, 6],
    [VERSION_MAX, 0],
    [7, 7 + VERSION_HALF - 1],
  ],
  same: [
    [5, 5],
    [VERSION_MAX, VERSION_MAX],
  ],
  older: [
    [6, 5],
    // Not from 0: a FREE slot of version 0 is one that was never used.
    [1, VERSION_MAX],
    [7, 7 + VERSION_HALF],
  ],
};

export const STATUS_OF: Readonly<Record<There, SlotStatus>> = {
  free: 0,
  occupied: 1,
  changed: 1,
  deleted: 2,
};

/** The meta word of an event. */
export function eventWord(there: There, version: number): number {
  return packMeta(STATUS_OF[there], version);
}
