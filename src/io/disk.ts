// The disk as the rest of the program sees it: whole calls that either do everything or throw a DiskError. The real
// form is real-disk.ts; tests pass one that records, fails or forgets. All calls are synchronous.

import { ArmdbError, type ErrorCode } from "../errors.ts";

/**
 * read: existing file, read only. write: existing file, read and write. create: must not exist yet.
 * No mode follows a symbolic link in the last component or opens anything but a regular file; write and
 * create refuse files with more than one hard link.
 */
export type OpenMode = "read" | "write" | "create";

export interface DiskFile {
  readonly path: string;
  /** Length of the file now, bytes. */
  size(): number;
  /** Reads into the whole of `into` from `offset`; returns the bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, offset: number): number;
  /** Has the system begin to read this range, which comes next, while the caller is at work. A hint: never fails. */
  willRead(offset: number, bytes: number): void;
  /**
   * Where the next bytes lie that are no hole, at `offset` or past it; null: there are none up to the end. A hole reads as zeros.
   * Where the file system does not tell, `offset` itself. Never fails.
   */
  nextData(offset: number): number | null;
  /**
   * What the system has fetched from disks for the calling thread so far, in blocks: more after a read whose bytes were not
   * all cached. Always 0 where the system does not say (macOS).
   */
  blocksFetched(): number;
  /** Writes all of `bytes` at `offset`; short writes are continued. */
  write(bytes: Uint8Array, offset: number): void;
  /** Writes the bytes [start, end) of `memory` at `offset`, as write() does, without a view of them. */
  writePart(memory: Uint8Array, start: number, end: number, offset: number): void;
  /**
   * Makes the file at least `bytes` long with its blocks reserved. `sized`: the file system cannot reserve
   * (EOPNOTSUPP), the file has the length only. Where it fails the file is as long as it was, and holds no more blocks.
   */
  preallocate(bytes: number): "allocated" | "sized";
  truncate(bytes: number): void;
  /** fdatasync. EINTR is retried, nothing else: after any other error the written data must be taken as lost. */
  syncData(): void;
  /** fsync: data and all metadata. */
  sync(): void;
  /** Drops the file's pages from the page cache, so that the next reads come from the disk. Call after a sync. */
  dropCache(): void;
  /** Tries to take a flock without waiting; false when another holder is in the way. Kept until close. */
  lock(kind: "exclusive" | "shared"): boolean;
  facts(): FileFacts;
  /** Sets owner and mode (new files beside existing ones, cli.md: Files of ours). */
  own(uid: number, gid: number, mode: number): void;
  /** Never tried again: after any answer the descriptor is gone. */
  close(): void;
}

export type FileKind = "file" | "directory" | "symlink" | "other";

export interface FileFacts {
  readonly kind: FileKind;
  readonly bytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly device: number;
  readonly inode: number;
}

/** What a name meant at some moment: as long as that file is held open, no other has its device and inode. */
export interface HeldName {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
  /** Of a small file that nobody holds open: another one may have its inode by now. */
  readonly contents?: Uint8Array;
}

export interface Disk {
  /** `mode` bits apply to `create` only; 0600 when not given. */
  open(path: string, mode: OpenMode, permissions?: number): DiskFile;
  /** Facts of the name itself, links not followed; null when there is none. */
  facts(path: string): FileFacts | null;
  /** Bytes that the file system of this path has free for us; null where it does not tell. Never fails. */
  freeBytes(path: string): number | null;
  /** Names in a directory, sorted. */
  list(path: string): string[];
  makeDirectory(path: string, permissions: number): void;
  own(path: string, uid: number, gid: number, mode: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** fsync of a directory: makes creations, renames and removals in it durable. */
  syncDirectory(path: string): void;
}

/** A disk call that failed. Bytes that are merely wrong are never a DiskError. */
export class DiskError extends ArmdbError {
  readonly operation: string;
  /** `EIO`, `ENOSPC`, ... */
  readonly errno: string;

  constructor(operation: string, path: string, errno: string) {
    const [code, hint] = meaningOf(errno);
    super(code, `Cannot ${operation} "${path}": ${errno}, ${reasonOf(errno)}`, { path, hint });
    this.name = "DiskError";
    this.operation = operation;
    this.errno = errno;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EFBIG: "the file would pass a size limit",
  EINVAL: "the file system refused the request",
  EIO: "the disk reported an error",
  EISDIR: "it is a directory",
  ELOOP: "it is a symbolic link",
  EMFILE: "too many open files in this process",
  EMLINK: "it has more than one hard link",
  ENFILE: "too many open files on this machine",
  ENODEV: "it is not a regular file",
  ENOENT: "there is no such file",
  ENOSPC: "no space is left on the device",
  ENOTDIR: "a part of the path is not a directory",
  EPERM: "the operation is not permitted",
  EROFS: "the file system is read-only",
};

function reasonOf(errno: string): string {
  return REASONS[errno] ?? "the system call failed";
}

function meaningOf(errno: string): [ErrorCode, string] {
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return ["no-space", "df -h and df -i on that directory, then free or add space"];
    case "EACCES":
    case "EPERM":
      return [
        "storage",
        "ls -ld on that path, then run as the owner of the directory (sudo -u OWNER ...)",
      ];
    case "EROFS":
      return ["storage", "mount the file system read-write, dmesg says why it is not"];
    case "EMFILE":
    case "ENFILE":
      return ["storage", "raise the limit on open files (ulimit -n, LimitNOFILE= in the unit)"];
    case "ENOENT":
      return ["storage", "ls -la on its directory: something removed or renamed it meanwhile"];
    case "ELOOP":
    case "EMLINK":
    case "ENODEV":
      return ["storage", "ls -l on that path; armdb opens plain files with one link only"];
    default:
      return ["storage", "dmesg and smartctl on that disk; start again when it is sound"];
  }
}
