// The state of a follower as `armdb status --json` prints it, and as it crosses the control socket and HTTP (docs/cli.md: JSON,
// status). Everything that shows a follower is made of this document alone. Plain JSON: u64 are strings, times are ms, what is not
// known is null. Its fields stand in follower-fields.ts, those of a shard in fields.ts.

import type { Kind } from "./field-kinds.ts";
import { documentKind, type ValuesOf } from "./field-rows.ts";
import { FOLLOWER_FIELDS } from "./follower-fields.ts";

export type { ShardStatus } from "./fields.ts";
export type { SlotWord } from "./shard-facts.ts";
export { SHARD_STATES, type StatusVerdict } from "./verdict.ts";

export interface StatusDocument extends ValuesOf<typeof FOLLOWER_FIELDS> {}

const DOCUMENT: Kind<StatusDocument> = documentKind(FOLLOWER_FIELDS);

/** A document as another process gave it, checked before it is believed; null for what is none of schema 1. */
export function readStatusDocument(value: unknown): StatusDocument | null {
  return DOCUMENT(value) ?? null;
}
