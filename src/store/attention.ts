// What the thread of a shard tells of work that may take long, and hears in the middle of it: messages come only in between. The real
// form is in the threads' shared memory (replica/threads/shared-cells.ts).

/** Calls of the disk that may not come back. `pwrite` is a write of slots. */
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
