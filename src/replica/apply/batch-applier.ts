// What turns a SlotBatch into slot images, and the memory it keeps for that: a meta word and a crc per slot. Two forms
// hold the same contract and are tested against each other: plain-applier.ts and wasm-applier.ts. No I/O. This
// table decides (wire.md: Apply; protocol 2 events; point 8). L = what is here, E = the event.
//
//   L                      E                            outcome
//   never used (word 0)    any but FREE version 0       take (any version, on every protocol)
//   torn (bad crc)         any                          take: a torn slot is older than anything
//   any                    newer version                take
//   same version           same status, OCCUPIED        same crc: same; else protocol 2 takes, 1 notes `same-version`
//   same version           FREE (protocol 2), L not FREE  take (a reset); a good copy is saved first
//   same version           other status                 protocol 2 takes, 1 notes `same-version`; both dead: same
//   any                    older version                skip; a scan notes it as `older`

import { DIFFERENCE_BYTES } from "../../wasm/cells.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import type { BatchFacts, BatchProblem } from "../../wire/slot-batch.ts";
import type { SlotTable } from "../../store/slot-table.ts";

/**
 * `live`: from a stream, where old events are normal. `scan`: from a catch-up, where every event is a comparison. `compare`: a scan
 * of which what it takes is told too.
 */
export type BatchPurpose = "live" | "scan" | "compare";

/** What a scan shows to be other than here: words of a slot each, in this order. */
export const DIFFERENCE_WORDS = DIFFERENCE_BYTES / 4;
export const DIFFERENCE_SLOT = 0;
/** The meta word before the batch. */
export const DIFFERENCE_HERE = 1;
/** The leader's meta word. */
export const DIFFERENCE_THERE = 2;
/** DIFFERENCE_SAME_VERSION, DIFFERENCE_OLDER or, of a `compare`, DIFFERENCE_TAKEN. */
export const DIFFERENCE_KIND = 3;

export interface AppliedBatch extends BatchFacts {
  readonly kind: "applied";
  /** Events that changed something here. */
  readonly taken: number;
  /** Of those, events of an equal version whose bytes differed (protocol 2). */
  readonly replaced: number;
  /** Of those, resets and deletes of a slot that held a good copy. */
  readonly cleared: number;
  /** Greatest version taken, -1 if none. */
  readonly versionMax: number;
  /** DIFFERENCE_WORDS a slot; valid until the next batch. */
  readonly differences: Uint32Array;
  /** The first slot that came with status 3, which protocol 1 takes for a delete; -1 if none. */
  readonly invalidSlot: number;
}

export type BatchOutcome =
  | AppliedBatch
  /** Refused whole: bad bytes from the peer. */
  | { readonly kind: "problem"; readonly problem: BatchProblem }
  /** A slot id is past the table. Nothing was applied: grow, then call again. */
  | { readonly kind: "grow"; readonly slotMax: number }
  /** Resets, or status 3 on protocol 1, would clear these good copies. Nothing was applied: save them, then call again with `resetsSaved`. */
  | { readonly kind: "save-first"; readonly slots: readonly number[] };

export interface ApplyOptions {
  readonly protocol: ProtocolVersion;
  readonly purpose: BatchPurpose;
  /** The good copies named by `save-first` are saved. */
  readonly resetsSaved: boolean;
}

export type { WriteSink } from "../../store/slot-table.ts";

/** The table of slots and the rules that change it. */
export interface BatchApplier extends SlotTable {
  /** Forgets which slots the scan has shown and the stream has touched. */
  beginScan(): void;
  /** The scan since `beginScan` has shown this slot. */
  isSeen(slot: number): boolean;
  /** A live event has come for this slot since `beginScan`. */
  isTouched(slot: number): boolean;
  /** Validates a whole batch, then applies it to the table and to the pending images. */
  apply(payload: Uint8Array, options: ApplyOptions): BatchOutcome;
}

/**
 * The caller takes the writes at the latest when this much is pending. Measured at 8x64 over 2 shards: with a write for each
 * batch a catch-up takes 14 % longer, with 64 KiB 9 %.
 */
export const PENDING_BYTES_FULL = 256 * 1024;
