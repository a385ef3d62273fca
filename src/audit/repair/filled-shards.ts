// Whether the shards that a repair filled are still as it filled them: an undo removes what it knows byte for byte. Used by
// repair/undo.ts. Reads the whole of each such file, at the pace of its task.

import type { Disk, DiskFile } from "../../io/disk.ts";
import type { Task } from "../task.ts";
import { OpenFiles, sumOf } from "./files.ts";
import type { FilledEntry } from "./journal-format.ts";
import type { JournalReader } from "./journal-reader.ts";

/** What stands where a shard was filled: nothing, the file as it was filled, or anything else. */
export type FilledState = "none" | "as filled" | "other";

/** Of each shard that the repair filled. Without the entry `filled` (an earlier build wrote none) a file is not known. */
export async function filledShards(
  disk: Disk,
  root: string,
  journal: JournalReader,
  task: Task,
): Promise<Map<number, FilledState>> {
  const files = new OpenFiles(disk, root, "read");
  const states = new Map<number, FilledState>();
  try {
    for (let index = 0; index < journal.length; index++) {
      const entry = journal.at(index);
      if (entry.kind !== "rename-new") continue;
      const file = files.at({ kind: "data", shard: entry.shard });
      const filled = journal.filled(entry.shard);
      states.set(entry.shard, file === null ? "none" : await filledState(file, filled, task));
    }
  } finally {
    files.close();
  }
  return states;
}

async function filledState(
  file: DiskFile,
  filled: FilledEntry | null,
  task: Task,
): Promise<FilledState> {
  if (filled === null || file.size() !== filled.bytes) return "other";
  const { crc32 } = await sumOf(file, task);
  return crc32 === filled.crc32 ? "as filled" : "other";
}
