// What a follower holds of a database directory, against what the names there mean now. Slots go to a descriptor, whatever becomes
// of its name; sidecar, cursor, flag and state file go by name. Used by whoever writes by name, right before, and by the watch of a
// running follower (replica/file-watch.ts).
//
// The data file's identity is that of its descriptor. As long as that is open nobody else gets its inode, so a name of the same
// device and inode is that very file, and what lstat says of the name is what fstat would say of the descriptor.

import { join } from "node:path";
import { ArmdbError } from "../errors.ts";
import { DB_META_BYTES, DB_META_FILE } from "../format/db-meta.ts";
import { shardDirectory } from "../format/routing.ts";
import { SHARD_FILE, shardFileBytes } from "../format/shard-header.ts";
import type { SlotLayout } from "../format/slot.ts";
import { type Disk, DiskError, type DiskFile, type HeldName } from "../io/disk.ts";
import { LOCK_FILE } from "./holders.ts";
import { readSmallFile } from "./read-file.ts";
import { soundHeader } from "./shard-file.ts";

/** What a shard's writer holds. */
export interface HeldShard {
  readonly data: HeldName;
  readonly directory: HeldName;
  readonly layout: SlotLayout;
  /** All that must mean the same before anything of the shard is written by name. */
  readonly names: readonly HeldName[];
}

export interface HeldPlace {
  readonly disk: Disk;
  /** Database directory. */
  readonly dir: string;
  readonly shard: number;
  readonly layout: SlotLayout;
}

/** The directory and its lock, where they are there. */
export function holdDirectory(disk: Disk, dir: string): HeldName[] {
  return [dir, join(dir, LOCK_FILE)].flatMap((path) => holdName(disk, path) ?? []);
}

/** Once the directory is made: without its db.meta the crate takes it for a new one. */
export function holdDbMeta(disk: Disk, dir: string): HeldName[] {
  const path = join(dir, DB_META_FILE);
  const name = holdName(disk, path);
  const contents = readSmallFile(disk, path, DB_META_BYTES + 1);
  return name === null || contents === null ? [] : [{ ...name, contents }];
}

/** A shard whose data file is open as `file`. */
export function holdShard({ disk, dir, shard, layout }: HeldPlace, file: DiskFile): HeldShard {
  const { device, inode } = file.facts();
  const path = join(dir, shardDirectory(shard));
  const data = { path: join(path, SHARD_FILE), device, inode };
  const directory = holdName(disk, path);
  if (directory === null) throw lostName(path, GONE);
  const names = [...holdDirectory(disk, dir), ...holdDbMeta(disk, dir), directory, data];
  return { data, directory, layout, names };
}

function holdName(disk: Disk, path: string): HeldName | null {
  const facts = disk.facts(path);
  return facts === null ? null : { path, device: facts.device, inode: facts.inode };
}

const GONE = "it was removed or renamed";

/** Throws `storage` where one of the names means something else by now: it is not ours to write there. */
export function requireNames(disk: Disk, names: readonly HeldName[]): void {
  const error = namesTrouble(disk, names);
  if (error !== null) throw error;
}

/** The first name that means something else by now; null: none, or the machine is too short of descriptors to look. */
export function namesTrouble(disk: Disk, names: readonly HeldName[]): ArmdbError | null {
  return looked(() => {
    for (const { path, device, inode, contents } of names) {
      const facts = disk.facts(path);
      if (facts === null) return lostName(path, GONE);
      if (facts.device !== device || facts.inode !== inode) {
        return lostName(path, `another ${facts.kind} lies at that name`);
      }
      if (contents === undefined) continue;
      const now = readSmallFile(disk, path, contents.length + 1);
      if (now === null || Buffer.compare(now, contents) !== 0) {
        return lostName(path, "its bytes were changed");
      }
    }
    return null;
  });
}

/** A shard whose data file is not at its name any more, or is too short for so many slots. */
export function shardTrouble(disk: Disk, held: HeldShard, slots: number): ArmdbError | null {
  const { data, directory, layout } = held;
  const lost = namesTrouble(disk, [directory, data]);
  if (lost !== null) return lost;
  return looked(() => {
    const bytes = disk.facts(data.path)?.bytes ?? 0;
    const wanted = shardFileBytes(slots, layout.slotSize);
    if (bytes >= wanted) return null;
    return lostName(data.path, `it was cut to ${bytes} bytes, its slots take ${wanted}`);
  });
}

/** A shard whose header, read back, is not one of its own; this also meets a file system that is gone. */
export function headerTrouble(disk: Disk, held: HeldShard, shard: number): ArmdbError | null {
  const { data, layout } = held;
  return looked(() => {
    const file = disk.open(data.path, "read");
    try {
      const { device, inode } = file.facts();
      if (device !== data.device || inode !== data.inode) return null;
      const header = soundHeader(file, shard, layout);
      return typeof header === "string" ? lostName(data.path, header) : null;
    } finally {
      file.close();
    }
  });
}

/** What stands in the way of looking is trouble too, but for a want of descriptors or memory. */
function looked(look: () => ArmdbError | null): ArmdbError | null {
  try {
    return look();
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
    return WANTS.has(thrown.errno) ? null : thrown;
  }
}

const WANTS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

function lostName(path: string, reason: string): ArmdbError {
  const hint = `ls -li on it and its directory; put back what belongs there, then start the follower again`;
  return new ArmdbError("storage", `Lost "${path}" while following: ${reason}`, { path, hint });
}
