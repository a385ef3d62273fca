// What the fields of a shard (fields.ts) are made of: its last snapshot where a follower runs, and where none does, or its thread has
// not spoken yet, what was saved of it. Also the values that take more than a word. Pure.

import { DIFFERENCE_KINDS } from "../audit/compare/kinds.ts";
import { STATUS_NAMES, statusOf, versionOf } from "../format/slot.ts";
import type { ShardSnapshot, SyncPolicy } from "../replica/follower-types.ts";
import { SHARDS_MAX } from "../limits.ts";
import type { ShardState as SavedShard } from "../store/state-file.ts";
import { differenceHere } from "./diverged-words.ts";
import {
  count,
  type Kind,
  numberFrom,
  orNull,
  record,
  text,
  type ValueOf,
  word,
} from "./field-kinds.ts";
import { ageMs, lagMs } from "./lag.ts";

/** Of a shard that is followed. All times but `foundSavedAtMs` are monotonic. */
export interface ShardFacts {
  readonly snapshot: ShardSnapshot;
  /** When the snapshot came. */
  readonly toldAtMs: number;
  readonly nowMs: number;
  /** When this follower was started. */
  readonly startedAtMs: number;
  readonly sync: SyncPolicy;
  /** Unix time at which the run before saved the state file; null: there was none. */
  readonly foundSavedAtMs: number | null;
  readonly silentMs: number;
  readonly restarts: number;
  /** Diverged slots that may be listed. */
  readonly listedMax: number;
}

/** Of a shard that nobody follows; times are unix times. */
export interface StoppedShard {
  readonly shard: number;
  /** Null: the state file does not name it. */
  readonly saved: SavedShard | null;
  readonly savedAtMs: number | null;
  readonly wallMs: number;
  readonly complete: boolean | null;
  readonly slots: number | null;
  readonly occupied: number | null;
  readonly cursor: { readonly appliedTotal: bigint; readonly maxVersionSeen: number } | null;
}

export function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}

export function digitsOf(value: number | bigint | null): string | null {
  return value === null ? null : String(value);
}

/** A unix time; null for one that has not come yet: it was noted by a clock that was wrong. */
export function pastTime(atMs: number | null, wallMs: number): number | null {
  return atMs === null || atMs > wallMs ? null : Math.round(atMs);
}

export function timeAgo(atMs: number | null, wallMs: number): number | null {
  return rounded(ageMs(pastTime(atMs, wallMs), wallMs));
}

export const shardNumber: Kind<number> = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < SHARDS_MAX
    ? value
    : undefined;

/** A whole scan that is due; `sinceMs`: for so long, of a loss since all was here last before its run of full batches. */
export const OWED = record({
  why: text,
  sinceMs: count,
  /** Unix time at which the limit on connections allows it; null: it does not wait for that. */
  heldUntilMs: orNull(count),
});
type Owed = ValueOf<typeof OWED>;

export function owedOf({ snapshot, nowMs }: ShardFacts): Owed | null {
  const { owed, shownAtMs } = snapshot;
  if (owed === null) return null;
  const { why, sinceMs, heldUntilMs } = owed;
  return {
    why,
    sinceMs: Math.round(sinceMs + nowMs - shownAtMs),
    heldUntilMs: rounded(heldUntilMs),
  };
}

/** The debt outlasts the follower; nobody holds it back meanwhile. */
export function savedOwed({ saved, wallMs }: StoppedShard): Owed | null {
  if (saved === null || saved.owed === null) return null;
  const { why, sinceAtMs } = saved.owed;
  return { why, sinceMs: timeAgo(sinceAtMs, wallMs) ?? 0, heldUntilMs: null };
}

/** The scan under way; `slot`: the last one that came, -1 before the first. */
export const SCAN = record({ kind: text, why: text, phase: text, ms: count, slot: numberFrom(-1) });

export function scanOf({ snapshot, nowMs }: ShardFacts): ValueOf<typeof SCAN> | null {
  const { scan, shownAtMs } = snapshot;
  if (scan === null) return null;
  const { kind, why, phase, ms, slot } = scan;
  return { kind, why, phase, ms: Math.round(ms + nowMs - shownAtMs), slot };
}

/** The lag goes on while nobody follows. */
export function savedLag(shard: StoppedShard): number | null {
  const { saved, wallMs } = shard;
  if (saved === null) return null;
  const scanned = pastTime(saved.lastFullScanAtMs, wallMs);
  const facts = {
    ...{ lastFullScanAtMs: scanned, currentAtMs: pastTime(saved.currentAtMs, wallMs) },
    ...{ streaming: null, oldestUnsyncedAtMs: null, call: null },
    ...{ owed: savedOwed(shard), shownAtMs: wallMs },
  };
  return rounded(lagMs(facts, wallMs, wallMs, "off"));
}

/** What is shown of the last scan and of divergence is that of an earlier run until a scan of this one is whole. */
export function asOf({ snapshot, startedAtMs, foundSavedAtMs }: ShardFacts): number | null {
  const { lastFullScanAtMs } = snapshot;
  const isEarlier = lastFullScanAtMs !== null && lastFullScanAtMs < startedAtMs;
  return isEarlier ? rounded(foundSavedAtMs) : null;
}

/** One side of a diverged slot. */
const SLOT_WORD = record({ status: text, version: count });
export type SlotWord = ValueOf<typeof SLOT_WORD>;

/** A diverged slot in the words of `armdb compare`, said of DIR; `there` null: the leader does not have it. */
export const DIVERGED = record({
  slot: count,
  kind: word(DIFFERENCE_KINDS),
  here: SLOT_WORD,
  there: orNull(SLOT_WORD),
});
export type DivergedEntry = ValueOf<typeof DIVERGED>;

export function divergedEntry(slot: number, here: number, there: number | null): DivergedEntry {
  const kind = differenceHere(here, there);
  return { slot, kind, here: slotWord(here), there: there === null ? null : slotWord(there) };
}

function slotWord(meta: number): SlotWord {
  return { status: STATUS_NAMES[statusOf(meta)], version: versionOf(meta) };
}
