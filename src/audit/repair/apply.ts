// Makes the changes of a plan, in their order, after the journal has been written. Used by repair/repair.ts under the exclusive
// lock. Promises: each change may be made twice; when this throws, every change is made, or not, or half made, and both
// another repair and an undo get on from there.

import { Bug } from "../../errors.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import { type Change, type FileAttributes, type Place, placeName, placePath } from "./changes.ts";
import { OpenFiles } from "./files.ts";

/** Puts a whole shard into a new, empty file: header, slots, length. Synced by the changes after it. */
export type FillShard = (shard: number, file: DiskFile) => Promise<void>;

export async function applyChanges(
  disk: Disk,
  root: string,
  changes: readonly Change[],
  fill: FillShard,
): Promise<void> {
  const files = new OpenFiles(disk, root, "write");
  try {
    for (const change of changes) {
      if (change.kind === "fill") {
        await fill(change.shard, fileAt(files, { kind: "new-data", shard: change.shard }));
      } else {
        applyChange(disk, root, files, change);
      }
    }
  } finally {
    files.close();
  }
}

function applyChange(
  disk: Disk,
  root: string,
  files: OpenFiles,
  change: Exclude<Change, { kind: "fill" }>,
): void {
  switch (change.kind) {
    case "write":
      return fileAt(files, change.place).write(change.after, change.offset);
    case "resize":
      return fileAt(files, change.place).truncate(change.bytesAfter);
    case "remove":
      files.close();
      return disk.remove(placePath(root, change.place));
    case "create":
      return createFile(disk, root, files, change.place, change.attributes);
    case "make-directory": {
      const path = placePath(root, change.place);
      const { uid, gid, mode } = change.attributes;
      disk.makeDirectory(path, mode);
      if (uid !== null) disk.own(path, uid, gid, mode);
      return;
    }
    case "rename-new": {
      files.close();
      const { shard } = change;
      const from = placePath(root, { kind: "new-data", shard });
      return disk.rename(from, placePath(root, { kind: "data", shard }));
    }
    case "sync":
      return fileAt(files, change.place).syncData();
    case "sync-directory":
      return disk.syncDirectory(placePath(root, change.place));
  }
}

/** An empty file with these attributes. A shard that was half filled by a repair that died is begun anew. */
export function createFile(
  disk: Disk,
  root: string,
  files: OpenFiles,
  place: Place,
  { uid, gid, mode }: FileAttributes,
): void {
  files.close();
  const path = placePath(root, place);
  const isOurs = place.kind === "new-data" || place.kind === "restored";
  if (isOurs && disk.facts(path) !== null) disk.remove(path);
  const file = disk.open(path, "create", mode);
  try {
    if (uid !== null) file.own(uid, gid, mode);
  } finally {
    file.close();
  }
}

function fileAt(files: OpenFiles, place: Place): DiskFile {
  const file = files.at(place);
  if (file === null) throw new Bug(`${placeName(place)} was there when the plan was made`);
  return file;
}
