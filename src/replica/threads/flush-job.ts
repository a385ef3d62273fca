// One job of a Flusher: the data of a shard becomes durable, then its cursor is replaced, so that the cursor never tells of more
// than the disk holds. Runs on the sync thread (flush-thread.ts), and in the one thread of a simulation.

import { join } from "node:path";
import { CURSOR_FILE, CURSOR_TEMP_FILE } from "../../format/cursor.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import type { FlushJob } from "../../io/flusher.ts";
import { requireNames } from "../../store/held-files.ts";
import type { NewFileOwner } from "../../store/ownership.ts";
import { replaceFile } from "../../store/replace-file.ts";

/** `data` is the shard's data file, `directory` where its cursor lies. Throws DiskError, and `storage` where the names mean something else now. */
export function runFlushJob(
  disk: Disk,
  data: DiskFile,
  directory: string,
  owner: NewFileOwner,
  job: FlushJob,
): void {
  data.syncData();
  if (job.cursor === null) return;
  requireNames(disk, job.names);
  const temp = join(directory, CURSOR_TEMP_FILE);
  try {
    replaceFile(disk, join(directory, CURSOR_FILE), temp, [job.cursor], owner);
  } catch (thrown) {
    // Where the directory was taken away meanwhile, that is the reason, and not the name that is not there.
    requireNames(disk, job.names);
    throw thrown;
  }
}
