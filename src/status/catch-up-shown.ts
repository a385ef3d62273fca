// How far a scan has come, for people and programs: the share by its last slot, as a scan brings slots in order and a shard's
// records may lie anywhere in it. Pure.

import type { ShardSnapshot } from "../replica/follower-types.ts";

export interface CatchUp {
  /** 0 to 1. */
  readonly share: number;
  readonly recordsPerSecond: number;
  /** Null: not known yet. */
  readonly leftMs: number | null;
  /** It may be much less: the records so far lie without gaps, and where they end is not known. */
  readonly leftIsMost?: true;
}

/** Of the slots so far so many have a record where a shard is filled from its beginning. */
const DENSE_RATIO = 0.9;

type Scanned = Pick<ShardSnapshot, "scan" | "slots" | "scanned" | "occupied">;

/** Null outside a scan. */
export function catchUpOf({ scan, slots, scanned, occupied }: Scanned): CatchUp | null {
  if (scan === null) return null;
  const isOver = scan.phase === "confirming";
  const done = scan.slot + 1;
  const share = isOver ? 1 : Math.min(1, done / Math.max(1, slots));
  const recordsPerSecond = scan.ms <= 0 ? 0 : Math.round((scanned * 1000) / scan.ms);
  const told = { share: Number(share.toFixed(4)), recordsPerSecond };
  if (isOver) return { ...told, leftMs: 0 };
  if (done === 0 || scan.ms <= 0) return { ...told, leftMs: null };
  // A leader fills the lowest free slot first, so behind records without gaps there may be nothing more: slots without a record
  // take no time. How many records there are is known where they were here before.
  const density = Math.min(1, scanned / done);
  const isDense = density >= DENSE_RATIO;
  const end = isDense && occupied > scanned ? Math.min(slots, occupied / density) : slots;
  const leftMs = Math.max(0, Math.round((scan.ms * (end - done)) / done));
  return isDense && end === slots && leftMs > 0
    ? { ...told, leftMs, leftIsMost: true }
    : { ...told, leftMs };
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
  const told = {
    share: all === 0 ? 0 : Number((done / all).toFixed(4)),
    recordsPerSecond: scanning.reduce(
      (sum, { catchUp }) => sum + (catchUp?.recordsPerSecond ?? 0),
      0,
    ),
    leftMs: isKnown ? Math.round(leftMs) : null,
  };
  const isMost = isKnown && scanning.some(({ catchUp }) => catchUp?.leftIsMost === true);
  return isMost ? { ...told, leftIsMost: true } : told;
}
