// Reads of a file from its first byte to its last. Used by whatever goes through all slots of a shard: scans, the load of a
// replica, searches.

import type { DiskFile } from "./disk.ts";

/**
 * How far the system reads ahead of the caller's work. Measured on files that are not cached, in chunks of 1 MiB: 18 to
 * 35 % less time for one file than with what the system reads ahead by itself; two files at a time gain nothing.
 */
export const READ_AHEAD_BYTES = 2 * 1024 * 1024;

/**
 * As `file.read`, for one of many reads in order: the system begins with what comes soon before this one returns. Each
 * place is asked for once, as the system looks at every page of it: asked for twice, cached files took 5 % longer.
 */
export function readInOrder(file: DiskFile, into: Uint8Array, offset: number): number {
  file.willRead(offset + READ_AHEAD_BYTES, into.length);
  return file.read(into, offset);
}
