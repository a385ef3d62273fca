// Who else has to do with a database directory: the holder of its lock, and the processes that have its files open for
// writing (cli.md: Ownership). Reads /proc only; takes no lock, creates nothing, stops nothing. Where /proc is missing or
// closed to us it says so (`unseen`) and never guesses. Used before serve and replicate start, and by doctor.

import { type BigIntStats, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Held while a program has the database open (format.md: db.lock, from crate 0.7.0). */
export const LOCK_FILE = "db.lock";

/** A flock on db.lock. `pid` is null where the kernel does not name it (another pid namespace, no /proc). */
export interface LockHolder {
  readonly pid: number | null;
  readonly kind: "exclusive" | "shared";
}

/** Other processes with files of a directory open for writing. */
export interface Writers {
  /** Sorted, without our own. */
  readonly pids: readonly number[];
  /** True when some process could not be looked at: an empty list then proves nothing. */
  readonly unseen: boolean;
}

/** Device and inode of a file, as one string. */
export type FileIdentity = string;

/** What this file needs of /proc, so that tests can show any machine. Null: there is none, or it may not be read. */
export interface ProcessTable {
  /** The text of /proc/locks. */
  locks(): string | null;
  /** Ids of all processes. */
  pids(): readonly number[] | null;
  /** Numbers of the descriptors of a process; `gone` when it ended meanwhile. */
  descriptors(pid: number): readonly string[] | "gone" | null;
  /** The file behind a descriptor; null for what is gone. */
  descriptorFile(pid: number, descriptor: string): FileIdentity | null;
  /** The text of its fdinfo. */
  descriptorInfo(pid: number, descriptor: string): string | null;
  /** A file by its name; null when there is none. */
  file(path: string): FileIdentity | null;
  /** The text of a small file; null when it cannot be read. */
  text(path: string): string | null;
  /** Names in a directory; empty when it cannot be listed. */
  list(path: string): readonly string[];
  readonly ownPid: number;
}

/**
 * Who holds a flock on `dir`'s db.lock, an exclusive one before a shared one; null when nobody does or /proc/locks is
 * not there. The pid is the kernel's, else the one written in the file.
 */
export function lockHolder(dir: string, table: ProcessTable = systemTable): LockHolder | null {
  const path = join(dir, LOCK_FILE);
  const identity = table.file(path);
  // Asked only where there is such a file: the kernel takes some 10 to 20 ms for its list.
  const locks = identity === null ? null : table.locks();
  if (identity === null || locks === null) return null;
  const held = parseLocks(locks).filter((lock) => isLockOn(lock, identity, table));
  const lock = held.find((one) => one.kind === "exclusive") ?? held[0];
  if (lock === undefined) return null;
  if (lock.pid > 0) return { pid: lock.pid, kind: lock.kind };
  return { pid: lock.kind === "exclusive" ? writtenPid(table.text(path)) : null, kind: lock.kind };
}

/** The pid that an exclusive holder wrote into db.lock, or null. A hint only: it outlives its writer. */
export function writtenPid(text: string | null): number | null {
  const match = /^(\d{1,10})\s*$/.exec(text ?? "");
  return match === null ? null : Number(match[1]);
}

interface KernelLock {
  readonly kind: "exclusive" | "shared";
  /** 0 or below: a process of another pid namespace. */
  readonly pid: number;
  readonly device: string;
  readonly inode: string;
}

// 1: FLOCK  ADVISORY  WRITE 4711 fe:01:131090 0 EOF      waiters have `->` and hold nothing
const LOCK_LINE = /^\d+: FLOCK\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+:[0-9a-f]+):(\d+)\s/;

function parseLocks(text: string): KernelLock[] {
  const locks: KernelLock[] = [];
  for (const line of text.split("\n")) {
    const match = LOCK_LINE.exec(line);
    if (match === null) continue;
    const [, mode, pid = "0", device = "", inode = ""] = match;
    locks.push({
      kind: mode === "WRITE" ? "exclusive" : "shared",
      pid: Number(pid),
      device,
      inode,
    });
  }
  return locks;
}

/**
 * The inode must agree, and the device too; where the file system shows another device there than to stat (btrfs,
 * overlay), the holder must have that very file open.
 */
