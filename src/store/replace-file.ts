// Replaces a small file so that a crash leaves the old or the new contents, never a part: temp file, fsync, rename,
// directory fsync (reliability: crash-safe state).

import type { Disk } from "../io/disk.ts";
import { dirname } from "node:path";
import type { NewFileOwner } from "./ownership.ts";

/**
 * `durable`: on disk when it returns. `later`: the system writes it when it likes, so that the caller never waits for a slow
 * disk; for files that may be lost.
 */
export type Replacement = "durable" | "later";

/** Writes `contents` to `path` by way of `tempPath` in the same directory. */
export function replaceFile(
  disk: Disk,
  path: string,
  tempPath: string,
  contents: Iterable<Uint8Array>,
  owner: NewFileOwner,
  replacement: Replacement = "durable",
): void {
  // A predecessor that was killed may have left the name behind; anything but its plain file is refused by open.
  if (disk.facts(tempPath) !== null) disk.remove(tempPath);
  const file = disk.open(tempPath, "create", owner.mode);
  try {
    let offset = 0;
    for (const part of contents) {
      file.write(part, offset);
      offset += part.length;
    }
    if (owner.uid !== null) file.own(owner.uid, owner.gid, owner.mode);
    if (replacement === "durable") file.sync();
  } finally {
    file.close();
  }
  disk.rename(tempPath, path);
  if (replacement === "durable") disk.syncDirectory(dirname(path));
}
