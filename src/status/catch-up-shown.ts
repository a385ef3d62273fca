// How far a scan has come, for people and programs: the share by its last slot, as a scan brings slots in order and a shard's
// records may lie anywhere in it. Pure.

import type { ShardSnapshot } from "../replica/follower-types.ts";
import { count, orNull, record, type ValueOf } from "./field-kinds.ts";

/** `share`: 0 to 1; `leftMs` null: not known yet. */
export const CATCH_UP = record({ share: count, recordsPerSecond: count, leftMs: orNull(count) });
export type CatchUp = ValueOf<typeof CATCH_UP>;

/** Null outside a scan. */
export function catchUpOf({
  scan,
  slots,
  scanned,
}: Pick<ShardSnapshot, "scan" | "slots" | "scanned">): CatchUp | null {
  if (scan === null) return null;
  const isOver = scan.phase === "confirming";
  const share = isOver ? 1 : Math.min(1, (scan.slot + 1) / Math.max(1, slots ?? 0));
  const recordsPerSecond = scan.ms <= 0 ? 0 : Math.round(((scanned ?? 0) * 1000) / scan.ms);
  const leftMs = share === 0 ? null : Math.round((scan.ms * (1 - share)) / share);
  return { share: Number(share.toFixed(4)), recordsPerSecond, leftMs };
}

/** Of all shards together: by slots, and as long as the slowest of those that scan takes. Null where none scans. */
export function catchUpOfAll(
  shards: readonly { readonly slots: number | null; readonly catchUp: CatchUp | null }[],
): CatchUp | null {
  const scanning = shards.flatMap(({ catchUp }) => catchUp ?? []);
  if (scanning.length === 0) return null;
  let slots = 0;
  let done = 0;
  for (const shard of shards) {
    slots += shard.slots ?? 0;
    done += (shard.slots ?? 0) * (shard.catchUp?.share ?? 1);
  }
  const isKnown = scanning.every(({ leftMs }) => leftMs !== null);
  return {
    share: slots === 0 ? 0 : Number((done / slots).toFixed(4)),
    recordsPerSecond: scanning.reduce((sum, { recordsPerSecond }) => sum + recordsPerSecond, 0),
    leftMs: isKnown ? Math.max(...scanning.map(({ leftMs }) => leftMs ?? 0)) : null,
  };
}
