// What the thread of a shard tells of work that may take long, and hears in the middle of it: messages come only in between. The real
// form is in the threads' shared memory (replica/threads/shared-cells.ts).

import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { ReplacingDisk } from "./replace-file.ts";

/** Calls of the disk that may not come back. `pwrite` is a write of slots, or of a file beside them. */
export const DISK_CALLS = ["pwrite", "fdatasync", "fsync", "fallocate"] as const;
export type DiskCallName = (typeof DISK_CALLS)[number];

/** A call of the disk that has not come back. */
export interface CallUnderWay {
  readonly call: DiskCallName;
  /** Monotonic. */
  readonly sinceMs: number;
}

export interface Attention {
  /** A call of the disk begins; monotonic ms. */
  began(call: DiskCallName, atMs: number): void;
  /** It came back, or failed. */
  ended(): void;
  /** Notes that the thread lives. True: it is to stop. Long loops ask every 50 ms or more often; monotonic ms. */
  isStopped(atMs: number): boolean;
}

/** Runs calls of the disk that may hang, where others see since when. */
export function during<T>(
  attention: Attention,
  call: DiskCallName,
  startMs: number,
  run: () => T,
): T {
  attention.began(call, startMs);
  try {
    return run();
  } finally {
    attention.ended();
  }
}

/** A disk on which small files are replaced: each call that may hang is told of. */
export function attentiveDisk(
  disk: Disk,
  attention: Attention,
  clock: Pick<Clock, "nowMs">,
): ReplacingDisk {
  const tell = (call: DiskCallName, run: () => void) => during(attention, call, clock.nowMs(), run);
  return {
    facts: (path) => disk.facts(path),
    remove: (path) => disk.remove(path),
    rename: (from, to) => disk.rename(from, to),
    syncDirectory: (path) => tell("fsync", () => disk.syncDirectory(path)),
    open: (...how) => {
      const file = disk.open(...how);
      return {
        write: (bytes, offset) => tell("pwrite", () => file.write(bytes, offset)),
        own: (uid, gid, mode) => file.own(uid, gid, mode),
        sync: () => tell("fsync", () => file.sync()),
        close: () => file.close(),
      };
    },
  };
}
