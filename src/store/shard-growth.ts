// How far a shard's file is made at once, and its blocks reserved: as far as is usual where there is space, little more than is
// needed where there is not, and never the last of what is free. Used by shard-store.ts.

import { ArmdbError } from "../errors.ts";
import { shardFileBytes } from "../format/shard-header.ts";
import { type Disk, DiskError, type DiskFile } from "../io/disk.ts";
import { GROW_BYTES_MAX, GROW_SLOTS_MIN, SLOT_COUNT_MAX, SLOT_JUMP_MAX } from "../limits.ts";

/** Of what is free this much is left alone: for cursors, sidecars, and whoever else is on that disk. */
const FREE_SHARE_KEPT = 0.05;
/** Where the usual step does not fit, a growth takes this part of what is free: fewer steps than slot by slot. */
const SHORT_STEP_SHARE = 1 / 64;

export interface Reservation {
  /** Slots that the file has now. */
  readonly slotCount: number;
  readonly slotSize: number;
  /** So many if there is space. */
  readonly wanted: number;
  /** So many at least. */
  readonly needed: number;
}

export interface Reserved {
  readonly slotCount: number;
  /** False: the file system cannot reserve, the file has the length only. */
  readonly blocks: boolean;
  /** Less than was wanted. */
  readonly isShort: boolean;
}

/** Why a slot id cannot be true of a shard of so many slots, or null. */
export function slotProblem(slot: number, slotCount: number): string | null {
  const limit = Math.max(2 * slotCount, slotCount + SLOT_JUMP_MAX);
  if (slot < Math.min(limit, SLOT_COUNT_MAX)) return null;
  return `slot ${slot} is far out of a shard of ${slotCount} slots`;
}

/** Slots after the usual step: a million, or a quarter, of at most GROW_BYTES_MAX. */
export function slotsAfterStep(slotCount: number, slotSize: number): number {
  const step = Math.max(GROW_SLOTS_MIN, Math.ceil(slotCount / 4));
  const stepMax = Math.floor(GROW_BYTES_MAX / slotSize);
  return Math.min(slotCount + Math.min(step, stepMax), SLOT_COUNT_MAX);
}

/** Makes the file long enough. Throws `no-space` where it cannot be, and then leaves it as long as it was. */
export function reserveSlots(disk: Disk, file: DiskFile, reservation: Reservation): Reserved {
  const { slotCount, slotSize, wanted, needed } = reservation;
  const size = file.size();
  const free = disk.freeBytes(file.path);
  const room = free === null ? Number.POSITIVE_INFINITY : free * (1 - FREE_SHARE_KEPT);
  const takes = (slots: number) => Math.max(0, shardFileBytes(slots, slotSize) - size);
  const reserve = (slots: number): Reserved => {
    const blocks = file.preallocate(shardFileBytes(slots, slotSize)) === "allocated";
    return { slotCount: slots, blocks, isShort: slots < wanted };
  };
  if (takes(wanted) <= room) {
    try {
      return reserve(wanted);
    } catch (thrown) {
      // What is free is not ours to the last: a quota, or another writer.
      if (!(thrown instanceof DiskError) || thrown.code !== "no-space" || needed >= wanted) {
        throw thrown;
      }
      return reserve(needed);
    }
  }
  if (takes(needed) > room && canReserve(file, size)) {
    throw noSpace(file.path, needed, takes(needed), free ?? 0);
  }
  const short = slotCount + Math.floor(((free ?? 0) * SHORT_STEP_SHARE) / slotSize);
  return reserve(Math.min(wanted, Math.max(needed, short)));
}

/** Where blocks cannot be reserved a longer file takes nothing, and what is free says nothing of it. */
function canReserve(file: DiskFile, size: number): boolean {
  const answer = file.preallocate(size + 1);
  file.truncate(size);
  return answer === "allocated";
}

function noSpace(path: string, slots: number, bytes: number, free: number): ArmdbError {
  const count = (value: number) => Math.floor(value).toLocaleString("en-US");
  const what = `${count(slots)} slots take ${count(bytes)} bytes more, and ${count(free)} are free`;
  return new ArmdbError("no-space", `Cannot reserve space for "${path}": ${what}`, {
    path,
    hint: "df -h on that directory, then free or add space; the last 5 % of what is free are left alone",
  });
}
