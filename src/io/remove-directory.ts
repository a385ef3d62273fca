// rmdir, for the one case in which a directory is ever removed: undoing a repair that had made a shard directory anew.

import { rmdirSync } from "node:fs";
import { DiskError } from "./disk.ts";

/** Removes an empty directory; anything in it makes this fail. */
export function removeDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch (thrown) {
    const errno = (thrown as NodeJS.ErrnoException).code;
    if (errno === undefined) throw thrown;
    throw new DiskError("remove directory", path, errno);
  }
}
