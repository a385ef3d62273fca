// What becomes of one slot in a repair. Pure: bytes in, bytes out. Used by repair/plan/slots.ts (without a source) and
// repair/plan/by-source.ts (with one). The two tables (format.md: For the verifier and the repairer) stand at the two functions.

import { viewOf } from "../../../bytes.ts";
import {
  encodeOccupiedSlot,
  isNewer,
  nextVersion,
  packMeta,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../../format/slot.ts";
import type { StepKind } from "../changes.ts";
import type { SlotThere } from "../source.ts";

/** What a slot is to hold. `after` replaces the slot's first bytes, as many as it has. */
export interface SlotRemedy {
  readonly kind: Extract<StepKind, `slot-${string}`>;
  readonly after: Uint8Array;
}

/** The slot's state here, as far as the rules ask. */
export interface SlotHere {
  readonly meta: number;
  readonly isTrusted: boolean;
  /** The meta word of a sidecar that the crate would use; null without one. */
  readonly sidecarMeta: number | null;
}

/**
 * Without a source: a slot that cannot be trusted (bad crc, status 3, misrouted, one of a doubled key)
 *
 *   replica (its shard has a cursor)   never-used: any follower's next scan brings it back
 *   elsewhere                          FREE with its version kept: a leader's versions must never go back
 */
export function clearSlot(here: SlotHere, layout: SlotLayout, isReplica: boolean): SlotRemedy {
  if (isReplica) return { kind: "slot-never-used", after: new Uint8Array(layout.slotSize) };
  return { kind: "slot-free", after: metaBytes(packMeta(STATUS_FREE, claimedVersion(here))) };
}

/**
 * The remedy for a slot by the source's word, or null where it stays as it is:
 *
 *   source         slot here cannot be trusted             slot here is sound
 *   occupied       the source's record (1)                 the source's record where that is newer
 *   deleted        deleted (1), meta word only             deleted where that is newer (2)
 *   nothing        as without a source                     left as it is
 *   not sure (3)   as without a source                     left as it is
 *
 *   (1) in the source's version; outside a replica never in one that is older than the slot's: then in the one after it,
 *       so that followers of this directory take it
 *   (2) not where the slot was never used in a replica: nothing there is as good as deleted
 *   (3) the source's own slot is damaged, or holds a key of another shard
 */
export function remedyFromSource(
  here: SlotHere,
  there: SlotThere,
  layout: SlotLayout,
  isReplica: boolean,
): SlotRemedy | null {
  switch (there.kind) {
    case "nothing":
    case "unsure":
      return here.isTrusted ? null : clearSlot(here, layout, isReplica);
    case "occupied": {
      if (here.isTrusted && !isTaken(here, there.meta)) return null;
      const after = new Uint8Array(layout.slotSize);
      const meta = packMeta(STATUS_OCCUPIED, versionFor(here, there.meta, isReplica));
      encodeOccupiedSlot(after, layout, meta, there.key, there.value);
      return { kind: "slot-restore", after };
    }
    case "deleted": {
      if (here.isTrusted && !isTaken(here, there.meta)) return null;
      if (here.isTrusted && isReplica && here.meta === 0) return null;
      const meta = packMeta(STATUS_DELETED, versionFor(here, there.meta, isReplica));
      return { kind: "slot-delete", after: metaBytes(meta) };
    }
  }
}

/** A slot that was never used takes any version (wire.md: protocol 2, from 0.7.0). */
function isTaken(here: SlotHere, metaThere: number): boolean {
  if (here.meta === 0) return metaThere !== 0;
  return isNewer(versionOf(metaThere), versionOf(here.meta));
}

function versionFor(here: SlotHere, metaThere: number, isReplica: boolean): number {
  const there = versionOf(metaThere);
  if (isReplica || (here.meta === 0 && here.sidecarMeta === null)) return there;
  const claimed = claimedVersion(here);
  return isNewer(claimed, there) ? nextVersion(claimed) : there;
}

/** The newest version that this slot is known to have had. */
function claimedVersion({ meta, sidecarMeta }: SlotHere): number {
  const version = versionOf(meta);
  if (sidecarMeta === null) return version;
  return isNewer(versionOf(sidecarMeta), version) ? versionOf(sidecarMeta) : version;
}

function metaBytes(meta: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, meta, true);
  return bytes;
}

/** The meta word of a slot after its remedy. */
export function metaAfter({ after }: SlotRemedy): number {
  return viewOf(after).getUint32(0, true);
}

/** True when a remedy takes a record away without putting one in its place. */
export function losesRecord(metaBefore: number, remedy: SlotRemedy): boolean {
  return statusOf(metaBefore) !== STATUS_DELETED && statusOf(metaAfter(remedy)) === STATUS_FREE;
}

/** True when the sidecar knows a newer version than the slot: the slot has lost a write. */
export function isBehindSidecar(meta: number, sidecarMeta: number | null): boolean {
  return sidecarMeta !== null && isNewer(versionOf(sidecarMeta), versionOf(meta));
}
