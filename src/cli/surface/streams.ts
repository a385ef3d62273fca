// stdout and stderr as plain sinks of text. Writes are synchronous, so that what was said is out before the process
// ends; a reader that went away is an answer, not an exception. Used by output.ts, messages.ts and the display.

import { fstatSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

/** One end of a pipe, a file or a terminal. */
export interface Sink {
  readonly isTerminal: boolean;
  /** Size of the terminal now; 80 x 24 elsewhere. */
  columns(): number;
  rows(): number;
  /** Writes all of it. Returns null, or the errno of what stopped it (`EPIPE`, `ENOSPC`). */
  write(text: string): string | null;
}

const COLUMNS_DEFAULT = 80;
const COLUMNS_MIN = 20;
const ROWS_DEFAULT = 24;
/** Pause before a full non-blocking pipe is tried again. */
const RETRY_MS = 2;

/** The process's stdout (1) or stderr (2). */
export function processSink(fd: 1 | 2): Sink {
  const isTerminal = isatty(fd);
  const stream = () => (fd === 1 ? process.stdout : process.stderr);
  return {
    isTerminal,
    columns: () => Math.max(COLUMNS_MIN, (isTerminal ? stream().columns : 0) || COLUMNS_DEFAULT),
    rows: () => (isTerminal ? stream().rows : 0) || ROWS_DEFAULT,
    write: (text) => writeAll(fd, Buffer.from(text, "utf8")),
  };
}

function writeAll(fd: number, bytes: Uint8Array): string | null {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done, bytes.length - done);
    } catch (thrown) {
      const errno = (thrown as NodeJS.ErrnoException).code;
      if (errno === "EINTR") continue;
      if (errno !== "EAGAIN") return errno ?? "EIO";
      // Somebody made the pipe non-blocking: wait as a blocking write would.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
  return null;
}

/** True when stderr goes straight to the journal, which then reads `<4>` at the start of a line as a level. */
export function isJournal(env: Readonly<Record<string, string | undefined>>): boolean {
  const place = env["JOURNAL_STREAM"];
  if (place === undefined) return false;
  try {
    const facts = fstatSync(2);
    return place === `${facts.dev}:${facts.ino}`;
  } catch {
    return false;
  }
}
