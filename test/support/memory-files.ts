// The files and directories of RecordingDisk: each knows what the system holds, what is durable, and what happened in between.

import type { Dice } from "./dice.ts";

export type DiskNode = MemoryFile | MemoryDirectory;

/** A device writes whole sectors: a write that was under way at a power cut is torn between two of them, or anywhere. */
const SECTOR_BYTES = 512;
/** A hole is made of whole pages. */
const ZERO_PAGE = new Uint8Array(4096);

let inodes = 0;

/** A change of a file that no sync has covered yet. */
type FileChange =
  | { readonly kind: "write"; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: "resize"; readonly bytes: number };

/** Bytes that grow as they are written. */
class GrowingBytes {
  #buffer = new Uint8Array(4096);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  apply(change: FileChange): void {
    if (change.kind === "write") this.write(change.data, change.offset);
    else this.resize(change.bytes);
  }

  write(data: Uint8Array, offset: number): void {
    const end = offset + data.length;
    this.#reserve(end);
    this.#buffer.set(data, offset);
    this.#length = Math.max(this.#length, end);
  }

  resize(bytes: number): void {
    this.#reserve(bytes);
    if (bytes < this.#length) this.#buffer.fill(0, bytes, this.#length);
    this.#length = bytes;
  }

  become(bytes: Uint8Array): void {
    this.resize(bytes.length);
    this.#buffer.set(bytes);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(bytes, this.#buffer.length * 2));
    larger.set(this.bytes);
    this.#buffer = larger;
  }
}

export class MemoryFile {
  readonly inode = ++inodes;
  readonly #system = new GrowingBytes();
  readonly #device = new GrowingBytes();
  #unsynced: FileChange[] = [];

  /** What the system holds. */
  get bytes(): Uint8Array {
    return this.#system.bytes;
  }

  /** What the device holds for sure. */
  get durable(): Uint8Array {
    return this.#device.bytes;
  }

  write(data: Uint8Array, offset: number): void {
    this.#change({ kind: "write", offset, data: data.slice() });
  }

  resize(bytes: number): void {
    this.#change({ kind: "resize", bytes });
  }

  sync(): void {
    for (const change of this.#unsynced) this.#device.apply(change);
    this.#unsynced = [];
  }

  /** The system could not write and says so once: what it holds counts as clean from now on, and the device has none of it. */
  syncFailed(): void {
    this.#unsynced = [];
  }

  /** What is clean is read from the device again. */
  dropCache(): void {
    if (this.#unsynced.length === 0) this.#system.become(this.durable);
  }

  /** Where the next page begins that is not all zeros, or `offset` in the middle of it; null: none. */
  nextData(offset: number): number | null {
    const pageBytes = ZERO_PAGE.length;
    const { bytes } = this;
    for (let at = offset - (offset % pageBytes); at < bytes.length; at += pageBytes) {
      const page = bytes.subarray(at, at + pageBytes);
      const isHole = Buffer.compare(page, ZERO_PAGE.subarray(0, page.length)) === 0;
      if (!isHole) return Math.max(at, offset);
    }
    return null;
  }

  flip(offset: number, mask: number): void {
    for (const bytes of [this.bytes, this.durable]) bytes[offset] = (bytes[offset] ?? 0) ^ mask;
  }

  /** The file after a power cut: each unsynced change happened, did not, or happened in part; without dice none did. */
  afterPowerCut(dice: Dice | null): MemoryFile {
    const file = new MemoryFile();
    file.#device.become(this.durable);
    for (const change of dice === null ? [] : this.#unsynced) {
      const fate = dice?.below(4);
      if (fate === 0) continue;
      if (change.kind === "write") {
        const data = fate === 1 ? torn(change.data, dice as Dice) : change.data;
        file.#device.write(data, change.offset);
      } else if (change.bytes > file.durable.length) file.#device.resize(change.bytes);
    }
    file.#system.become(file.durable);
    return file;
  }

  #change(change: FileChange): void {
    this.#unsynced.push(change);
    this.#system.apply(change);
  }
}

function torn(data: Uint8Array, dice: Dice): Uint8Array {
  const sectors = Math.floor(data.length / SECTOR_BYTES);
  const cut = dice.oneIn(2) ? dice.below(data.length) : dice.below(sectors + 1) * SECTOR_BYTES;
  return data.subarray(0, cut);
}

/** A change of a directory, in order: several names at once for a rename. */
type NameChange = readonly (readonly [name: string, node: DiskNode | null])[];

export class MemoryDirectory {
  readonly inode = ++inodes;
  readonly entries = new Map<string, DiskNode>();
  durable: Map<string, DiskNode> = new Map();
  #unsynced: NameChange[] = [];

  set(name: string, node: DiskNode | null): void {
    this.#change([[name, node]]);
  }

  rename(from: string, to: string, node: DiskNode): void {
    this.#change([
      [from, null],
      [to, node],
    ]);
  }

  sync(): void {
    this.durable = new Map(this.entries);
    this.#unsynced = [];
  }

  /** Names change in order, as in a journal: a power cut leaves the first so many changes. */
  afterPowerCut(dice: Dice | null, done: Map<DiskNode, DiskNode>): MemoryDirectory {
    const names = new Map(this.durable);
    const kept = dice === null ? 0 : dice.below(this.#unsynced.length + 1);
    for (const change of this.#unsynced.slice(0, kept)) apply(names, change);
    const directory = new MemoryDirectory();
    for (const [name, node] of names) {
      const after =
        done.get(node) ??
        (node instanceof MemoryFile ? node.afterPowerCut(dice) : node.afterPowerCut(dice, done));
      done.set(node, after);
      directory.set(name, after);
    }
    directory.sync();
    return directory;
  }

  #change(change: NameChange): void {
    this.#unsynced.push(change);
    apply(this.entries, change);
  }
}

/** What the files below come to. */
export function bytesOf(node: DiskNode): number {
  if (node instanceof MemoryFile) return node.bytes.length;
  return [...node.entries.values()].reduce((sum, one) => sum + bytesOf(one), 0);
}

function apply(names: Map<string, DiskNode>, change: NameChange): void {
  for (const [name, node] of change) {
    if (node === null) names.delete(name);
    else names.set(name, node);
  }
}
