// What goes into the plan of a repair and what comes out of it. Types, and the two lists of finding kinds that the planner
// sorts by. Used by repair/plan/plan.ts, repair/repair.ts and the renderer.

import type { Geometry } from "../../../store/geometry.ts";
import type { Finding, FindingKind } from "../../findings.ts";
import type { FileAttributes, Step } from "../changes.ts";
import type { Reported } from "./scope.ts";
import type { LostKey } from "./slots.ts";
import type { RepairSource } from "../source.ts";
import type { Task } from "../../task.ts";

/** A damage that a plan does not mend, and what would help. */
export interface LeftDamage {
  readonly finding: Finding;
  readonly why: string;
  readonly hint: string;
}

/** A key that is live in several slots, for `--keep`. */
export interface DoubledKey {
  readonly shard: number;
  readonly key: string;
  readonly slots: readonly number[];
}

/** Damaged slots of a shard for which the source cannot vouch either: they are cleared, and their records are not back. */
export interface UnsureShard {
  readonly shard: number;
  readonly count: number;
}

/** `2 slots are damaged at "g2" itself` */
export function damagedThere(count: number, source: string): string {
  return `${count === 1 ? "1 slot is" : `${count} slots are`} damaged at ${source} itself`;
}

export interface RepairPlan {
  /** In the order in which they are carried out. */
  readonly steps: readonly Step[];
  readonly lost: readonly LostKey[];
  readonly doubled: readonly DoubledKey[];
  readonly left: readonly LeftDamage[];
  readonly notes: readonly string[];
  /** Of the shards that are held against a source; those that are filled tell it when they are. */
  readonly unsure: readonly UnsureShard[];
  /** True when one run cannot hold everything: the same command again does the rest. */
  readonly truncated: boolean;
  /** The database that shards are filled for; null when no shard is. */
  readonly fillGeometry: Geometry | null;
}

/** Nothing is done, and nothing was looked for. */
export const NO_PLAN: RepairPlan = {
  steps: [],
  lost: [],
  doubled: [],
  left: [],
  notes: [],
  unsure: [],
  truncated: false,
  fillGeometry: null,
};

export interface PlanOptions {
  /** Findings outside it are left alone: `--shard`, `--plan`. */
  isInScope(finding: Finding): boolean;
  /** Only what this names is changed; null: everything (`--plan`). */
  readonly reported: Reported | null;
  readonly keep: readonly { readonly shard: number; readonly slot: number }[];
  readonly prefixBits: number | null;
  /** `--key-len` and `--value-len`, for a database none of whose headers says. */
  readonly lengths: { readonly keyLen: number; readonly valueLen: number } | null;
  readonly source: RepairSource | null;
  readonly attributes: FileAttributes;
  /** Long loops of the plan hear its stop, and their reads pay its throttle. */
  readonly task: Task;
  readonly budgetBytes?: number;
  progress(shard: number, slots: number): void;
}

/** Damage of db.meta. */
export const META_KINDS: readonly FindingKind[] = [
  "meta-missing",
  "meta-size",
  "meta-magic",
  "meta-version",
  "meta-backend",
  "meta-shard-count",
  "meta-prefix-bits",
];

/** Damage for which a shard is held against its source. */
export const SOURCE_KINDS: readonly FindingKind[] = [
  "header-magic",
  "header-version",
  "header-slot-size",
  "header-geometry",
  "header-shard-id",
  "file-short",
  "slot-crc",
  "slot-status",
  "key-misrouted",
  "key-duplicate",
  "sidecar-hides-slot",
];
