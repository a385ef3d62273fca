// The system calls that node:fs lacks or hides, and pread, pwrite, fdatasync on shard files. With notify.ts the only place that
// uses bun:ffi. Every wrapper returns the result or minus the errno, read on the line after the call, as the next runtime call
// may overwrite it. Offsets are checked: FFI would turn NaN into 0 without a word.

import { dlopen, FFIType, type Pointer, ptr, read } from "bun:ffi";
import { constants } from "node:os";
import { ArmdbError, assert } from "../errors.ts";

const isMac = process.platform === "darwin";

const shared = {
  pread: { args: ["i32", "buffer", "buffer_length", "i64"], returns: FFIType.i64_fast },
  pwrite: { args: ["i32", "ptr", FFIType.u64_fast, "i64"], returns: FFIType.i64_fast },
  fsync: { args: ["i32"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  lseek: { args: ["i32", "i64", "i32"], returns: FFIType.i64_fast },
  flock: { args: ["i32", "i32"], returns: "i32" },
  clock_gettime: { args: ["i32", "buffer"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
  poll: { args: ["buffer", "u64", "i32"], returns: "i32" },
  send: { args: ["i32", "buffer", "buffer_length", "i32"], returns: FFIType.i64_fast },
} as const;

const linuxOnly = {
  fdatasync: { args: ["i32"], returns: "i32" },
  fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
  posix_fadvise: { args: ["i32", "i64", "i64", "i32"], returns: "i32" },
  getrusage: { args: ["i32", "buffer"], returns: "i32" },
  // For calls that the C library has no function for. All of them here take a buffer second.
  syscall: { args: ["i64", "i64", "buffer", "i64", "i64"], returns: FFIType.i64_fast },
} as const;

function load() {
  try {
    if (isMac) {
      const library = dlopen("/usr/lib/libSystem.B.dylib", {
        ...shared,
        __error: { args: [], returns: "ptr" },
      }).symbols;
      return { ...library, errnoPlace: library.__error() as Pointer, linux: null };
    }
    // Known to glibc and, as any libc.* name, to musl's loader: never searched for in the working directory.
    const library = dlopen("libc.so.6", {
      ...shared,
      ...linuxOnly,
      __errno_location: { args: [], returns: "ptr" },
    }).symbols;
    return { ...library, errnoPlace: library.__errno_location() as Pointer, linux: library };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ArmdbError("unexpected", `System calls cannot be reached (bun:ffi): ${reason}`, {
      hint: "allow the JIT: no MemoryDenyWriteExecute= in the unit, no BUN_JSC_useJIT=0, no ulimit -v below 4 GiB",
      cause,
    });
  }
}

let loaded: ReturnType<typeof load> | null = null;

/** The symbols of this thread (errno is thread-local, so each Worker loads its own). */
function libc(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

/** Throws the explained ArmdbError when bun:ffi cannot work in this process. */
export function probeLibc(): void {
  libc();
}

/** Whether system calls can be had here, for what has another way. */
export function hasLibc(): boolean {
  try {
    libc();
    return true;
  } catch {
    return false;
  }
}

function failure(symbols: ReturnType<typeof load>): number {
  return -read.i32(symbols.errnoPlace, 0);
}

function checkOffset(offset: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return;
  // Not before: each call would make a text that nobody reads.
  assert(false, `file offset ${offset}`);
}

/** Bytes read at `offset`, 0 at the end of the file, or -errno. */
export function pread(fd: number, into: Uint8Array, offset: number): number {
  checkOffset(offset);
  if (into.length === 0) return 0;
  const symbols = libc();
  const count = symbols.pread(fd, into, into, offset);
  return count === -1 ? failure(symbols) : Number(count);
}

/** Memory that writes come from, and where the process has it. */
export interface Place {
  readonly memory: Uint8Array;
  readonly address: number;
}

/** Asks for the address once: it stays as long as the memory is not detached (which shows as a length of 0). */
export function placeOf(memory: Uint8Array): Place {
  // A small array lies among the runtime's objects until its buffer is asked for, and moves then.
  const isThere = memory.buffer.byteLength > 0;
  return { memory, address: isThere ? ptr(memory) : 0 };
}

/** Bytes written at `offset` of those at [start, end) of the place, possibly fewer, or -errno. */
export function pwrite(
  fd: number,
  place: Place,
  start: number,
  end: number,
  offset: number,
): number {
  checkOffset(offset);
  const { memory, address } = place;
  // Detached memory has no bytes: nothing is ever written from where it was.
  assert(start >= 0 && start <= end && end <= memory.length, "a write from outside its memory");
  if (start === end) return 0;
  const symbols = libc();
  const count = symbols.pwrite(fd, (address + start) as Pointer, end - start, offset);
  return count === -1 ? failure(symbols) : Number(count);
}

/** 0 or -errno. On macOS this is fsync: data there is only looked at. */
export function fdatasync(fd: number): number {
  const symbols = libc();
  const result = symbols.linux === null ? symbols.fsync(fd) : symbols.linux.fdatasync(fd);
  return result === -1 ? failure(symbols) : result;
}

/** 0 or -errno. */
export function fsync(fd: number): number {
  const symbols = libc();
  return symbols.fsync(fd) === -1 ? failure(symbols) : 0;
}

/** 0 or -errno. */
export function ftruncate(fd: number, bytes: number): number {
  checkOffset(bytes);
  const symbols = libc();
  return symbols.ftruncate(fd, bytes) === -1 ? failure(symbols) : 0;
}

const SEEK_DATA = isMac ? 4 : 3;

/** Where the next bytes lie that are no hole, at `offset` or past it; or -errno, -ENXIO where none do. */
export function seekData(fd: number, offset: number): number {
  checkOffset(offset);
  const symbols = libc();
  const found = symbols.lseek(fd, offset, SEEK_DATA);
  return found === -1 ? failure(symbols) : Number(found);
}

/**
 * Reserves blocks for [offset, offset + bytes) and extends the file: 0 or -errno, -EOPNOTSUPP where it
 * cannot be had. Not posix_fallocate: glibc would then write every block.
 */
export function fallocate(fd: number, offset: number, bytes: number): number {
  checkOffset(offset);
  checkOffset(bytes);
  const symbols = libc();
  if (symbols.linux === null) return -constants.errno.EOPNOTSUPP;
  return symbols.linux.fallocate(fd, 0, offset, bytes) === -1 ? failure(symbols) : 0;
}

const FADV_WILLNEED = 3;
const FADV_DONTNEED = 4;

/** Begins to read a range of a file into the page cache. Nothing on macOS. */
export function readAhead(fd: number, offset: number, bytes: number): void {
  checkOffset(offset);
  checkOffset(bytes);
  libc().linux?.posix_fadvise(fd, offset, bytes, FADV_WILLNEED);
}

/** Drops the cached pages of a whole file. 0 or -errno; nothing on macOS. */
export function dropPageCache(fd: number): number {
  const symbols = libc();
  return symbols.linux === null ? 0 : -symbols.linux.posix_fadvise(fd, 0, 0, FADV_DONTNEED);
}

const RUSAGE_THREAD = 1;
/** A struct rusage. */
const usage = new BigInt64Array(18);
/** ru_inblock */
const USAGE_BLOCKS_IN = 11;

/** Blocks of 512 bytes that the system has begun to read from disks for the calling thread. 0 on macOS. */
export function blocksFetched(): number {
  const { linux } = libc();
  if (linux === null || linux.getrusage(RUSAGE_THREAD, usage) !== 0) return 0;
  return Number(usage[USAGE_BLOCKS_IN]);
}

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Takes a flock without waiting: 0, or -EWOULDBLOCK when somebody holds it. */
export function flock(fd: number, kind: "exclusive" | "shared"): number {
  const symbols = libc();
  const operation = (kind === "exclusive" ? LOCK_EX : LOCK_SH) | LOCK_NB;
  return symbols.flock(fd, operation) === -1 ? failure(symbols) : 0;
}

const CLOCK_MONOTONIC = isMac ? 6 : 1;

/** CLOCK_MONOTONIC, ms. The same clock in every thread, unlike performance.now(). */
export function monotonicMs(): number {
  const timespec = new BigInt64Array(2);
  libc().clock_gettime(CLOCK_MONOTONIC, timespec);
  return Number(timespec[0]) * 1000 + Number(timespec[1]) / 1e6;
}

/** Sets an int socket option: 0 or -errno. */
export function setSocketOption(fd: number, level: number, option: number, value: number): number {
  const symbols = libc();
  const bytes = new Int32Array([value]);
  return symbols.setsockopt(fd, level, option, bytes, 4) === -1 ? failure(symbols) : 0;
}

const MSG_DONTWAIT_NOSIGNAL = isMac ? 0x80 | 0x80000 : 0x40 | 0x4000;

/** Bytes that a socket took without waiting, or -errno: -EWOULDBLOCK where there is no room. */
export function sendNow(fd: number, bytes: Uint8Array): number {
  const symbols = libc();
  const count = symbols.send(fd, bytes, bytes, MSG_DONTWAIT_NOSIGNAL);
  return count === -1 ? failure(symbols) : Number(count);
}

const POLLOUT = 4;
const POLLERR_HUP_NVAL = 8 | 16 | 32;

/** Whether something can be written, after at most `waitMs`: `gone` where nobody reads it any more. */
export function roomToWrite(fd: number, waitMs: number): "room" | "full" | "gone" {
  // A struct pollfd: the descriptor, what is asked, what is answered.
  const asked = new DataView(new ArrayBuffer(8));
  asked.setInt32(0, fd, true);
  asked.setInt16(4, POLLOUT, true);
  if (libc().poll(new Uint8Array(asked.buffer), 1, waitMs) <= 0) return "full";
  const answered = asked.getInt16(6, true);
  if ((answered & POLLERR_HUP_NVAL) !== 0) return "gone";
  return (answered & POLLOUT) !== 0 ? "room" : "full";
}

/** Numbers of sched_setattr(2) and sched_getattr(2): glibc has them as functions from 2.41 on only. */
const SCHED_CALLS: Readonly<Partial<Record<NodeJS.Architecture, readonly [number, number]>>> = {
  x64: [314, 315],
  arm64: [274, 275],
};

/** Has the calling thread scheduled as a struct sched_attr says: 0 or -errno. */
export function setScheduling(attributes: Uint8Array): number {
  return scheduling(0, 0, attributes, 0);
}

/** Reads how a thread, 0 for the calling one, is scheduled into a struct sched_attr: 0 or -errno. */
export function getScheduling(attributes: Uint8Array, thread = 0): number {
  return scheduling(1, thread, attributes, attributes.length);
}

function scheduling(call: 0 | 1, thread: number, attributes: Uint8Array, third: number): number {
  const symbols = libc();
  const number = SCHED_CALLS[process.arch]?.[call];
  if (symbols.linux === null || number === undefined) return -constants.errno.ENOSYS;
  const result = symbols.linux.syscall(number, thread, attributes, third, 0);
  return result === -1 ? failure(symbols) : Number(result);
}

const errnoNames = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** `EIO` for 5 or -5. EAGAIN and EWOULDBLOCK share a number; either name may come. */
export function errnoName(errno: number): string {
  return errnoNames.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

export const EINTR = constants.errno.EINTR;
export const ENXIO = constants.errno.ENXIO;
export const EOPNOTSUPP = constants.errno.EOPNOTSUPP;
export const EWOULDBLOCK = constants.errno.EWOULDBLOCK;
