// The lock of a database directory (cli.md: Ownership; format.md: db.lock). Writers hold it exclusively, serve holds it
// shared; it is a flock, so the kernel drops it with the process. The file is never removed. Readers do without: even a
// shared lock makes a crate program that starts meanwhile fail at once.

import { join } from "node:path";
import { ArmdbError } from "../errors.ts";
import { type Disk, DiskError, type DiskFile } from "../io/disk.ts";
import { LOCK_FILE, lockHolder, writtenPid } from "./holders.ts";
import { ownerLikeDatabase } from "./ownership.ts";

export type LockKind = "exclusive" | "shared";

/** A lock on a directory, until `release` or the end of the process. */
export interface HeldLock {
  /** `none`: a shared lock was asked for where there is no db.lock, and readers create nothing. */
  readonly kind: LockKind | "none";
  release(): void;
}

/** db.lock is replaced by nobody; more rounds than this mean that somebody does. */
const OPEN_ROUNDS_MAX = 3;
const PID_TEXT_BYTES_MAX = 20;

/**
 * Takes the lock of `dir` without waiting. Exclusive: creates db.lock where it is missing, with owner and mode of
 * db.meta, and writes our pid into it. Shared: creates nothing. Throws `locked` with the holder's pid when another
 * process is in the way.
 */
export function takeLock(disk: Disk, dir: string, kind: LockKind): HeldLock {
  const path = join(dir, LOCK_FILE);
  for (let round = 0; round < OPEN_ROUNDS_MAX; round++) {
    const file = openLockFile(disk, dir, path, kind);
    if (file === null) return { kind: "none", release: () => {} };
    try {
      if (!file.lock(kind)) throw lockedError(dir, kind, file);
      // Between open and lock the name may have come to mean another file: then ours guards nothing.
      if (isStill(disk, path, file)) {
        if (kind === "exclusive") writePid(file);
        return { kind, release: () => file.close() };
      }
    } catch (thrown) {
      file.close();
      throw thrown;
    }
    file.close();
  }
  throw new ArmdbError("locked", `Cannot lock "${dir}": "${path}" is being replaced all the time`, {
    path,
    hint: `ls -li "${path}", and stop whatever replaces it: db.lock is never to be removed`,
  });
}

function openLockFile(disk: Disk, dir: string, path: string, kind: LockKind): DiskFile | null {
  const exists = disk.facts(path) !== null;
  if (kind === "shared") return exists ? disk.open(path, "read") : null;
  if (exists) return disk.open(path, "write");
  // Refuses before anything is created where owner and mode cannot be had.
  const owner = ownerLikeDatabase(disk, dir);
  let file: DiskFile;
  try {
    file = disk.open(path, "create", owner.mode);
  } catch (thrown) {
    // Another process created it first: its file is as good.
    if (thrown instanceof DiskError && thrown.errno === "EEXIST") return disk.open(path, "write");
    throw thrown;
  }
  try {
    if (owner.uid !== null) file.own(owner.uid, owner.gid, owner.mode);
    return file;
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

function isStill(disk: Disk, path: string, file: DiskFile): boolean {
  const named = disk.facts(path);
  const held = file.facts();
  return named !== null && named.inode === held.inode && named.device === held.device;
}

/** The pid is for people; a disk that cannot take it will be met again by the data. */
function writePid(file: DiskFile): void {
  try {
    file.truncate(0);
    file.write(Buffer.from(`${process.pid}\n`, "latin1"), 0);
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
  }
}

function lockedError(dir: string, kind: LockKind, file: DiskFile): ArmdbError {
  const holder = lockHolder(dir);
  // A shared holder writes no pid: what stands in the file is then an older owner's.
  const pid = holder === null ? writtenPid(readText(file)) : holder.pid;
  const who = pid === null ? "another process" : `process ${pid}`;
  const how =
    holder?.kind === "shared" ? "is being served or read by" : "is open and being changed by";
  const see = pid === null ? `fuser -v "${join(dir, LOCK_FILE)}"` : `ps -p ${pid}`;
  const wanted = kind === "exclusive" ? "to write" : "to serve";
  return new ArmdbError("locked", `Database "${dir}" ${how} ${who}`, {
    path: join(dir, LOCK_FILE),
    hint: `${see} shows it; stop it, then try again ${wanted} this directory`,
  });
}

function readText(file: DiskFile): string {
  const bytes = new Uint8Array(PID_TEXT_BYTES_MAX);
  return Buffer.from(bytes.subarray(0, file.read(bytes, 0))).toString("latin1");
}
