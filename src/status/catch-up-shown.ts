// How far a scan has come, for people and programs: the share by its last slot, as a scan brings slots in order and a shard's
// records may lie anywhere in it. Pure.

import type { ShardSnapshot } from "../replica/follower-types.ts";
import { count, flag, orNull, record, type ValueOf } from "./field-kinds.ts";

/**
 * `share`: 0 to 1; `leftMs` null: not known yet; `leftIsMost`: it may be much less, as the records so far lie without gaps, and where
 * they end is not known.
 */
export const CATCH_UP = record({
  ...{ share: count, recordsPerSecond: count, leftMs: orNull(count) },
  leftIsMost: flag,
});
export type CatchUp = ValueOf<typeof CATCH_UP>;

/** Of the slots so far so many have a record where a shard is filled from its beginning. */
const DENSE_RATIO = 0.9;

type Scanned = Pick<ShardSnapshot, "scan" | "slots" | "scanned" | "occupied">;

/** Null outside a scan. */
export function catchUpOf({ scan, slots, scanned, occupied }: Scanned): CatchUp | null {
  if (scan === null) return null;
  const isOver = scan.phase === "confirming";
  const done = scan.slot + 1;
  const [all, records] = [slots ?? 0, scanned ?? 0];
  const share = isOver ? 1 : Math.min(1, done / Math.max(1, all));
  const recordsPerSecond = scan.ms <= 0 ? 0 : Math.round((records * 1000) / scan.ms);
  const told = { share: Number(share.toFixed(4)), recordsPerSecond, leftIsMost: false };
  if (isOver) return { ...told, leftMs: 0 };
  if (done === 0 || scan.ms <= 0) return { ...told, leftMs: null };
  // A leader fills the lowest free slot first, so behind records without gaps there may be nothing more: slots without a record
  // take no time. How many records there are is known where they were here before.
  const density = Math.min(1, records / done);
  const isDense = density >= DENSE_RATIO;
  const here = occupied ?? 0;
  const end = isDense && here > records ? Math.min(all, here / density) : all;
  const leftMs = Math.max(0, Math.round((scan.ms * (end - done)) / done));
  return { ...told, leftMs, leftIsMost: isDense && end === all && leftMs > 0 };
}

/** What is needed of each shard. */
export interface ShardCatchUp {
  readonly slots: number | null;
  readonly scan: { readonly ms: number } | null;
  readonly catchUp: CatchUp | null;
  /** Whole scans of this run. */
  readonly scansTotal: number | null;
}

/**
 * Of all shards together, by slots; null where none scans. A shard whose turn has not come yet counts as one of the usual size,
 * at the speed of the others.
 */
export function catchUpOfAll(shards: readonly ShardCatchUp[]): CatchUp | null {
  const scanning = shards.filter(({ catchUp }) => catchUp !== null);
  if (scanning.length === 0) return null;
  const known = shards.flatMap(({ slots }) => (slots === null || slots === 0 ? [] : [slots]));
  const usual = known.reduce((sum, slots) => sum + slots, 0) / Math.max(1, known.length);
  let all = 0;
  let done = 0;
  let waiting = 0;
  let slotsPerMs = 0;
  for (const { slots: own, scan, catchUp, scansTotal } of shards) {
    const slots = own || usual;
    const share = catchUp?.share ?? (scansTotal === 0 || scansTotal === null ? 0 : 1);
    all += slots;
    done += slots * share;
    if (catchUp === null) waiting += slots * (1 - share);
    else if (scan !== null && scan.ms > 0) slotsPerMs += (slots * share) / scan.ms;
  }
  const lefts = scanning.map(({ catchUp }) => catchUp?.leftMs ?? null);
  const isKnown = lefts.every((leftMs) => leftMs !== null) && (waiting === 0 || slotsPerMs > 0);
  const longest = Math.max(...lefts.map((leftMs) => leftMs ?? 0));
  const leftMs = waiting === 0 ? longest : Math.max(longest, (all - done) / slotsPerMs);
  return {
    share: all === 0 ? 0 : Number((done / all).toFixed(4)),
    recordsPerSecond: scanning.reduce(
      (sum, { catchUp }) => sum + (catchUp?.recordsPerSecond ?? 0),
      0,
    ),
    leftMs: isKnown ? Math.round(leftMs) : null,
    leftIsMost: isKnown && scanning.some(({ catchUp }) => catchUp?.leftIsMost === true),
  };
}
