// What a scan of one shard is told and what it answers: plain data, so that both cross to a thread and back.

import type { PlainError } from "../../errors.ts";
import type { SlotLayout } from "../../format/slot.ts";
import type { VersionRange } from "../check/cursor.ts";
import type { Finding } from "../findings.ts";
import type { HelpedBlock } from "./blocks.ts";
import type { Help } from "./help.ts";
import { type RoutingCheck } from "../../format/slot-scanner.ts";

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
  /** The sidecar, where the crate would use it; its words are compared with the slots. */
  readonly sidecarPath: string | null;
  /** Memory for the search of doubled keys; 0 leaves it out. */
  readonly duplicateBytesMax: number;
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
  /** A writer is known: what looks bad is read several times. */
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
  readonly bytesRead: number;
  readonly versions: VersionRange;
  readonly findings: readonly Finding[];
  /** True when the file changed while it was read. */
  readonly changed: boolean;
  /** True when the scan was stopped before its end. */
  readonly stopped: boolean;
}

/**
 * Cells of the memory that all threads share that scan one shard, u32 each. The pool sets STOP, the shard's own thread
 * SLOTS_DONE, scan/blocks.ts the rest.
 */
export const CELL_STOP = 0;
export const CELL_SLOTS_DONE = 1;
/** Blocks that somebody has taken, those of them that helpers have, and those of these that the scan has got back. */
export const CELL_BLOCKS_TAKEN = 2;
export const CELL_BLOCKS_HELPED = 3;
export const CELL_BLOCKS_COLLECTED = 4;
export const SHARED_CELLS_BYTES = 20;

export interface ScanRequest {
  readonly kind: "scan";
  readonly task: ScanTask;
  readonly cells: SharedArrayBuffer;
}

export interface HelpRequest extends Omit<ScanRequest, "kind"> {
  readonly kind: "help";
}

/**
 * Pool to thread. `scan` and `help` one at a time: the next comes after the answer. `take`: blocks of the scan that it is
 * at, as a helper left them. `end`: no more will come.
 */
export type ScanThreadRequest =
  | ScanRequest
  | HelpRequest
  | { readonly kind: "take"; readonly blocks: readonly HelpedBlock[] }
  | { readonly kind: "end" };

/** Thread to pool, one for each `scan` and each `help`. */
export type ScanThreadAnswer =
  | { readonly kind: "done"; readonly result: ScanResult }
  | { readonly kind: "helped"; readonly help: Help }
  | { readonly kind: "failed"; readonly error: PlainError };
