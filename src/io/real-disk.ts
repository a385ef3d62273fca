// The Disk of the operating system: names through node:fs, bytes through libc.ts. Opens without following links and
// without hanging on a FIFO, then checks on the descriptor what was opened.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  statfsSync,
  unlinkSync,
} from "node:fs";
import { type Disk, DiskError, type DiskFile, type FileFacts, type OpenMode } from "./disk.ts";
import * as libc from "./libc.ts";

/** The operating system's disk. */
export const realDisk: Disk = {
  open(path, mode, permissions = 0o600) {
    return openFile(path, mode, permissions);
  },
  facts(path) {
    return attempt("look at", path, () => {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      return stats === undefined ? null : factsOf(stats);
    });
  },
  freeBytes(path) {
    try {
      const { blocks, bavail, bsize } = statfsSync(path);
      // Some file systems that have no blocks of their own say 0 of everything.
      return blocks === 0 ? null : bavail * bsize;
    } catch {
      return null;
    }
  },
  list(path) {
    return attempt("list", path, () => readdirSync(path).sort());
  },
  makeDirectory(path, permissions) {
    attempt("create directory", path, () => {
      mkdirSync(path, { mode: permissions });
      chmodSync(path, permissions);
    });
  },
  own(path, uid, gid, mode) {
    attempt("set owner and mode of", path, () => {
      chownSync(path, uid, gid);
      chmodSync(path, mode);
    });
  },
  rename(from, to) {
    attempt("rename", from, () => renameSync(from, to));
  },
  remove(path) {
    attempt("remove", path, () => unlinkSync(path));
  },
  syncDirectory(path) {
    const fd = attempt("open directory", path, () =>
      openSync(path, constants.O_RDONLY | constants.O_DIRECTORY),
    );
    try {
      call("sync directory", path, () => libc.fsync(fd));
    } finally {
      closeOnce(path, fd);
    }
  },
};

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

function openFile(path: string, mode: OpenMode, permissions: number): DiskFile {
  // O_CLOEXEC is set by the runtime. O_NONBLOCK: a FIFO planted at the name must not hang us; it has no effect on regular files.
  const flags = OPEN_FLAGS[mode] | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = attempt("open", path, () => openSync(path, flags, permissions));
  const stats = fstatSync(fd);
  const refusal = stats.isDirectory()
    ? "EISDIR"
    : !stats.isFile()
      ? "ENODEV"
      : mode !== "read" && stats.nlink > 1
        ? "EMLINK"
        : null;
  if (refusal !== null) {
    closeOnce(path, fd);
    throw new DiskError("open", path, refusal);
  }
  if (mode === "create") fchmodSync(fd, permissions);
  return new RealFile(path, fd);
}

/**
 * No more goes to the system at once. From some version on (seen with 6.18 and ext4) Linux caches what one call writes in one
 * piece, and each later write into that piece, of a slot of 80 bytes too, looks through all of it: after a catch-up 20,000 puts
 * a second take 22.1, 24.5 and 22.0 % of a core instead of 26.8, 23.8 and 28.4. A catch-up was 2 % longer in one series, and not in
 * another.
 */
export const WRITE_BYTES_MAX = 128 * 1024;

class RealFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  /** Of the memory that was written from last: mostly the same again. */
  #place: libc.Place | null = null;
  #closed = false;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  size(): number {
    return attempt("look at", this.path, () => fstatSync(this.#fd).size);
  }

  read(into: Uint8Array, offset: number): number {
    let done = 0;
    while (done < into.length) {
      const rest = done === 0 ? into : into.subarray(done);
      const count = call("read", this.path, () => libc.pread(this.#fd, rest, offset + done));
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  willRead(offset: number, bytes: number): void {
    libc.readAhead(this.#fd, offset, bytes);
  }

  nextData(offset: number): number | null {
    const found = libc.seekData(this.#fd, offset);
    if (found === -libc.ENXIO) return null;
    return found < 0 ? offset : found;
  }

  blocksFetched(): number {
    return libc.blocksFetched();
  }

  write(bytes: Uint8Array, offset: number): void {
    this.writePart(bytes, 0, bytes.length, offset);
  }

  writePart(memory: Uint8Array, start: number, end: number, offset: number): void {
    if (this.#place?.memory !== memory) this.#place = libc.placeOf(memory);
    let done = start;
    while (done < end) {
      const stop = Math.min(end, done + WRITE_BYTES_MAX);
      const count = libc.pwrite(this.#fd, this.#place, done, stop, offset + done - start);
      if (count > 0) done += count;
      else if (count === 0) throw new DiskError("write", this.path, "EIO");
      else if (count !== -libc.EINTR)
        throw new DiskError("write", this.path, libc.errnoName(count));
    }
  }

  preallocate(bytes: number): "allocated" | "sized" {
    const size = this.size();
    if (bytes <= size) return "allocated";
    const result = retry(() => libc.fallocate(this.#fd, size, bytes - size));
    if (result === 0) return "allocated";
    if (result !== -libc.EOPNOTSUPP) {
      // ext4 reserves until the disk is full, lengthens the file as it goes, and keeps that.
      retry(() => libc.ftruncate(this.#fd, size));
      throw new DiskError("reserve space for", this.path, libc.errnoName(result));
    }
    this.truncate(bytes);
    return "sized";
  }

  truncate(bytes: number): void {
    call("resize", this.path, () => libc.ftruncate(this.#fd, bytes));
  }

  syncData(): void {
    call("fdatasync", this.path, () => libc.fdatasync(this.#fd));
  }

  sync(): void {
    call("fsync", this.path, () => libc.fsync(this.#fd));
  }

  dropCache(): void {
    call("drop the cache of", this.path, () => libc.dropPageCache(this.#fd));
  }

  lock(kind: "exclusive" | "shared"): boolean {
    const result = retry(() => libc.flock(this.#fd, kind));
    if (result === 0) return true;
    if (result === -libc.EWOULDBLOCK) return false;
    throw new DiskError("lock", this.path, libc.errnoName(result));
  }

  facts(): FileFacts {
    return attempt("look at", this.path, () => factsOf(fstatSync(this.#fd)));
  }

  own(uid: number, gid: number, mode: number): void {
    attempt("set owner and mode of", this.path, () => {
      fchownSync(this.#fd, uid, gid);
      fchmodSync(this.#fd, mode);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeOnce(this.path, this.#fd);
  }
}

function factsOf(stats: Stats): FileFacts {
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  return {
    kind,
    bytes: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    links: stats.nlink,
    device: stats.dev,
    inode: stats.ino,
  };
}

/** Not again after EINTR: the descriptor is gone then, and its number may be another thread's by now. */
function closeOnce(path: string, fd: number): void {
  try {
    closeSync(fd);
  } catch (thrown) {
    const errno = (thrown as NodeJS.ErrnoException).code;
    if (errno === "EINTR") return;
    throw errno === undefined ? thrown : new DiskError("close", path, errno);
  }
}

/** Repeats a libc call while it is interrupted. */
function retry(run: () => number): number {
  for (;;) {
    const result = run();
    if (result !== -libc.EINTR) return result;
  }
}

/** A libc call that must succeed; EINTR is the only error that is tried again. */
function call(operation: string, path: string, run: () => number): number {
  const result = retry(run);
  if (result < 0) throw new DiskError(operation, path, libc.errnoName(result));
  return result;
}

/** A node:fs call; its error becomes a DiskError. */
function attempt<T>(operation: string, path: string, run: () => T): T {
  for (;;) {
    try {
      return run();
    } catch (thrown) {
      const errno = (thrown as NodeJS.ErrnoException).code;
      if (errno === "EINTR") continue;
      if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) throw thrown;
      throw new DiskError(operation, path, errno);
    }
  }
}
