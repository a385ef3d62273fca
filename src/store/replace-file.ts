// Replaces a small file so that a crash leaves the old or the new contents, never a part: temp file, fsync, rename,
// directory fsync (reliability: crash-safe state).

import { dirname } from "node:path";
import { ArmdbError } from "../errors.ts";
import type { Disk, DiskFile } from "../io/disk.ts";
import type { NewFileOwner } from "./ownership.ts";

/**
 * `durable`: on disk when it returns. `later`: the system writes it when it likes, so that the caller never waits for a slow
 * disk; for files that may be lost.
 */
export type Replacement = "durable" | "later";

/** What a replacement asks of the disk. */
export interface ReplacingDisk extends Pick<Disk, "facts" | "remove" | "rename" | "syncDirectory"> {
  open(...how: Parameters<Disk["open"]>): Pick<DiskFile, "write" | "own" | "sync" | "close">;
}

/** Writes `contents` to `path` by way of `tempPath` in the same directory, which is gone again where that fails. */
export function replaceFile(
  disk: ReplacingDisk,
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
  } catch (thrown) {
    removeIfThere(disk, tempPath);
    throw thrown;
  }
  if (replacement === "durable") disk.syncDirectory(dirname(path));
}

/** As `replaceFile`, for what may be missing; returns the error where there is no room for it. */
export function replaceIfRoom(...replacing: Parameters<typeof replaceFile>): ArmdbError | null {
  try {
    replaceFile(...replacing);
    return null;
  } catch (thrown) {
    if (thrown instanceof ArmdbError && thrown.code === "no-space") return thrown;
    throw thrown;
  }
}

/** What failed before is the reason to tell; the next start removes what stays here. */
function removeIfThere(disk: ReplacingDisk, path: string): void {
  try {
    if (disk.facts(path) !== null) disk.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
  }
}
