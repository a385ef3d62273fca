// A Disk in memory that writes down every call, fails on demand, and can lose power. It keeps apart what the system holds and
// what is durable: a file's bytes become durable with a sync of that file, names with a sync of their directory. Used by the
// simulations and by the tests of order. Promises: the same calls give the same log; a power cut leaves what was synced, and
// of the rest any part.

import { dirname } from "node:path";
import {
  type Disk,
  DiskError,
  type DiskFile,
  type FileFacts,
  type OpenMode,
} from "../../src/io/disk.ts";
import type { Dice } from "./dice.ts";
import { bytesOf, type DiskNode, MemoryDirectory, MemoryFile } from "./memory-files.ts";

/** One call, as the log has it. `path` of a rename is where it came from, `to` where it went. */
export interface DiskCall {
  readonly operation: string;
  readonly path: string;
  readonly to?: string;
  readonly offset?: number;
  /** What was written. */
  readonly data?: Uint8Array;
  readonly atMs: number;
}

/** What a call meets: an errno, and for writes whether half of the bytes got there first. */
export interface DiskFault {
  readonly errno: string;
  readonly afterHalf?: boolean;
}

/** Asked before each call; null lets it through. */
export type FaultPlan = (call: DiskCall, index: number) => DiskFault | null;

export class RecordingDisk implements Disk {
  /** Every call so far, in order; none are kept while `records` is false. */
  readonly calls: DiskCall[] = [];
  records = true;
  #count = 0;
  readonly #nowMs: () => number;
  #root = new MemoryDirectory();
  #locks = new Set<DiskNode>();
  faults: FaultPlan = () => null;
  /** Bytes that all files together may come to; null: any. */
  capacityBytes: number | null = null;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  // ---- Disk ----

  open(path: string, mode: OpenMode): DiskFile {
    this.note({ operation: `open ${mode}`, path });
    const directory = this.#directoryOf(path);
    const name = nameOf(path);
    const there = directory.entries.get(name);
    if (mode === "create") {
      if (there !== undefined) throw new DiskError("open", path, "EEXIST");
      const made = new MemoryFile();
      directory.set(name, made);
      return new RecordingFile(this, path, made);
    }
    if (there === undefined) throw new DiskError("open", path, "ENOENT");
    if (!(there instanceof MemoryFile)) throw new DiskError("open", path, "EISDIR");
    return new RecordingFile(this, path, there);
  }

  facts(path: string): FileFacts | null {
    const node = this.#find(path);
    return node === null ? null : factsOf(node);
  }

