// One shard of a replica on disk: its file, the table of what counts in it, and the order in which things become durable.
// Knows no network. Every write to a shard of ours goes through here.
//
// The order (format.md; reliability: promises):
//   before the first slot write   clean flag 0, fdatasync
//   growth                        reserve blocks, slot_count in the header, fdatasync
//   a stop in good order          fdatasync, sidecar (temp, fsync, rename, directory), flag 1, fdatasync, cursor

import { join } from "node:path";
import { type ArmdbError, assert } from "../errors.ts";
import { CURSOR_FILE, CURSOR_TEMP_FILE } from "../format/cursor.ts";
import { HEADER_FIELDS, slotOffset } from "../format/shard-header.ts";
import { isSlotSound, type SlotLayout } from "../format/slot.ts";
import { SIDECAR_FILE, SIDECAR_TEMP_FILE } from "../format/versions-sidecar.ts";
import type { DiskFile } from "../io/disk.ts";
import { SLOW_WRITE_MS } from "../limits.ts";
import { shardDirectory } from "../format/routing.ts";
import { attentiveDisk, type DiskCallName, during } from "./attention.ts";
import { type HeldShard, holdShard, requireNames } from "./held-files.ts";
import { replaceIfRoom } from "./replace-file.ts";
import { sidecarParts } from "./sidecar-parts.ts";
import type { SlotTable } from "./slot-table.ts";
import { checkSlots, loadSlots, LoadStopped, type LoadedCounts } from "./load-slots.ts";
import { makeShardFile, openShardFile, type ShardStoreOptions } from "./open-shard.ts";
import { reserveSlots, slotProblem, slotsAfterStep } from "./shard-growth.ts";

export type { ShardStoreOptions };

/** Why there was no room for what a stop leaves beside the data; null: it is there. */
export interface Unsaved {
  readonly sidecar: ArmdbError | null;
  readonly cursor: ArmdbError | null;
}

export class ShardStore<Table extends SlotTable = SlotTable> {
  readonly shard: number;
  readonly layout: SlotLayout;
  readonly table: Table;
  /** False when the file system could not reserve blocks: a later write may meet ENOSPC. */
  readonly reserved: boolean;
  /** What loading found; zeros for a new shard. */
  readonly loaded: LoadedCounts;
  /** What its names mean, by which everything but slots is written. */
  readonly held: HeldShard;
  readonly #options: ShardStoreOptions;
  readonly #file: DiskFile;
  #markedDirty: boolean;
  /** Something was written to it since it was opened. */
  isChanged = false;
  slowWrites = 0;
  slowestWriteMs = 0;
  #wasShort = false;
  #firstUnsyncedAtMs: number | null = null;
  #syncStartedWith: number | null = null;
  #syncing = false;

  private constructor(
    options: ShardStoreOptions,
    file: DiskFile,
    table: Table,
    state: { markedDirty: boolean; reserved: boolean; loaded: LoadedCounts },
  ) {
    this.shard = options.shard;
    this.layout = options.layout;
    this.#options = options;
    this.#file = file;
    this.table = table;
    this.held = holdShard(options, file);
    this.#markedDirty = state.markedDirty;
    this.reserved = state.reserved;
    this.loaded = state.loaded;
  }

  /** Makes a new shard of exactly `slotCount` never-used slots, durable. */
  static create<Table extends SlotTable>(
    options: ShardStoreOptions,
    slotCount: number,
    newTable: (slotCount: number) => Table,
  ): ShardStore<Table> {
    const { file, reserved } = makeShardFile(options, slotCount);
    const loaded = { occupied: 0, deleted: 0, free: slotCount, torn: 0 };
    return new ShardStore(options, file, newTable(slotCount), {
      markedDirty: true,
      reserved: reserved.blocks,
      loaded,
    });
  }

