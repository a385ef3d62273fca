// Reads a file from its first byte to its last, so that the disk works while the caller does. Used by whatever goes through
// all slots of a shard: scans, the load of a replica, searches.

import type { Clock } from "./clock.ts";
import type { DiskFile } from "./disk.ts";

/**
 * How far the system reads ahead of the caller's work. A verify of files that are not cached, 2.1 GB at 32x1000, with 2, 8 and
 * 16 MiB: 2393, 2206, 2205 ms with one worker and 2265, 1990, 2029 with two where the system reads 128 KiB ahead by itself, its
 * default; 5010, 2018, 1979 and 4172, 1894, 1768 where it reads 8 MiB, in shuffled turns. In a fixed order, with 2 and 8 MiB, 5746
 * and 1960 with one, but 1572 and 1828 with two. Without asking, at 128 KiB and on another machine, it took 1.6 and 1.3 times as
 * long as with 2 MiB.
 */
export const READ_AHEAD_BYTES = 8 * 1024 * 1024;

/** After a read that came from the disk this much is asked ahead: what comes in time is cached by then. */
const ASKED_BYTES_A_FETCH = 64 * 1024 * 1024;

/**
 * Of so many bytes at a time it is found out whether the system's own read-ahead keeps up; a shorter file is left to it. A quarter
 * of this may take a fast disk for slow: 32x1000 with two workers 201 ms instead of 151, else the same, medians of fifteen in turns.
 */
export const JUDGED_BYTES = 16 * 1024 * 1024;
/** It does while reads, some of them from the disk, come to this: 1 GiB/s. */
const BYTES_PER_MS_MIN = 1024 * 1024;

/**
 * Asks ahead only where the disk decides. To ask for what is cached costs, as the system looks at every page: of a verify at
 * 32x1000 that was 12 to 20 % with one worker, 5 to 7 % with two; the system's own count tells what came from the disk.
 *
 * A fast disk is left to the system's own read-ahead, which takes less of the processors (8x64: 373 ms instead of 456). A verify
 * of files that are not cached on a disk of 4 to 8 GB/s then took, in two series of shuffled turns, 0.79 and 0.81 of the time with
 * one worker, 0.75 and 0.72 with two at 8x64; 0.95, 0.83 and 0.87, 0.81 at 32x1000. Held to 700 MB/s: no difference. Held to 800
 * reads a second: 1.01 to 1.09 of it where the system reads 128 KiB ahead, 0.5 and 0.8 where it reads 8 MiB (runs that swing).
 */
export class OrderedReader {
  readonly file: DiskFile;
  readonly #clock: Clock | null;
  /** The system's own read-ahead was seen not to keep up; for the rest of the file it is helped. */
  #isSlow: boolean;
  /** Since the last judgement. */
  #readBytes = 0;
  #readMs = 0;
  #hasFetched = false;
  /** What is read before this is asked ahead. */
  #askUntil = 0;
  /** All before it was asked for. Once each, as asking costs. */
  #asked = 0;

  /**
   * Without a clock every disk counts as slow. For files that are written a slot at a time afterwards: Linux looks through all
   * of a piece at each write into it (real-disk.ts), and what is asked ahead comes in small ones.
   */
  constructor(file: DiskFile, clock: Clock | null) {
    this.file = file;
    this.#clock = clock;
    this.#isSlow = clock === null;
  }

  /** As `file.read`, for one of many reads in order: where the disk decides, what comes next is on its way already. */
  read(into: Uint8Array, offset: number): number {
    const end = offset + into.length;
    if (offset < this.#askUntil) this.#ask(end, end + READ_AHEAD_BYTES);
    const fetchedBefore = this.file.blocksFetched();
    const startMs = this.#clock?.nowMs() ?? 0;
    const got = this.file.read(into, offset);
    const tookMs = (this.#clock?.nowMs() ?? 0) - startMs;
    const isFetched = this.file.blocksFetched() !== fetchedBefore;
    if (!this.#isSlow) this.#judge(got, tookMs, isFetched);
    if (isFetched && this.#isSlow) this.#askUntil = end + ASKED_BYTES_A_FETCH;
    return got;
  }

  /** By many reads together: a single one also waits for a window of the system's, or for a processor. */
  #judge(bytes: number, tookMs: number, isFetched: boolean): void {
    this.#readBytes += bytes;
    this.#readMs += tookMs;
    this.#hasFetched ||= isFetched;
    if (this.#readBytes < JUDGED_BYTES) return;
    this.#isSlow = this.#hasFetched && this.#readBytes < this.#readMs * BYTES_PER_MS_MIN;
    this.#readBytes = 0;
    this.#readMs = 0;
    this.#hasFetched = false;
  }

  #ask(from: number, to: number): void {
    const start = Math.max(from, this.#asked);
    if (start >= to) return;
    this.file.willRead(start, to - start);
    this.#asked = to;
  }
}
