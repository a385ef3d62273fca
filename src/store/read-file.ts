// Reads small files whole, with a bound.

import type { Disk } from "../io/disk.ts";

/** The first `bytesMax` bytes of a file, or null when there is no such name. */
export function readSmallFile(disk: Disk, path: string, bytesMax: number): Uint8Array | null {
  if (disk.facts(path) === null) return null;
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(Math.min(file.size(), bytesMax));
    return bytes.subarray(0, file.read(bytes, 0));
  } finally {
    file.close();
  }
}