  /** Opens an existing shard: every slot is read as the disk has it. Throws LoadStopped in the middle where that is asked for. */
  static open<Table extends SlotTable>(
    options: ShardStoreOptions,
    newTable: (slotCount: number) => Table,
  ): ShardStore<Table> {
    const { file, header } = openShardFile(options);
    const table = newTable(header.slotCount);
    const loaded = loadSlots(file, table, options);
    if (loaded === null) {
      file.close();
      throw new LoadStopped(header.cleanShutdown === 1);
    }
    return new ShardStore(options, file, table, {
      markedDirty: header.cleanShutdown === 0,
      reserved: true,
      loaded,
    });
  }

  /** Closed clean by whoever had it before, and not changed since. */
  get isClean(): boolean {
    return !this.#markedDirty;
  }

  get slotCount(): number {
    return this.table.slotCount;
  }

  /** Monotonic time of the oldest write that no sync has covered, or null when all is durable. */
  get oldestUnsyncedAtMs(): number | null {
    return this.#syncStartedWith ?? this.#firstUnsyncedAtMs;
  }

  /** Something is written that no sync covers, begun or done. */
  get hasUnsyncedWrites(): boolean {
    return this.#firstUnsyncedAtMs !== null;
  }

  /** Why a slot id cannot be true of a shard of this size, or null: a shard never grows by a lie. */
  slotProblem(slot: number): string | null {
    return slotProblem(slot, this.slotCount);
  }

