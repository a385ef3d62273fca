// The BatchApplier that a follower runs: one call of the WASM kernel a batch (src/wasm/apply.ts). Holds the same contract as
// plain-applier.ts and is tested against it. The payload, the images, the runs and the table all lie in the kernel's memory,
// so that nothing is copied between the steps and the writes go to pwrite from where they were made. A whole catch-up of 8x64
// over 2 shards takes 3.2 times as long with the plain form. What each trick gains stands beside it; scripts/benchmark/apply.ts
// measures.

import { crc32 } from "node:zlib";
import { copyTail, readU32 } from "../../bytes.ts";
import { ArmdbError, assert } from "../../errors.ts";
import { type SlotLayout, STATUS_OCCUPIED, statusOf } from "../../format/slot.ts";
import {
  CRC_NATIVE_BYTES_MIN,
  growKernel,
  type Kernel,
  newKernel,
  PAGE_BYTES,
} from "../../format/wasm-kernel.ts";
import { FRAME_PAYLOAD_BYTES_MAX } from "../../limits.ts";
import * as cells from "../../wasm/cells.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import {
  BATCH_PREFIX_BYTES,
  type BatchFault,
  EVENT_HEADER_BYTES,
  eventBytes,
} from "../../wire/slot-batch.ts";
import {
  type ApplyOptions,
  type BatchApplier,
  type BatchOutcome,
  DIFFERENCE_WORDS,
  type WriteSink,
} from "./batch-applier.ts";
import { imageBytesMax, optionBits, type Places, placesOf, tableBytes } from "./wasm-places.ts";

const NO_DIFFERENCES = new Uint32Array(0);

export class WasmApplier implements BatchApplier {
  readonly #shard: number;
  readonly #layout: SlotLayout;
  readonly #eventBytes: number;
  readonly #places: Places;
  readonly #kernel: Kernel;
  /** The crcs of OCCUPIED events are taken here, by native calls on #views. */
  readonly #nativeCrc: boolean;
  #slotCount: number;
  #bytes: Uint8Array;
  #words: Uint32Array;
  /** Views of the meta word, key and value of an event, by its place in the grid that begins at #places.events. */
  #views: (Uint8Array | undefined)[] = [];

  private constructor(
    shard: number,
    layout: SlotLayout,
    slotCount: number,
    places: Places,
    kernel: Kernel,
    nativeCrc: boolean,
  ) {
    this.#shard = shard;
    this.#layout = layout;
    this.#eventBytes = EVENT_HEADER_BYTES + layout.keyLen + layout.valueLen;
    this.#places = places;
    this.#kernel = kernel;
    this.#nativeCrc = nativeCrc;
    this.#slotCount = slotCount;
    this.#bytes = new Uint8Array(kernel.memory.buffer);
    this.#words = new Uint32Array(kernel.memory.buffer);
    this.#setCell(cells.KEY_BYTES, layout.keyLen);
    this.#setCell(cells.VALUE_BYTES, layout.valueLen);
    this.#setCell(cells.SLOT_BYTES, layout.slotSize);
    this.#setCell(cells.SLOT_COUNT, slotCount);
    this.#setCell(cells.IMAGES_START, places.images);
    this.#setCell(cells.RUNS_START, places.runs);
    this.#setCell(cells.DIFFERENCES_START, places.differences);
    this.#setCell(cells.RESETS_START, places.resets);
    this.#setCell(cells.CRCS_START, places.crcs);
    this.#setCell(cells.TABLE_START, places.table);
    this.#setCell(cells.TABLE_TOUCHED, places.table);
    this.#setCell(cells.SLOT_JOINING, cells.SLOT_NONE);
  }

  /** Null when the process cannot have the memory (a low `ulimit -v`) or no such memory can exist (4 GiB). */
  static create(
    shard: number,
    layout: SlotLayout,
    slotCount: number,
    nativeBytesMin = CRC_NATIVE_BYTES_MIN,
  ): WasmApplier | null {
    const places = placesOf(layout);
    const kernel = newKernel(places.table + tableBytes(slotCount));
    if (kernel === null) return null;
    const native = layout.keyLen + layout.valueLen >= nativeBytesMin;
    return new WasmApplier(shard, layout, slotCount, places, kernel, native);
  }

  get slotCount(): number {
    return this.#slotCount;
  }

  get occupied(): number {
    return this.#cell(cells.OCCUPIED);
  }

