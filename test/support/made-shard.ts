// A database of one shard that a program would write, as long as a test wants it: keys and values that follow from the slot's number, a
// sidecar of its own. Used by tests of what happens to many slots.

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encodeShardHeader, SHARD_FILE, slotOffset } from "../../src/format/shard-header.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  type SlotLayout,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { encodeSidecar, SIDECAR_FILE } from "../../src/format/versions-sidecar.ts";
import { DB_META_FILE, encodeDbMeta } from "../../src/format/db-meta.ts";

export interface MadeShard {
  readonly dir: string;
  readonly layout: SlotLayout;
  readonly slots: number;
  /** Of every slot of the file. */
  readonly version: number;
  /** Of every word of the sidecar, all OCCUPIED; null: none, and not closed clean. */
  readonly sidecarVersion: number | null;
}

/** The key of a slot, big-endian. */
export function madeKey(slot: number, keyLen: number): Uint8Array {
  const key = new Uint8Array(keyLen);
  new DataView(key.buffer).setUint32(keyLen - 4, slot);
  return key;
}

export class MadeDatabase {
  readonly #made: MadeShard;
  readonly data: string;
  readonly sidecar: string;

  constructor(made: MadeShard) {
    const { dir, layout, slots, version, sidecarVersion } = made;
    this.#made = made;
    const shard = join(dir, "shard_000");
    mkdirSync(shard, { recursive: true });
    this.data = join(shard, SHARD_FILE);
    this.sidecar = join(shard, SIDECAR_FILE);
    const cleanShutdown = sidecarVersion === null ? 0 : 1;
    const bytes = new Uint8Array(slotOffset(slots, layout.slotSize));
    bytes.set(encodeShardHeader({ ...layout, slotCount: slots, shardId: 0, cleanShutdown }));
    for (let slot = 0; slot < slots; slot++) bytes.set(this.image(slot, version), this.#at(slot));
    this.#write(join(dir, DB_META_FILE), encodeDbMeta({ shardCount: 1, shardPrefixBits: 0 }), 0);
    this.#write(this.data, bytes, 0);
    if (sidecarVersion === null) return;
    const words = new Uint32Array(slots).fill(packMeta(STATUS_OCCUPIED, sidecarVersion));
    this.#write(this.sidecar, encodeSidecar(words), 0);
  }

  /** A sound slot. */
  image(slot: number, version: number): Uint8Array {
    const { layout } = this.#made;
    const image = new Uint8Array(layout.slotSize);
    const value = new Uint8Array(layout.valueLen).fill(slot & 0xff);
    const meta = packMeta(STATUS_OCCUPIED, version);
    encodeOccupiedSlot(image, layout, meta, madeKey(slot, layout.keyLen), value);
    return image;
  }

  /** Overwrites the first bytes of these slots. */
  harm(slots: Iterable<number>, bytesOf: (slot: number) => Uint8Array): void {
    const file = openSync(this.data, "r+");
    for (const slot of slots) {
      const bytes = bytesOf(slot);
      writeSync(file, bytes, 0, bytes.length, this.#at(slot));
    }
    closeSync(file);
  }

  /** Overwrites a byte of the file. */
  poke(offset: number, byte: number): void {
    const file = openSync(this.data, "r+");
    writeSync(file, Uint8Array.of(byte), 0, 1, offset);
    closeSync(file);
  }

  /** Only the first so many slots are left. */
  cut(slots: number): void {
    const file = openSync(this.data, "r+");
    ftruncateSync(file, this.#at(slots));
    closeSync(file);
  }

  /** The meta words as they are, and how many slots have each. */
  metas(): Map<number, number> {
    const bytes = readFileSync(this.data);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const counts = new Map<number, number>();
    for (let at = this.#at(0); at < bytes.length; at += this.#made.layout.slotSize) {
      const meta = view.getUint32(at, true);
      counts.set(meta, (counts.get(meta) ?? 0) + 1);
    }
    return counts;
  }

  #at(slot: number): number {
    return slotOffset(slot, this.#made.layout.slotSize);
  }

  #write(path: string, bytes: Uint8Array, offset: number): void {
    const file = openSync(path, "w");
    writeSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
  }
}
