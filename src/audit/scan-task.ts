// What a scan of one shard is told and what it answers: plain data, so that both cross to a thread and back.

import type { PlainError } from "../errors.ts";
import type { SlotLayout } from "../format/slot.ts";
import type { VersionRange } from "./cursor-check.ts";
import type { Finding } from "./findings.ts";
import { type RoutingCheck } from "../format/slot-scanner.ts";

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

/** Cells of the memory that a scan thread shares with its owner, u32 each. The owner sets STOP, the thread the rest. */
export const CELL_STOP = 0;
export const CELL_SLOTS_DONE = 1;
export const SHARED_CELLS_BYTES = 8;

/** Owner to thread, one at a time: the next comes after the answer. `end`: no more will come. */
export type ScanThreadRequest =
  | { readonly kind: "scan"; readonly task: ScanTask; readonly cells: SharedArrayBuffer }
  | { readonly kind: "end" };

/** Thread to owner, one for each `scan`. */
export type ScanThreadAnswer =
  | { readonly kind: "done"; readonly result: ScanResult }
  | { readonly kind: "failed"; readonly error: PlainError };
