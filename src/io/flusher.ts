// Makes written data durable without holding up the reader of the socket: fdatasync runs on a thread of its own over the
// same file (replica/threads/flush-thread.ts). Tests pass one that works at once, late, or never.

import type { PlainError } from "../errors.ts";
import type { HeldName } from "./disk.ts";

export interface FlushJob {
  /** A cursor to save after the data is durable, or null. */
  readonly cursor: Uint8Array | null;
  /** What must still lie at its name before the cursor is saved by one. */
  readonly names: readonly HeldName[];
}

export interface FlushResult {
  /** After it the data must be taken as lost; null: it is durable. */
  readonly error: PlainError | null;
  /** Why there was no room for the cursor; null: it is saved, or none was to be. */
  readonly unsaved: PlainError | null;
}

export interface Flusher {
  /** Starts one job; at most one is under way. */
  flush(job: FlushJob, done: (result: FlushResult) => void): void;
  /** Lets the thread end after what is under way. */
  stop(): void;
}
