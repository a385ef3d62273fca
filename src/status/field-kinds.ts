// What the rows of fields.ts are made of: the facts, the kinds of values, the series of /metrics, and values that take more than a word.
// Pure.

import type { ShardSnapshot, SyncPolicy } from "../replica/follower-types.ts";
import type { CatchUp } from "./catch-up-shown.ts";

/** What a field is made of. All times but `foundSavedAtMs` are monotonic. */
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
}

/** A whole scan that is due. */
export interface OwedStatus {
  readonly why: string;
  /** Since it arose; of a loss, since all was here last before its run of full batches. */
  readonly sinceMs: number;
  /** Unix time at which the limit on connections allows it; null: it does not wait for that. */
  readonly heldUntilMs: number | null;
}

export interface ScanStatus {
  readonly kind: string;
  readonly why: string;
  readonly phase: string;
  readonly ms: number;
  /** The last one that came, -1 before the first. */
  readonly slot: number;
}

/** The kinds of values. `digits`: a u64 as decimal digits. */
export interface FieldKinds {
  readonly count: number;
  readonly digits: string;
  readonly text: string;
  readonly flag: boolean;
  readonly stream: "live" | "polling";
  readonly owed: OwedStatus;
  readonly scan: ScanStatus;
  readonly catchUp: CatchUp;
}

/** `seconds`: of ms; `timestamp`: of an age; `lag`: seconds, infinite before the first whole scan; `since`: the age of a debt. */
export type MetricUnit = "plain" | "seconds" | "timestamp" | "lag" | "since";

export interface Metric {
  readonly type: "gauge" | "counter";
  readonly name: string;
  readonly help: string;
  readonly unit: MetricUnit;
}

export interface Field<Kind extends keyof FieldKinds> {
  readonly kind: Kind;
  readonly of: (facts: ShardFacts) => FieldKinds[Kind] | null;
  readonly metric: Metric | null;
}

export function field<Kind extends keyof FieldKinds>(
  kind: Kind,
  of: Field<Kind>["of"],
  metric: Metric | null = null,
): Field<Kind> {
  return { kind, of, metric };
}

export function gauge(name: string, help: string, unit: MetricUnit = "plain"): Metric {
  return { type: "gauge", name: `armdb_shard_${name}`, help, unit };
}

export function counter(name: string, help: string): Metric {
  return { type: "counter", name: `armdb_shard_${name}_total`, help, unit: "plain" };
}

export function owedOf({ snapshot, nowMs }: ShardFacts): OwedStatus | null {
  const { owed, shownAtMs } = snapshot;
  if (owed === null) return null;
  const { why, sinceMs, heldUntilMs } = owed;
  return {
    why,
    sinceMs: Math.round(sinceMs + nowMs - shownAtMs),
    heldUntilMs: rounded(heldUntilMs),
  };
}

export function scanOf({ snapshot, nowMs }: ShardFacts): ScanStatus | null {
  const { scan, shownAtMs } = snapshot;
  if (scan === null) return null;
  const { kind, why, phase, ms, slot } = scan;
  return { kind, why, phase, ms: Math.round(ms + nowMs - shownAtMs), slot };
}

/** What is shown of the last scan and of divergence is that of an earlier run until a scan of this one is whole. */
export function asOf({ snapshot, startedAtMs, foundSavedAtMs }: ShardFacts): number | null {
  const { lastFullScanAtMs } = snapshot;
  const isEarlier = lastFullScanAtMs !== null && lastFullScanAtMs < startedAtMs;
  return isEarlier ? rounded(foundSavedAtMs) : null;
}

export function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
