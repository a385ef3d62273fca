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

export interface Flusher {
  /** Starts one job; at most one is under way. `done` gets null, or the error after which the data must be taken as lost. */
  flush(job: FlushJob, done: (error: PlainError | null) => void): void;
  /** Lets the thread end after what is under way. */
  stop(): void;
}
