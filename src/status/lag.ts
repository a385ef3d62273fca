// How far a shard may be behind its leader, as an upper bound (docs/cli.md: Lag of a shard). Pure.
//
//   polling   age of the start of the last whole scan
//   else      time since the moment at which it last held all that its leader had (link/live-age.ts, or the start of a whole scan),
//             plus the durable lag: heartbeats of an idle leader move that moment on, and those that wait behind megabytes do not
//   never caught up: infinite
//
// While a loss is owed for, at least the time since all was here last before the run of full batches that showed it: what was lost may
// be as old. A moment that was told a second ago is an older one, so the bound holds between two reports.

import type { ShardSnapshot, SyncPolicy } from "../replica/follower-types.ts";

/** A shard tells its figures once a second. Where the next are later than this its thread is held up, perhaps by a write. */
const TOLD_WITHIN_MS = 2_000;

/**
 * Age of the oldest write that no sync has covered, ms, as it was when the shard's figures came: what they name may be synced
 * since. Where new ones are overdue it is taken not to be, and grows.
 */
export function durableLagMs(
  { oldestUnsyncedAtMs, call }: Pick<ShardSnapshot, "oldestUnsyncedAtMs" | "call">,
  toldAtMs: number,
  nowMs: number,
): number {
  const isOverdue = nowMs - toldAtMs > TOLD_WITHIN_MS;
  const toldMs = ageMs(oldestUnsyncedAtMs, isOverdue ? nowMs : toldAtMs) ?? 0;
  // What a call of the disk is about to write is not durable before it comes back.
  return Math.max(toldMs, ageMs(call?.sinceMs ?? null, nowMs) ?? 0);
}

/** Null: infinite. With `--sync off` nobody asked for durable writes, and the durable lag does not count. */
export function lagMs(
  snapshot: Pick<
    ShardSnapshot,
    "lastFullScanAtMs" | "streaming" | "currentAtMs" | "oldestUnsyncedAtMs" | "shownAtMs" | "call"
  > & { readonly owed: { readonly why: string; readonly sinceMs: number } | null },
  toldAtMs: number,
  nowMs: number,
  sync: SyncPolicy,
): number | null {
  const { lastFullScanAtMs, streaming, currentAtMs, owed, shownAtMs } = snapshot;
  if (lastFullScanAtMs === null) return null;
  const lossMs = owed?.why === "loss" ? owed.sinceMs + nowMs - shownAtMs : 0;
  if (streaming === "polling") return Math.max(lossMs, ageMs(lastFullScanAtMs, nowMs) ?? 0);
  const heldMs = ageMs(currentAtMs ?? lastFullScanAtMs, nowMs) ?? 0;
  const durableMs = sync === "off" ? 0 : durableLagMs(snapshot, toldAtMs, nowMs);
  return Math.max(lossMs, heldMs + durableMs);
}

/** Age of a moment of the same clock; null for never. */
export function ageMs(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : Math.max(0, nowMs - atMs);
}
