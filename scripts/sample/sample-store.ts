// A small store that writes a database directory as the crate's own program would: slots allocated lowest free first, a
// version more with each change, deletes that touch the meta word alone, growth by steps, sidecar and flag at a clean end
// (format.md). Serves as the leader of the demo and as a leader with live changes in tests; src never imports it.
// It is simple on purpose: one process, one thread, everything synchronous.

import { join } from "node:path";
import { DB_META_FILE, decodeDbMeta, encodeDbMeta, dbMetaFault } from "../../src/format/db-meta.ts";
import { shardDirectory, shardOfKey } from "../../src/format/routing.ts";
import type { SlotLayout } from "../../src/format/slot.ts";
import { slotLayout } from "../../src/format/slot.ts";
import type { Disk } from "../../src/io/disk.ts";
import type { LiveSink, LiveSource } from "../../src/serve/live-source.ts";
import type { ServedDatabase } from "../../src/serve/served-database.ts";
import { type HeldLock, takeLock } from "../../src/store/lock.ts";
import { SampleShard } from "./sample-shard.ts";

export interface SampleGeometry {
  readonly shards: number;
  readonly shardPrefixBits: number;
  readonly keyLen: number;
  readonly valueLen: number;
  /** Slots that a shard starts with and grows by. */
  readonly growStep: number;
}

export class SampleStore implements ServedDatabase, LiveSource {
  readonly shardCount: number;
  readonly shardPrefixBits: number;
  readonly layout: SlotLayout;
  readonly #lock: HeldLock;
  readonly #shards: SampleShard[];
  readonly #sinks: Set<LiveSink>[];

  private constructor(geometry: SampleGeometry, lock: HeldLock, shards: SampleShard[]) {
    this.shardCount = geometry.shards;
    this.shardPrefixBits = geometry.shardPrefixBits;
    this.layout = slotLayout(geometry.keyLen, geometry.valueLen);
    this.#lock = lock;
    this.#shards = shards;
    this.#sinks = shards.map(() => new Set());
  }

  /** Opens the directory, or creates it; its geometry must be the one given. */
  static open(disk: Disk, dir: string, geometry: SampleGeometry): SampleStore {
    if (disk.facts(dir) === null) disk.makeDirectory(dir, 0o700);
    const lock = takeLock(disk, dir, "exclusive");
    writeMeta(disk, dir, geometry);
    const layout = slotLayout(geometry.keyLen, geometry.valueLen);
    const shards = Array.from({ length: geometry.shards }, (_, shard) =>
      SampleShard.open(disk, join(dir, shardDirectory(shard)), shard, layout, geometry.growStep),
    );
    disk.syncDirectory(dir);
    return new SampleStore(geometry, lock, shards);
  }

  /** Records that are live. */
  get count(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.count, 0);
  }

  /** The value of a key, or null. */
  get(key: Uint8Array): Uint8Array | null {
    return this.#shards[this.#shardOf(key)]?.get(key) ?? null;
  }

  /** Sets a key; true when it was there before. */
  put(key: Uint8Array, value: Uint8Array): boolean {
    const number = this.#shardOf(key);
    const shard = this.#shard(number);
    const existed = shard.get(key) !== null;
    const event = shard.put(key, value);
    for (const sink of this.#sinks[number] ?? []) sink.event(event);
    return existed;
  }

  /** Removes a key; true when it was there. */
  delete(key: Uint8Array): boolean {
    const number = this.#shardOf(key);
    const event = this.#shard(number).delete(key);
    if (event === null) return false;
    for (const sink of this.#sinks[number] ?? []) sink.event(event);
    return true;
  }

  slotCount(shard: number): number {
    return this.#shard(shard).slotCount;
  }

  readSlots(shard: number, firstSlot: number, into: Uint8Array): void {
    this.#shard(shard).readSlots(firstSlot, into);
  }

  subscribe(shard: number, sink: LiveSink): () => void {
    const sinks = this.#sinks[shard];
    if (sinks === undefined) throw new RangeError(`Shard number out of range: ${shard}`);
    sinks.add(sink);
    return () => void sinks.delete(sink);
  }

  /** A clean end: data, sidecar and flag, all durable (format.md: fixed.versions). */
  close(): void {
    for (const shard of this.#shards) shard.close();
    this.#lock.release();
  }

  /** The end of a process that was killed: files stay as they are. */
  abandon(): void {
    for (const shard of this.#shards) shard.abandon();
    this.#lock.release();
  }

  #shardOf(key: Uint8Array): number {
    return shardOfKey(key, this.shardCount, this.shardPrefixBits);
  }

  #shard(number: number): SampleShard {
    const shard = this.#shards[number];
    if (shard === undefined) throw new RangeError(`Shard number out of range: ${number}`);
    return shard;
  }
}

function writeMeta(disk: Disk, dir: string, geometry: SampleGeometry): void {
  const path = join(dir, DB_META_FILE);
  if (disk.facts(path) !== null) {
    const file = disk.open(path, "read");
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0);
    file.close();
    const meta = decodeDbMeta(bytes);
    const isSame =
      dbMetaFault(meta) === null &&
      meta?.shardCount === geometry.shards &&
      meta.shardPrefixBits === geometry.shardPrefixBits;
    if (!isSame) throw new Error(`"${dir}" is a database of another geometry`);
    return;
  }
  const { shards: shardCount, shardPrefixBits } = geometry;
  const file = disk.open(path, "create");
  file.write(encodeDbMeta({ shardCount, shardPrefixBits }), 0);
  file.sync();
  file.close();
}
