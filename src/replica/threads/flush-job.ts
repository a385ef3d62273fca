// One job of a Flusher: the data of a shard becomes durable, then its cursor is replaced, so that the cursor never tells of more
// than the disk holds. Runs on the sync thread (flush-thread.ts), and in the one thread of a simulation.

import { join } from "node:path";
import { CURSOR_FILE, CURSOR_TEMP_FILE } from "../../format/cursor.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import { ArmdbError, toPlainError } from "../../errors.ts";
import type { FlushJob, FlushResult } from "../../io/flusher.ts";
import { requireNames } from "../../store/held-files.ts";
import type { NewFileOwner } from "../../store/ownership.ts";
import { replaceIfRoom } from "../../store/replace-file.ts";

/** `data` is the shard's data file, `directory` where its cursor lies. Never throws what is explained. */
export function runFlushJob(
  disk: Disk,
  data: DiskFile,
  directory: string,
  owner: NewFileOwner,
  job: FlushJob,
): FlushResult {
  try {
    data.syncData();
    const unsaved =
      job.cursor === null ? null : saveCursor(disk, directory, owner, job, job.cursor);
    return { error: null, unsaved: unsaved === null ? null : toPlainError(unsaved) };
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return { error: toPlainError(thrown), unsaved: null };
  }
}

/** Throws DiskError, and `storage` where the names mean something else now. */
function saveCursor(
  disk: Disk,
  directory: string,
  owner: NewFileOwner,
  { names }: FlushJob,
  cursor: Uint8Array,
): ArmdbError | null {
  requireNames(disk, names);
  const temp = join(directory, CURSOR_TEMP_FILE);
  try {
    return replaceIfRoom(disk, join(directory, CURSOR_FILE), temp, [cursor], owner);
  } catch (thrown) {
    // Where the directory was taken away meanwhile, that is the reason, and not the name that is not there.
    requireNames(disk, names);
    throw thrown;
  }
}