function isLockOn(lock: KernelLock, identity: FileIdentity, table: ProcessTable): boolean {
  const [device = "", inode = ""] = identity.split("/");
  if (lock.inode !== inode) return false;
  if (lock.device === kernelDevice(BigInt(device))) return true;
  if (lock.pid <= 0) return false;
  const descriptors = table.descriptors(lock.pid);
  if (descriptors === null || descriptors === "gone") return false;
  return descriptors.some((one) => table.descriptorFile(lock.pid, one) === identity);
}

/** `major:minor` in the hex of /proc/locks, from a 64-bit device number. */
function kernelDevice(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  const hex = (value: bigint) => value.toString(16).padStart(2, "0");
  return `${hex(major)}:${hex(minor)}`;
}

/** Other processes that have a file of the database open for writing, db.lock included (cli.md: Ownership). */
export function writersOf(dir: string, table: ProcessTable = systemTable): Writers {
  const files = databaseFiles(dir, table);
  const pids = table.pids();
  if (pids === null) return { pids: [], unseen: true };
  const writers: number[] = [];
  // Without process 1 in sight others are hidden too (hidepid).
  let unseen = !pids.includes(1);
  for (const pid of pids) {
    if (pid === table.ownPid) continue;
    const descriptors = table.descriptors(pid);
    if (descriptors === null) unseen = true;
    else if (descriptors !== "gone") {
      if (descriptors.some((one) => writesTo(pid, one, files, table))) writers.push(pid);
    }
  }
  return { pids: writers.sort((left, right) => left - right), unseen };
}

function databaseFiles(dir: string, table: ProcessTable): ReadonlySet<FileIdentity> {
  const files = new Set<FileIdentity>();
  const add = (path: string) => {
    const identity = table.file(path);
    if (identity !== null) files.add(identity);
  };
  for (const name of table.list(dir)) {
    const path = join(dir, name);
    if (/^shard_\d{3}$/.test(name)) for (const inner of table.list(path)) add(join(path, inner));
    else add(path);
  }
  return files;
}

const ACCESS_MODE_MASK = 3;

function writesTo(
  pid: number,
  descriptor: string,
  files: ReadonlySet<FileIdentity>,
  table: ProcessTable,
): boolean {
  const identity = table.descriptorFile(pid, descriptor);
  if (identity === null || !files.has(identity)) return false;
  const flags = /^flags:\s+([0-7]+)$/m.exec(table.descriptorInfo(pid, descriptor) ?? "");
  // 1 is write only, 2 is read and write.
  return flags !== null && (Number.parseInt(flags[1] ?? "0", 8) & ACCESS_MODE_MASK) !== 0;
}

/** A text that changes whenever a file's length, time of change or identity does; null when it cannot be looked at. */
export function fileStamp(path: string): string | null {
  const stats = tryStat(path);
  return stats === null ? null : `${stats.dev}/${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}

/** The machine's own /proc. */
export const systemTable: ProcessTable = {
  ownPid: process.pid,
  locks: () => readText("/proc/locks"),
  pids() {
    const names = tryList("/proc");
    if (names === null) return null;
    const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
    return pids.length === 0 ? null : pids;
  },
  descriptors(pid) {
    try {
      return readdirSync(`/proc/${pid}/fd`);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      return errno === "ENOENT" || errno === "ESRCH" ? "gone" : null;
    }
  },
  descriptorFile: (pid, descriptor) => identityOf(`/proc/${pid}/fd/${descriptor}`),
  descriptorInfo: (pid, descriptor) => readText(`/proc/${pid}/fdinfo/${descriptor}`),
  file: (path) => identityOf(path),
  text: (path) => readText(path),
  list: (path) => tryList(path) ?? [],
};

function identityOf(path: string): FileIdentity | null {
  const stats = tryStat(path);
  return stats === null ? null : `${stats.dev}/${stats.ino}`;
}

function tryStat(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch (thrown) {
    errnoOf(thrown);
    return null;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    errnoOf(thrown);
    return null;
  }
}

function tryList(path: string): string[] | null {
  try {
    return readdirSync(path);
  } catch (thrown) {
    errnoOf(thrown);
    return null;
  }
}

/** The errno of a failed system call; anything else is not ours to swallow. */
function errnoOf(thrown: unknown): string {
  const errno = (thrown as NodeJS.ErrnoException | null)?.code;
  if (errno === undefined) throw thrown;
  return errno;
}
