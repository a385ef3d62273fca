// One shard of a SampleStore: its file, its versions in memory, and which key lies where (format.md: fixed.data header, Slot,
// fixed.versions).

import { join } from "node:path";
import { viewOf } from "../../src/bytes.ts";
import {
  decodeShardHeader,
  encodeShardHeader,
  HEADER_FIELDS,
  SHARD_FILE,
  SHARD_HEADER_BYTES,
  shardFileBytes,
  shardHeaderFault,
  slotOffset,
} from "../../src/format/shard-header.ts";
import {
  decodeSlot,
  encodeOccupiedSlot,
  nextVersion,
  packMeta,
  SLOT_KEY_OFFSET,
  slotCrc,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../src/format/slot.ts";
import { encodeSidecar, SIDECAR_FILE } from "../../src/format/versions-sidecar.ts";
import type { Disk, DiskFile } from "../../src/io/disk.ts";
import type { LiveEvent } from "../../src/serve/live-source.ts";

export class SampleShard {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #file: DiskFile;
  readonly #layout: SlotLayout;
  readonly #growStep: number;
  /** Meta words, one per slot. */
  #words: Uint32Array;
  readonly #slotOfKey = new Map<string, number>();
  /** No slot below this one is free. */
  #freeHint = 0;

  private constructor(
    disk: Disk,
    dir: string,
    file: DiskFile,
    layout: SlotLayout,
    growStep: number,
    slotCount: number,
  ) {
    this.#disk = disk;
    this.#dir = dir;
    this.#file = file;
    this.#layout = layout;
    this.#growStep = growStep;
    this.#words = new Uint32Array(slotCount);
  }

  /** Creates the shard, or opens it and reads every slot. */
  static open(
    disk: Disk,
    dir: string,
    shard: number,
    layout: SlotLayout,
    growStep: number,
  ): SampleShard {
    const path = join(dir, SHARD_FILE);
    if (disk.facts(path) !== null) return SampleShard.#reopen(disk, dir, path, layout, growStep);
    disk.makeDirectory(dir, 0o700);
    const file = disk.open(path, "create");
    const header = { ...layout, slotCount: growStep, shardId: shard, cleanShutdown: 0 };
    file.truncate(shardFileBytes(growStep, layout.slotSize));
    file.write(encodeShardHeader(header), 0);
    file.sync();
    disk.syncDirectory(dir);
    return new SampleShard(disk, dir, file, layout, growStep, growStep);
  }

  static #reopen(
    disk: Disk,
    dir: string,
    path: string,
    layout: SlotLayout,
    growStep: number,
  ): SampleShard {
    const file = disk.open(path, "write");
    const bytes = new Uint8Array(SHARD_HEADER_BYTES);
    const header = decodeShardHeader(bytes.subarray(0, file.read(bytes, 0)));
    const isOurs =
      header !== null &&
      shardHeaderFault(header) === null &&
      header.keyLen === layout.keyLen &&
      header.valueLen === layout.valueLen;
    if (!isOurs) throw new Error(`"${path}" is of another geometry`);
    file.write(new Uint8Array([0]), HEADER_FIELDS.cleanShutdown.offset);
    file.syncData();
    const shard = new SampleShard(disk, dir, file, layout, growStep, header.slotCount);
    shard.#load();
    return shard;
  }

  get slotCount(): number {
    return this.#words.length;
  }

  get count(): number {
    return this.#slotOfKey.size;
  }

  get(key: Uint8Array): Uint8Array | null {
    const slot = this.#slotOfKey.get(nameOf(key));
    if (slot === undefined) return null;
    const image = new Uint8Array(this.#layout.slotSize);
    this.readSlots(slot, image);
    return decodeSlot(image, this.#layout).value;
  }

  readSlots(firstSlot: number, into: Uint8Array): void {
    const read = this.#file.read(into, slotOffset(firstSlot, this.#layout.slotSize));
    if (read < into.length) throw new Error(`"${this.#file.path}" ends before slot ${firstSlot}`);
  }

  /** Writes a whole slot, the key's own or the lowest free one, with a version more. */
  put(key: Uint8Array, value: Uint8Array): LiveEvent {
    const name = nameOf(key);
    const slot = this.#slotOfKey.get(name) ?? this.#allocate();
    const meta = packMeta(STATUS_OCCUPIED, nextVersion(versionOf(this.#words[slot] ?? 0)));
    const image = new Uint8Array(this.#layout.slotSize);
    encodeOccupiedSlot(image, this.#layout, meta, key, value);
    this.#file.write(image, slotOffset(slot, this.#layout.slotSize));
    this.#words[slot] = meta;
    this.#slotOfKey.set(name, slot);
    return { slot, meta, image };
  }

  /** Writes the meta word alone: key, value and the stale crc stay. */
  delete(key: Uint8Array): LiveEvent | null {
    const name = nameOf(key);
    const slot = this.#slotOfKey.get(name);
    if (slot === undefined) return null;
    const meta = packMeta(STATUS_DELETED, nextVersion(versionOf(this.#words[slot] ?? 0)));
    const image = new Uint8Array(this.#layout.slotSize);
    viewOf(image).setUint32(0, meta, true);
    image.set(key, SLOT_KEY_OFFSET);
    this.#file.write(image.subarray(0, 4), slotOffset(slot, this.#layout.slotSize));
    this.#words[slot] = meta;
    this.#slotOfKey.delete(name);
    this.#freeHint = Math.min(this.#freeHint, slot);
    return { slot, meta, image };
  }

  /** Data, sidecar, flag, in this order and each durable. */
  close(): void {
    this.#file.syncData();
    const path = join(this.#dir, SIDECAR_FILE);
    if (this.#disk.facts(path) !== null) this.#disk.remove(path);
    const sidecar = this.#disk.open(path, "create");
    sidecar.write(encodeSidecar(this.#words), 0);
    sidecar.sync();
    sidecar.close();
    this.#disk.syncDirectory(this.#dir);
    this.#file.write(new Uint8Array([1]), HEADER_FIELDS.cleanShutdown.offset);
    this.#file.syncData();
    this.#file.close();
  }

  abandon(): void {
    this.#file.close();
  }

  #allocate(): number {
    for (let slot = this.#freeHint; slot < this.#words.length; slot++) {
      if (statusOf(this.#words[slot] ?? 0) === STATUS_OCCUPIED) continue;
      this.#freeHint = slot + 1;
      return slot;
    }
    const slot = this.#words.length;
    this.#grow();
    this.#freeHint = slot + 1;
    return slot;
  }

  /** Length first, then slot_count, then fdatasync, as the crate (format.md: Growth). */
  #grow(): void {
    const words = new Uint32Array(this.#words.length + this.#growStep);
    words.set(this.#words);
    this.#file.truncate(shardFileBytes(words.length, this.#layout.slotSize));
    const count = new Uint8Array(4);
    viewOf(count).setUint32(0, words.length, true);
    this.#file.write(count, HEADER_FIELDS.slotCount.offset);
    this.#file.syncData();
    this.#words = words;
  }

  /** OCCUPIED with a bad crc is FREE in memory, with its version kept (format.md: What the crate does on open). */
  #load(): void {
    const { slotSize } = this.#layout;
    const image = new Uint8Array(slotSize);
    for (let slot = 0; slot < this.#words.length; slot++) {
      this.readSlots(slot, image);
      const { meta, status, version, crcStored, key } = decodeSlot(image, this.#layout);
      const isTorn = status === STATUS_OCCUPIED && crcStored !== slotCrc(image, this.#layout);
      this.#words[slot] = isTorn ? packMeta(STATUS_FREE, version) : meta;
      if (status === STATUS_OCCUPIED && !isTorn) this.#slotOfKey.set(nameOf(key), slot);
    }
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
