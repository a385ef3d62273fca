// A database in memory for tests of the leader side: slots that a test sets, reads that it can spoil, and a live source that
// sends what a test publishes.

import { crc32 } from "node:zlib";
import { viewOf } from "../../src/bytes.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  type SlotLayout,
  type SlotStatus,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { DiskError } from "../../src/io/disk.ts";
import type { LiveEvent, LiveSink, LiveSource } from "../../src/serve/live-source.ts";
import type { ServedDatabase } from "../../src/serve/served-database.ts";

export class MemoryDatabase implements ServedDatabase {
  readonly shardCount: number;
  readonly shardPrefixBits: number;
  readonly layout: SlotLayout;
  readonly #shards: Uint8Array[];
  /** Slot reads so far, each with its first slot and count. */
  readonly reads: { readonly shard: number; readonly firstSlot: number; readonly slots: number }[] =
    [];
  /** Called before each read: may change slots, or throw. */
  beforeRead: ((shard: number, firstSlot: number) => void) | null = null;

  constructor(options: {
    shards?: number;
    slots: number;
    keyLen?: number;
    valueLen?: number;
    prefixBits?: number;
  }) {
    this.shardCount = options.shards ?? 1;
    this.shardPrefixBits = options.prefixBits ?? 0;
    this.layout = slotLayout(options.keyLen ?? 8, options.valueLen ?? 16);
    this.#shards = Array.from(
      { length: this.shardCount },
      () => new Uint8Array(options.slots * this.layout.slotSize),
    );
  }

  slotCount(shard: number): number {
    return this.#bytes(shard).length / this.layout.slotSize;
  }

  readSlots(shard: number, firstSlot: number, into: Uint8Array): void {
    this.beforeRead?.(shard, firstSlot);
    const start = firstSlot * this.layout.slotSize;
    this.reads.push({ shard, firstSlot, slots: into.length / this.layout.slotSize });
    into.set(this.#bytes(shard).subarray(start, start + into.length));
  }

  /** The bytes of one slot, to look at or to spoil. */
  image(shard: number, slot: number): Uint8Array {
    const { slotSize } = this.layout;
    return this.#bytes(shard).subarray(slot * slotSize, (slot + 1) * slotSize);
  }

  /** Writes a sound OCCUPIED slot; key and value are made from the number. */
  occupy(slot: number, version = 1, options: { shard?: number; seed?: number } = {}): Uint8Array {
    const { shard = 0, seed = slot } = options;
    const image = this.image(shard, slot);
    const key = seededBytes(this.layout.keyLen, seed);
    const value = seededBytes(this.layout.valueLen, seed + 1_000_003);
    encodeOccupiedSlot(image, this.layout, packMeta(STATUS_OCCUPIED, version), key, value);
    return image;
  }

  occupyAll(version = 1): void {
    for (let shard = 0; shard < this.shardCount; shard++) {
      for (let slot = 0; slot < this.slotCount(shard); slot++)
        this.occupy(slot, version, { shard });
    }
  }

  /** Sets the meta word alone, as a delete does. */
  setMeta(slot: number, status: SlotStatus, version: number, shard = 0): void {
    viewOf(this.image(shard, slot)).setUint32(0, packMeta(status, version), true);
  }

  /** Spoils one byte of the value, so that the crc is wrong. */
  tear(slot: number, shard = 0): void {
    const image = this.image(shard, slot);
    image[9] = (image[9] ?? 0) ^ 0xff;
  }

  #bytes(shard: number): Uint8Array {
    const bytes = this.#shards[shard];
    if (bytes === undefined) throw new RangeError(`no shard ${shard}`);
    return bytes;
  }
}

/** Bytes that differ from seed to seed. */
export function seededBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let word = seed;
  for (let index = 0; index < length; index++) {
    if (index % 4 === 0) word = crc32(`${seed}/${index}`);
    bytes[index] = (word >>> (8 * (index % 4))) & 0xff;
  }
  return bytes;
}

/** A live source that sends what `publish` is given. */
export class ManualSource implements LiveSource {
  readonly #sinks = new Map<number, Set<LiveSink>>();

  subscribe(shard: number, sink: LiveSink): () => void {
    const sinks = this.#sinks.get(shard) ?? new Set<LiveSink>();
    this.#sinks.set(shard, sinks);
    sinks.add(sink);
    return () => void sinks.delete(sink);
  }

  get subscribers(): number {
    return [...this.#sinks.values()].reduce((sum, sinks) => sum + sinks.size, 0);
  }

  publish(shard: number, event: LiveEvent): void {
    for (const sink of this.#sinks.get(shard) ?? []) sink.event(event);
  }
}

/** What a disk with a bad block throws. */
export function badBlock(): DiskError {
  return new DiskError("read", "/db/shard_000/fixed.data", "EIO");
}
