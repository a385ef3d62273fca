// What doctor asks of the machine, as an interface, so that tests can show it any machine, and its real form. Reads
// only: /proc, /sys, file system statistics. What cannot be looked at is null, and the checks say so.

import { accessSync, constants, readFileSync, statfsSync } from "node:fs";
import { probeLibc } from "../../io/libc.ts";

/** Space, inodes and kind of a file system. */
export interface FileSystemFacts {
  /** The kernel's magic number; null where the platform has none. */
  readonly magic: number | null;
  /** Bytes free to this user. */
  readonly freeBytes: number;
  /** Of all inodes; 0 where the file system does not count them. */
  readonly inodes: number;
  readonly freeInodes: number;
}

export interface SystemFacts {
  readonly platform: string;
  /** Of the process; null where there are no users. */
  readonly uid: number | null;
  readonly pid: number;
  wallMs(): number;
  /** Of an existing path; null when it cannot be told. */
  fileSystem(path: string): FileSystemFacts | null;
  /** The errno that a write into this directory would meet, or null. */
  writeRefusal(directory: string): string | null;
  /** Text of a small file such as /proc/self/limits; null when it cannot be read. */
  text(path: string): string | null;
  /** Throws the explained ArmdbError when system calls through bun:ffi are not allowed. */
  probeSystemCalls(): void;
}

export const systemFacts: SystemFacts = {
  platform: process.platform,
  uid: process.geteuid?.() ?? null,
  pid: process.pid,
  wallMs: () => Date.now(),
  fileSystem(path) {
    return quietly(() => {
      const facts = statfsSync(path);
      return {
        magic: process.platform === "linux" ? facts.type >>> 0 : null,
        freeBytes: facts.bavail * facts.bsize,
        inodes: facts.files,
        freeInodes: facts.ffree,
      };
    });
  },
  writeRefusal(directory) {
    try {
      accessSync(directory, constants.W_OK | constants.X_OK);
      return null;
    } catch (thrown) {
      return (thrown as NodeJS.ErrnoException).code ?? "EACCES";
    }
  },
  text: (path) => quietly(() => readFileSync(path, "utf8")),
  probeSystemCalls: probeLibc,
};

/** A system call whose failure only means: not known. */
function quietly<T>(run: () => T): T | null {
  try {
    return run();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === undefined) throw thrown;
    return null;
  }
}
