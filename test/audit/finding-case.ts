// What the tables of findings have in common: the shape of a case, and the places in 8x16-2-shards that most of them damage.

import type { FindingKind } from "../../src/audit/findings.ts";
import type { SampleDatabase, Shape, State } from "./sample-databases.ts";

export const DATA = "shard_000/fixed.data";
export const DATA_1 = "shard_001/fixed.data";
export const SIDECAR = "shard_000/fixed.versions";
export const CURSOR = "shard_000/fixed_repl.cursor";
/** Occupied in all three states of shard 0. */
export const SLOT = 5;
export const SLOT_OFFSET = 4096 + SLOT * 32;
/** The last slot was never used in any state. */
export const NEVER_USED = 127;
export const NEVER_USED_OFFSET = 4096 + NEVER_USED * 32;

export interface FindingCase {
  readonly kind: FindingKind;
  readonly what: string;
  readonly shape?: Shape;
  readonly state: State;
  damage(db: SampleDatabase): void;
  /** `shard slot offset` of the finding of this kind. */
  readonly at: string;
  /** Other damage that necessarily comes with it. */
  readonly with?: readonly string[];
}