  get pendingBytes(): number {
    return this.#cell(cells.PENDING_BYTES);
  }

  grow(slotCount: number): void {
    assert(slotCount >= this.#slotCount, "a slot table never shrinks");
    const { memory } = this.#kernel;
    const bytes = this.#places.table + tableBytes(slotCount);
    if (bytes > memory.buffer.byteLength) {
      if (!growKernel(this.#kernel, bytes)) {
        const hint = "free memory, or raise ulimit -v and MemoryMax=";
        const what = `Cannot hold ${slotCount} slots in memory: ${bytes} bytes`;
        throw new ArmdbError("unexpected", what, { shard: this.#shard, hint });
      }
      this.#bytes = new Uint8Array(memory.buffer);
      this.#words = new Uint32Array(memory.buffer);
      this.#views = [];
    }
    this.#slotCount = slotCount;
    this.#setCell(cells.SLOT_COUNT, slotCount);
  }

  word(slot: number): number {
    return this.#words[this.#entry(slot)] as number;
  }

  crc(slot: number): number {
    return this.#words[this.#entry(slot) + 1] as number;
  }

  setSlot(slot: number, word: number, crc: number): void {
    const entry = this.#entry(slot);
    if (4 * entry >= this.#cell(cells.TABLE_TOUCHED)) this.#kernel.touch(slot);
    const before = statusOf(this.#words[entry] as number) === STATUS_OCCUPIED ? 1 : 0;
    const after = statusOf(word) === STATUS_OCCUPIED ? 1 : 0;
    this.#words[entry] = word;
    this.#words[entry + 1] = crc;
    if (before !== after) this.#setCell(cells.OCCUPIED, this.occupied - before + after);
  }

  beginScan(): void {
    const words = this.#words;
    const step = cells.GROUP_BYTES / 4;
    // No further: a table that was never used stays memory that nobody has asked for (src/wasm/touch.ts).
    const end = this.#cell(cells.TABLE_TOUCHED) / 4;
    let marks = (this.#places.table + cells.SEEN_OFFSET) / 4;
    for (; marks < end; marks += step) {
      if (words[marks] !== 0) words[marks] = 0;
      if (words[marks + 1] !== 0) words[marks + 1] = 0;
    }
  }

  isSeen(slot: number): boolean {
    return this.#isMarked(slot, cells.SEEN_OFFSET);
  }

  isTouched(slot: number): boolean {
    return this.#isMarked(slot, cells.TOUCHED_OFFSET);
  }

  apply(payload: Uint8Array, options: ApplyOptions): BatchOutcome {
    if (payload.length < BATCH_PREFIX_BYTES) return problem("too-short", 0);
    if (payload[0] !== this.#shard) return problem("other-shard", 0);
    const count = readU32(payload, 1);
    const eventsBytes = payload.length - BATCH_PREFIX_BYTES;
    if (count * EVENT_HEADER_BYTES > eventsBytes) return problem("count-exceeds-payload", 0);

    const start = this.#copyEvents(payload);
    const end = start + eventsBytes;
    if (this.#nativeCrc) this.#takeCrcs(start, end, count, options.protocol);
    const bits = optionBits(options) | (this.#nativeCrc ? cells.OPTION_CRCS_GIVEN : 0);
    const answer = this.#kernel.apply(start, end, count, bits);
    switch (answer) {
      case cells.ANSWER_APPLIED:
        return this.#applied(count);
      case cells.ANSWER_GROW:
        return { kind: "grow", slotMax: this.#cell(cells.SLOT_MAX) };
      case cells.ANSWER_SAVE_FIRST:
        return { kind: "save-first", slots: this.#copiesReset() };
      default:
        return problem(
          answer === cells.ANSWER_TRUNCATED ? "event-truncated" : "status-invalid",
          this.#cell(cells.FAULT_EVENT),
        );
    }
  }

  takeWrites(write: WriteSink): void {
    const runs = this.#cell(cells.RUN_COUNT);
    let cell = this.#places.runs / 4;
    for (let run = 0; run < runs; run++, cell += cells.RUN_BYTES / 4) {
      const start = this.#words[cell + 1] as number;
      const bytes = this.#words[cell + 2] as number;
      write(this.#words[cell] as number, this.#bytes, start, start + bytes);
    }
    this.#setCell(cells.RUN_COUNT, 0);
    this.#setCell(cells.PENDING_BYTES, 0);
    this.#setCell(cells.SLOT_JOINING, cells.SLOT_NONE);
  }

  /**
   * Copies the events of a payload to where the kernel reads them: right behind the pending images where an event is as long
   * as a slot, as its key and value then never move again (8 % of a slot at 8x64, 18 % at 32x1000); else to an area of their
   * own.
   */
  #copyEvents(payload: Uint8Array): number {
    const { events, images, imagesEnd } = this.#places;
    const pending = this.#cell(cells.PENDING_BYTES);
    const imagesBytes = imageBytesMax(payload.length, this.#eventBytes, this.#layout.slotSize);
    assert(payload.length <= FRAME_PAYLOAD_BYTES_MAX, "a payload past the bound on frames");
    assert(images + pending + imagesBytes <= imagesEnd, "the pending writes were not taken");
    const start = events === images ? images + pending : events;
    copyTail(payload, BATCH_PREFIX_BYTES, this.#bytes, start);
    return start;
  }

  /**
   * Puts the crc of each OCCUPIED event where the kernel looks for it, by native calls. While all events are of one length
   * the views are those of an earlier batch; a view made for one call costs as much again. Stops at what the kernel
   * will refuse.
   */
  #takeCrcs(start: number, end: number, count: number, protocol: ProtocolVersion): void {
    const stride = this.#eventBytes;
    // Fields held in locals: a third of the time of this loop.
    const bytes = this.#bytes;
    const words = this.#words;
    const views = this.#views;
    const crcs = this.#places.crcs / 4;
    // `| 0` keeps it an integer for the compiler: as a double it makes each look-up 10 ns slower.
    let index = ((start - this.#places.events) / stride) | 0;
    let isOnGrid = this.#places.events + index * stride === start;
    let at = start;
    for (let event = 0; event < count && at + EVENT_HEADER_BYTES <= end; event++) {
      const status = statusOf(bytes[at + 4] as number);
      if (status !== STATUS_OCCUPIED) {
        at += eventBytes(status, this.#layout, protocol);
        isOnGrid = false;
        continue;
      }
      if (at + stride > end) return;
      const view = isOnGrid
        ? (views[index] ?? this.#newView(index))
        : bytes.subarray(at + 4, at + stride);
      words[crcs + event] = crc32(view);
      index++;
      at += stride;
    }
  }

  #newView(index: number): Uint8Array {
    const start = this.#places.events + index * this.#eventBytes;
    const view = this.#bytes.subarray(start + 4, start + this.#eventBytes);
    this.#views[index] = view;
    return view;
  }

  #applied(events: number): BatchOutcome {
    return {
      ...{ kind: "applied", events },
      slotFirst: events === 0 ? -1 : this.#cell(cells.SLOT_FIRST),
      slotLast: events === 0 ? -1 : this.#cell(cells.SLOT_LAST),
      ascending: this.#cell(cells.ASCENDING) === 1,
      taken: this.#cell(cells.TAKEN),
      replaced: this.#cell(cells.REPLACED),
      cleared: this.#cell(cells.CLEARED),
      versionMax: this.#cell(cells.VERSION_MAX) | 0,
      differences: this.#differences(),
      invalidSlot: this.#cell(cells.INVALID_SLOT) | 0,
    };
  }

  #differences(): Uint32Array {
    const count = this.#cell(cells.DIFFERENCE_COUNT);
    if (count === 0) return NO_DIFFERENCES;
    const start = this.#places.differences / 4;
    return this.#words.subarray(start, start + count * DIFFERENCE_WORDS);
  }

  #copiesReset(): number[] {
    const cell = this.#places.resets / 4;
    return Array.from(this.#words.subarray(cell, cell + this.#cell(cells.RESET_COUNT)));
  }

  #cell(address: number): number {
    return this.#words[address / 4] as number;
  }

  #setCell(address: number, value: number): void {
    this.#words[address / 4] = value;
  }

  /** Index in #words of a slot's word; its crc is the next. */
  #entry(slot: number): number {
    return this.#places.table / 4 + (slot >>> 5) * (cells.GROUP_BYTES / 4) + (slot & 31) * 2;
  }

  #isMarked(slot: number, offset: number): boolean {
    const group = this.#places.table + (slot >>> 5) * cells.GROUP_BYTES;
    return ((this.#cell(group + offset) >>> (slot & 31)) & 1) === 1;
  }
}

function problem(fault: BatchFault, event: number): BatchOutcome {
  return { kind: "problem", problem: { fault, event } };
}
