// What a scan of one shard is told and what it answers: plain data, so that both cross to a thread and back.

import type { PlainError } from "../../errors.ts";
import type { RoutingCheck } from "../../format/slot-scanner.ts";
import type { SlotLayout } from "../../format/slot.ts";
import type { VersionRange } from "../check/cursor.ts";
import type { SidecarState } from "../check/sidecar.ts";
import type { Finding } from "../findings.ts";
import type { SlotSums } from "./slot-check.ts";
import type { NoteCount } from "./slot-notes.ts";

export interface ScanTask {
  readonly shard: number;
  /** fixed.data. */
  readonly path: string;
  /** `shard_000/fixed.data`. */
  readonly file: string;
  readonly layout: SlotLayout;
  /** As the header says, or what the file's length gives where the header is lost. */
  readonly slotCount: number;
  readonly fileBytes: number;
  /** Null: routing is not checked (one shard, or the prefix bits are not known). */
  readonly routing: RoutingCheck | null;
  /** The sidecar, where the crate would use it if its crc is right; then its words are compared with the slots. */
  readonly sidecarPath: string | null;
  /** Memory for the search of doubled keys; 0 leaves it out. */
  readonly duplicateBytesMax: number;
  /** A writer is known: what looks bad is read several times, and the sidecar's words are not compared. */
  readonly isLive: boolean;
}

/** Slots by kind; together they are the header's count (cli.md: verify). */
export interface ScanCounts {
  readonly occupied: number;
  readonly deleted: number;
  readonly free: number;
  /** Bad crc or status 3. */
  readonly damaged: number;
  /** Cut off, unreadable, or not reached. */
  readonly unread: number;
}

export interface ScanResult {
  readonly shard: number;
  readonly slots: number;
  readonly counts: ScanCounts;
  /** Of slots that were checked. */
  readonly bytesChecked: number;
  readonly versions: VersionRange;
  /** What the crc of the sidecar came to; `unchecked` where none was asked for, or it was not reached. */
  readonly sidecar: SidecarState;
  readonly findings: readonly Finding[];
  /** True when the file changed while it was read. */
  readonly changed: boolean;
  /** True when the scan was stopped before its end. */
  readonly stopped: boolean;
}

/**
 * Cells of the memory that all threads share that scan one shard, u32 each: blocks that somebody has taken, those of them that
 * helpers have, those of these that the scan has got back, whether the sidecar's words are to be compared, findings of slots,
 * and what is read now. Behind them, u64 each, how many bytes are read and how many are to be.
 */
export const CELL_BLOCKS_TAKEN = 0;
export const CELL_BLOCKS_HELPED = 1;
export const CELL_BLOCKS_COLLECTED = 2;
export const CELL_SIDECAR = 3;
export const CELL_FINDINGS = 4;
export const CELL_PART = 5;
export const CELL_PART_NUMBER = 6;
export const CELL_PARTS = 7;
export const LONG_CELL_DONE = 4;
export const LONG_CELL_TOTAL = 5;
export const SHARD_CELLS_BYTES = 48;

/** Of CELL_SIDECAR: nobody may help before it is known. */
export const SIDECAR_UNKNOWN = 0;
export const SIDECAR_COMPARED = 1;
export const SIDECAR_LEFT = 2;

/** Cells that all scans of a command share, u32 each: whether they are to end, and how many findings of slots may still be kept. */
export const CELL_STOP = 0;
export const CELL_FINDINGS_LEFT = 1;
export const RUN_CELLS_BYTES = 8;

/** The memory of a command that its threads share. */
export interface SharedRun {
  readonly cells: SharedArrayBuffer;
  /** Of the throttle (audit/task.ts). */
  readonly throttle: SharedArrayBuffer;
  readonly bytesPerSecond: number | null;
}

export interface ScanRequest {
  readonly kind: "scan" | "help";
  readonly task: ScanTask;
  readonly run: SharedRun;
  /** The shard's own cells. */
  readonly cells: SharedArrayBuffer;
}

/** Neighbouring slots. */
export interface SlotRange {
  readonly first: number;
  readonly slots: number;
}

/** What a block came to. */
export interface BlockResult extends SlotRange {
  readonly sums: Readonly<Omit<SlotSums, "add">>;
  /** Slots that could not be read, or were not reached. */
  readonly unread: number;
  readonly findings: readonly Finding[];
  readonly notes: readonly NoteCount[];
  /** Why the sidecar's words could not be compared; null where they were, or were not to be. */
  readonly sidecarFault: string | null;
  /** Somebody wrote meanwhile. */
  readonly changed: boolean;
  readonly stopped: boolean;
}

/** A block that a helper has scanned. */
export interface HelpedBlock {
  readonly result: BlockResult;
  /** Of each slot, and of each live one (format/slot-scanner.ts); null where no slot of the block is live, or nobody asked. */
  readonly keys: {
    readonly facts: Uint8Array<ArrayBuffer>;
    readonly fingerprints: BigUint64Array<ArrayBuffer>;
  } | null;
}

/** What a helper did of a shard. */
export interface Help {
  readonly blocks: readonly HelpedBlock[];
  /** Nothing more is to be done for this shard, or nothing that is of use. */
  readonly isOver: boolean;
}

/**
 * Pool to thread. `scan` and `help` one at a time: the next comes after the answer. `take`: blocks of the scan that it is
 * at, as a helper left them. `end`: no more will come.
 */
export type ScanThreadRequest =
  | ScanRequest
  | { readonly kind: "take"; readonly blocks: readonly HelpedBlock[] }
  | { readonly kind: "end" };

/** Thread to pool, one for each `scan` and each `help`. */
export type ScanThreadAnswer =
  | { readonly kind: "done"; readonly result: ScanResult }
  | { readonly kind: "helped"; readonly help: Help }
  | { readonly kind: "failed"; readonly error: PlainError };