  freeBytes(): number | null {
    return this.capacityBytes === null ? null : this.capacityBytes - bytesOf(this.#root);
  }

  list(path: string): string[] {
    return [...this.#directory(path).entries.keys()].sort();
  }

  makeDirectory(path: string): void {
    this.note({ operation: "mkdir", path });
    const parent = this.#directoryOf(path);
    if (parent.entries.has(nameOf(path))) throw new DiskError("create directory", path, "EEXIST");
    parent.set(nameOf(path), new MemoryDirectory());
  }

  own(path: string): void {
    this.note({ operation: "own", path });
  }

  rename(from: string, to: string): void {
    this.note({ operation: "rename", path: from, to });
    const node = this.#find(from);
    if (node === null) throw new DiskError("rename", from, "ENOENT");
    if (dirname(from) !== dirname(to)) throw new Error("renames across directories: not modelled");
    this.#directoryOf(from).rename(nameOf(from), nameOf(to), node);
  }

  remove(path: string): void {
    this.note({ operation: "remove", path });
    if (this.#find(path) === null) throw new DiskError("remove", path, "ENOENT");
    this.#directoryOf(path).set(nameOf(path), null);
  }

  syncDirectory(path: string): void {
    this.note({ operation: "sync directory", path });
    this.#directory(path).sync();
  }

  // ---- for tests ----

  /** How many calls there were. */
  get count(): number {
    return this.#count;
  }

  /** The bytes of a file as the system has them; null where there is none. */
  bytes(path: string): Uint8Array | null {
    const node = this.#find(path);
    return node instanceof MemoryFile ? node.bytes : null;
  }

  /** The bytes of a file that would survive the loss of everything unsynced; null where there is none. */
  durableBytes(path: string): Uint8Array | null {
    let node: DiskNode | undefined = this.#root;
    for (const part of partsOf(path)) {
      if (!(node instanceof MemoryDirectory)) return null;
      node = node.durable.get(part);
    }
    return node instanceof MemoryFile ? node.durable : null;
  }

  /** Changes a byte of a file where it lies, durably and unseen. */
  flip(path: string, offset: number, mask = 1): void {
    const node = this.#find(path);
    if (!(node instanceof MemoryFile)) throw new Error(`no file ${path}`);
    node.flip(offset, mask);
  }

  /** What a machine finds that comes up again, as another disk; without dice nothing but what was synced. */
  powerCut(dice: Dice | null): RecordingDisk {
    const disk = new RecordingDisk(this.#nowMs);
    disk.#root = this.#root.afterPowerCut(dice, new Map());
    return disk;
  }

  /** The process was killed: everything it wrote is there, its locks are not. */
  killed(): void {
    this.#locks = new Set();
  }

  /** Writes a call down; throws what the plan says it meets, once what the failure itself does is done. */
  note(call: Omit<DiskCall, "atMs">, failing: (fault: DiskFault) => void = () => {}): void {
    const noted = { ...call, atMs: this.#nowMs() };
    const fault = this.faults(noted, this.#count++);
    if (this.records) this.calls.push(noted);
    if (fault === null) return;
    failing(fault);
    throw new DiskError(call.operation, call.path, fault.errno);
  }

  takeLock(node: DiskNode): boolean {
    if (this.#locks.has(node)) return false;
    this.#locks.add(node);
    return true;
  }

  releaseLock(node: DiskNode): void {
    this.#locks.delete(node);
  }

  #find(path: string): DiskNode | null {
    let node: DiskNode = this.#root;
    for (const part of partsOf(path)) {
      const next: DiskNode | undefined =
        node instanceof MemoryDirectory ? node.entries.get(part) : undefined;
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  #directory(path: string): MemoryDirectory {
    const node = this.#find(path);
    if (node instanceof MemoryDirectory) return node;
    throw new DiskError("look at", path, node === null ? "ENOENT" : "ENOTDIR");
  }

  #directoryOf(path: string): MemoryDirectory {
    return this.#directory(dirname(path));
  }
}

class RecordingFile implements DiskFile {
  readonly path: string;
  readonly #disk: RecordingDisk;
  readonly #file: MemoryFile;
  #locked = false;
  #closed = false;

  constructor(disk: RecordingDisk, path: string, file: MemoryFile) {
    this.#disk = disk;
    this.path = path;
    this.#file = file;
  }

  size(): number {
    return this.#file.bytes.length;
  }

  read(into: Uint8Array, offset: number): number {
    this.#note({ operation: "read", offset });
    const bytes = this.#file.bytes.subarray(offset, offset + into.length);
    into.set(bytes);
    return bytes.length;
  }

  willRead(): void {}

  nextData(offset: number): number | null {
    return this.#file.nextData(offset);
  }

  blocksFetched(): number {
    return 0;
  }

  write(bytes: Uint8Array, offset: number): void {
    const data = bytes.slice();
    this.#note({ operation: "write", offset, data }, (fault) => {
      if (fault.afterHalf === true) this.#file.write(data.subarray(0, data.length >> 1), offset);
    });
    this.#needRoom("write", offset + data.length);
    this.#file.write(data, offset);
  }

  writePart(memory: Uint8Array, start: number, end: number, offset: number): void {
    this.write(memory.subarray(start, end), offset);
  }

  preallocate(bytes: number): "allocated" {
    this.#note({ operation: "preallocate", offset: bytes });
    this.#needRoom("reserve space for", bytes);
    if (bytes > this.size()) this.#file.resize(bytes);
    return "allocated";
  }

  truncate(bytes: number): void {
    this.#note({ operation: "truncate", offset: bytes });
    this.#file.resize(bytes);
  }

  syncData(): void {
    this.#note({ operation: "fdatasync" }, () => this.#file.syncFailed());
    this.#file.sync();
  }

  sync(): void {
    this.#note({ operation: "fsync" }, () => this.#file.syncFailed());
    this.#file.sync();
  }

  dropCache(): void {
    this.#note({ operation: "drop cache" });
    this.#file.dropCache();
  }

  lock(): boolean {
    this.#note({ operation: "lock" });
    this.#locked ||= this.#disk.takeLock(this.#file);
    return this.#locked;
  }

  facts(): FileFacts {
    return factsOf(this.#file);
  }

  own(): void {
    this.#note({ operation: "own" });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#locked) this.#disk.releaseLock(this.#file);
    this.#note({ operation: "close" });
  }

  #needRoom(operation: string, bytes: number): void {
    const free = this.#disk.freeBytes();
    if (free === null || bytes - this.size() <= Math.max(0, free)) return;
    throw new DiskError(operation, this.path, "ENOSPC");
  }

  #note(call: Omit<DiskCall, "atMs" | "path">, failing?: (fault: DiskFault) => void): void {
    if (this.#closed && call.operation !== "close") throw new Error(`${this.path} is closed`);
    this.#disk.note({ ...call, path: this.path }, failing);
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function nameOf(path: string): string {
  return partsOf(path).at(-1) ?? "";
}

function factsOf(node: DiskNode): FileFacts {
  const isFile = node instanceof MemoryFile;
  return {
    kind: isFile ? "file" : "directory",
    bytes: isFile ? node.bytes.length : 0,
    mode: isFile ? 0o600 : 0o700,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    links: 1,
    device: 1,
    inode: node.inode,
  };
}