  /** Makes room for slot `slotMax`: in steps of max(1 M slots, a quarter), or hardly more than enough where space is short. */
  growFor(slotMax: number): void {
    assert(this.slotProblem(slotMax) === null, "a shard grown for a lie");
    this.#markDirty();
    const slotCount = this.#during("fallocate", () => this.#reserve(slotMax + 1));
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, slotCount, true);
    this.#file.write(count, HEADER_FIELDS.slotCount.offset);
    this.#syncData();
    this.table.grow(slotCount);
    this.#options.tap?.grew(slotCount);
  }

  #reserve(needed: number): number {
    const { slotCount, layout } = this;
    const { slotSize } = layout;
    const wanted = Math.max(needed, slotsAfterStep(slotCount, slotSize));
    const asked = { slotCount, slotSize, wanted, needed };
    const reserved = reserveSlots(this.#options.disk, this.#file, asked);
    if (reserved.isShort && !this.#wasShort) {
      this.#wasShort = true;
      this.#options.warn("the disk is short of space: the file grows by little more than it needs");
    }
    return reserved.slotCount;
  }

  /** Writes all pending images of the table to the file. */
  writePending(): void {
    if (this.table.pendingBytes === 0) return;
    this.#markDirty();
    const { slotSize } = this.layout;
    const { tap } = this.#options;
    this.#write(() => {
      this.table.takeWrites((slot, memory, start, end) => {
        this.#file.writePart(memory, start, end, slotOffset(slot, slotSize));
        tap?.wrote(slot, memory, start, end);
      });
    });
  }

  /** Turns a slot into a never-used one, here and on disk: what a replica does with a slot its leader does not have. */
  clearSlot(slot: number): void {
    this.#markDirty();
    const { slotSize } = this.layout;
    const wordBefore = this.table.word(slot);
    this.#write(() => this.#file.write(new Uint8Array(slotSize), slotOffset(slot, slotSize)));
    this.table.setSlot(slot, 0, 0);
    this.#options.tap?.cleared(slot, wordBefore);
  }

  /** As checkSlots, of this shard. Nothing may be pending at a step. */
  check(spoilt: (slot: number, word: number) => void): Generator<void> {
    return checkSlots(this.#file, this.layout, this.table, spoilt);
  }

  /** The bytes of a slot as the file has them now. */
  readSlot(slot: number): Uint8Array {
    const bytes = new Uint8Array(this.layout.slotSize);
    this.#file.read(bytes, slotOffset(slot, this.layout.slotSize));
    return bytes;
  }

  /** Writes slots. From here on something is not durable, also when the write fails half-way. */
  #write(run: () => void): void {
    const { clock, attention } = this.#options;
    const startMs = clock.nowMs();
    this.#firstUnsyncedAtMs ??= startMs;
    during(attention, "pwrite", startMs, run);
    const tookMs = clock.nowMs() - startMs;
    if (tookMs > SLOW_WRITE_MS) this.slowWrites++;
    this.slowestWriteMs = Math.max(this.slowestWriteMs, tookMs);
  }

  #during<T>(call: DiskCallName, run: () => T): T {
    const { clock, attention } = this.#options;
    return during(attention, call, clock.nowMs(), run);
  }

  #syncData(): void {
    this.#during("fdatasync", () => this.#file.syncData());
  }

  /** Clears the clean flag, durably, before the first slot write: with flag 1 the crate would believe a stale sidecar. */
  #markDirty(): void {
    this.isChanged = true;
    if (this.#markedDirty) return;
    this.#setCleanFlag(0);
    this.#syncData();
    this.#markedDirty = true;
  }

  #setCleanFlag(flag: 0 | 1): void {
    const byte = Uint8Array.of(flag);
    this.#during("pwrite", () => this.#file.write(byte, HEADER_FIELDS.cleanShutdown.offset));
  }

  /** A sync of everything written so far begins (on another thread). */
  syncBegan(): void {
    assert(!this.#syncing, "one sync at a time");
    this.#syncing = true;
    this.#syncStartedWith = this.#firstUnsyncedAtMs;
    this.#firstUnsyncedAtMs = null;
  }

  /** That sync returned 0. */
  syncEnded(): void {
    this.#syncing = false;
    this.#syncStartedWith = null;
  }

  /** fdatasync on this thread: for a stop in good order, and before `ready` where no flusher runs. */
  syncNow(): void {
    this.#syncData();
    this.#firstUnsyncedAtMs = null;
    this.#syncStartedWith = null;
  }

  /**
   * A stop in good order, as the crate leaves a shard: data, sidecar, flag, then the cursor if there is one. What has no room is left
   * out: the data is whole without it, and with no sidecar the flag stays 0.
   */
  closeClean(cursor: Uint8Array | null): Unsaved {
    assert(this.table.pendingBytes === 0, "pending writes at close");
    requireNames(this.#options.disk, this.held.names);
    // Nothing was written and the flag still stands: the files are as they were found.
    const sidecar = this.#markedDirty ? this.#closeDirty() : null;
    const unsaved = cursor === null ? null : this.#saveCursor(cursor);
    this.#file.close();
    return { sidecar, cursor: unsaved };
  }

  #closeDirty(): ArmdbError | null {
    this.syncNow();
    const unsaved = this.#replace(SIDECAR_FILE, SIDECAR_TEMP_FILE, this.#sidecar());
    if (unsaved !== null) return unsaved;
    this.#setCleanFlag(1);
    this.#syncData();
    return null;
  }

  /** That of a large shard takes a while. */
  *#sidecar(): Generator<Uint8Array> {
    const { attention, clock } = this.#options;
    for (const part of sidecarParts(this.table, (slot) => this.#soundWord(slot))) {
      attention.isStopped(clock.nowMs());
      yield part;
    }
  }

  /** The meta word of a slot as the file has it; null: its crc or status is wrong. */
  #soundWord(slot: number): number | null {
    const { layout } = this.#options;
    const bytes = new Uint8Array(layout.slotSize);
    this.#file.read(bytes, slotOffset(slot, layout.slotSize));
    return isSlotSound(bytes, layout) ? new DataView(bytes.buffer).getUint32(0, true) : null;
  }

  #saveCursor(cursor: Uint8Array): ArmdbError | null {
    requireNames(this.#options.disk, this.held.names);
    return this.#replace(CURSOR_FILE, CURSOR_TEMP_FILE, [cursor]);
  }

  #replace(name: string, temp: string, contents: Iterable<Uint8Array>): ArmdbError | null {
    const { dir, shard, owner, attention, clock } = this.#options;
    const disk = attentiveDisk(this.#options.disk, attention, clock);
    const directory = join(dir, shardDirectory(shard));
    return replaceIfRoom(disk, join(directory, name), join(directory, temp), contents, owner);
  }

  /** Lets go of the file as it is: after an error, when nothing more may be promised. */
  abandon(): void {
    this.#file.close();
  }
}
