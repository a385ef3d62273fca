// Reads a file from its first byte to its last, so that the disk works while the caller does. Used by whatever goes through
// all slots of a shard: scans, the load of a replica, searches.

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
 * Asks ahead only where the disk decides, by the system's own count: to ask for what is cached costs, as the system looks at
 * every page. Of a verify at 32x1000 that was 12 to 20 % with one worker, 5 to 7 % with two. How long a read takes does not
 * tell: where threads share a core, up to two thirds of the cached ones were asked for too.
 */
export class OrderedReader {
  readonly file: DiskFile;
  /** What is read before this is asked ahead. */
  #askUntil = 0;
  /** All before it was asked for. Once each, as asking costs. */
  #asked = 0;

  constructor(file: DiskFile) {
    this.file = file;
  }

  /** As `file.read`, for one of many reads in order: where the disk decides, what comes next is on its way already. */
  read(into: Uint8Array, offset: number): number {
    const end = offset + into.length;
    if (offset < this.#askUntil) this.#ask(end, end + READ_AHEAD_BYTES);
    const fetched = this.file.blocksFetched();
    const got = this.file.read(into, offset);
    if (this.file.blocksFetched() !== fetched) this.#askUntil = end + ASKED_BYTES_A_FETCH;
    return got;
  }

  #ask(from: number, to: number): void {
    const start = Math.max(from, this.#asked);
    if (start >= to) return;
    this.file.willRead(start, to - start);
    this.#asked = to;
  }
}
