// stdout or stderr as the process was given it, written to without waiting: a pipe whose reader stands still, a terminal
// under Ctrl-S or a full socket says that it has no room. Used by cli/surface/streams.ts. What others have open of the same
// pipe is left as it is: no flag is set on what they share.

import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { EWOULDBLOCK, errnoName, hasLibc, roomToWrite, sendNow } from "./libc.ts";

export interface Outlet {
  /** How many of the bytes were taken, 0 where there is no room now, or the errno of what stopped it (`EPIPE`). */
  write(bytes: Uint8Array): number | string;
  /** Waits for room, at most so long; the thread does nothing else meanwhile. */
  waitForRoom(waitMs: number): void;
  /** Nobody reads it any more. */
  isGone(): boolean;
}

/** Room for so much is there where poll(2) says that there is any: PIPE_BUF of a pipe, and what a terminal always takes. */
const PIPE_BYTES = 4_096;
const TERMINAL_BYTES = 256;

/** The process's stdout (1) or stderr (2). */
export function openOutlet(fd: 1 | 2): Outlet {
  const stats = fstatSync(fd);
  const common = {
    waitForRoom: (waitMs: number) => void roomToWrite(fd, waitMs),
    isGone: () => !stats.isFile() && roomToWrite(fd, 0) === "gone",
  };
  if (stats.isSocket()) {
    // Without system calls nothing but the refusal of the program is said.
    const write = (bytes: Uint8Array) =>
      hasLibc() ? taken(sendNow(fd, bytes)) : written(fd, bytes);
    return { ...common, write };
  }
  const isTerminal = stats.isCharacterDevice();
  // A file and a disk never say that they have no room to wait for.
  if (!stats.isFIFO() && !isTerminal) return { ...common, write: (bytes) => written(fd, bytes) };
  const own = reopened(fd);
  if (own !== null) return { ...common, write: (bytes) => written(own, bytes) };
  const bytesMax = isTerminal ? TERMINAL_BYTES : PIPE_BYTES;
  return {
    ...common,
    write: (bytes) =>
      roomToWrite(fd, 0) === "full" ? 0 : written(fd, bytes.subarray(0, bytesMax)),
  };
}

/**
 * The same pipe or terminal, opened once more and without waiting. Null where that may not be: it belongs to another user,
 * as under sudo and in containers, or this is no Linux.
 */
function reopened(fd: number): number | null {
  if (process.platform !== "linux") return null;
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return null;
  }
}

function written(fd: number, bytes: Uint8Array): number | string {
  for (;;) {
    try {
      return writeSync(fd, bytes, 0, bytes.length);
    } catch (thrown) {
      const errno = (thrown as NodeJS.ErrnoException).code ?? "EIO";
      if (errno === "EAGAIN") return 0;
      if (errno !== "EINTR") return errno;
    }
  }
}

function taken(result: number): number | string {
  if (result === -EWOULDBLOCK) return 0;
  return result < 0 ? errnoName(result) : result;
}
