// Reads slots of one shard's file in ascending order through a window, and any slot again afresh. Used by compare and by
// the repairer's sources. Opens for reading only. A slot whose crc is wrong may be a write that is under way in another
// process: it is read again before it is called damaged.

import { viewOf } from "../../bytes.ts";
import {
  decodeShardHeader,
  SHARD_HEADER_BYTES,
  shardHeaderFault,
  slotOffset,
} from "../../format/shard-header.ts";
import { isSlotSound, type SlotLayout } from "../../format/slot.ts";
import { type Disk, DiskError, type DiskFile } from "../../io/disk.ts";
import { damagedSide, type SideWord } from "./side-word.ts";

export const WINDOW_BYTES_SEQUENTIAL = 1024 * 1024;
export const WINDOW_BYTES_SPARSE = 4096;
/** Reads of a slot before its crc counts as wrong. */
const READS_MAX = 3;

export class SlotReader {
  readonly layout: SlotLayout;
  /** Slots of the file: what its header says, and no more than its length holds. */
  readonly slotCount: number;
  readonly #file: DiskFile;
  readonly #window: Uint8Array;
  readonly #slotsPerWindow: number;
  #windowStart = 0;
  #windowSlots = 0;
  #readBytes = 0;

  private constructor(file: DiskFile, layout: SlotLayout, slotCount: number, windowBytes: number) {
    this.#file = file;
    this.layout = layout;
    this.slotCount = slotCount;
    this.#slotsPerWindow = Math.max(1, Math.floor(windowBytes / layout.slotSize));
    this.#window = new Uint8Array(this.#slotsPerWindow * layout.slotSize);
  }

  /**
   * Opens a shard's file. Null when its header cannot be used with this layout: such a file is for verify and
   * repair. Throws DiskError.
   */
  static open(
    disk: Disk,
    path: string,
    shard: number,
    layout: SlotLayout,
    windowBytes: number,
  ): SlotReader | null {
    const file = disk.open(path, "read");
    let reader: SlotReader | null = null;
    try {
      const bytes = new Uint8Array(SHARD_HEADER_BYTES);
      const header = decodeShardHeader(bytes.subarray(0, file.read(bytes, 0)));
      if (
        header !== null &&
        shardHeaderFault(header) === null &&
        header.shardId === shard &&
        header.keyLen === layout.keyLen &&
        header.valueLen === layout.valueLen
      ) {
        const held = Math.floor((file.size() - SHARD_HEADER_BYTES) / layout.slotSize);
        reader = new SlotReader(file, layout, Math.min(header.slotCount, held), windowBytes);
      }
      return reader;
    } finally {
      if (reader === null) file.close();
    }
  }

  /**
   * Opens a shard's file without believing its header: the repairer knows layout and count from elsewhere. Slots
   * past the end of the file are not there.
   */
  static raw(
    disk: Disk,
    path: string,
    layout: SlotLayout,
    slotCount: number,
    windowBytes: number,
  ): SlotReader {
    const file = disk.open(path, "read");
    const held = Math.floor((file.size() - SHARD_HEADER_BYTES) / layout.slotSize);
    return new SlotReader(file, layout, Math.max(0, Math.min(slotCount, held)), windowBytes);
  }

  /** The bytes of a slot, a view that is valid until the next call; null past the end. */
  slot(slot: number): Uint8Array | null {
    if (slot >= this.slotCount) return null;
    const index = slot - this.#windowStart;
    if (index < 0 || index >= this.#windowSlots) {
      this.#fill(slot);
      return this.#windowSlots === 0 ? null : this.#at(0);
    }
    return this.#at(index);
  }

  /** The slots from `slot` on, a window full unless the file ends or a bad place is near; empty past the end. */
  run(slot: number): Uint8Array {
    if (slot >= this.slotCount) return this.#window.subarray(0, 0);
    this.#fill(slot);
    return this.#window.subarray(0, this.#windowSlots * this.layout.slotSize);
  }

  get slotsPerRun(): number {
    return this.#slotsPerWindow;
  }

  /** The bytes of any slot, with zeros for what lies past the end of the file. */
  padded(slot: number): Uint8Array {
    const bytes = this.slot(slot);
    if (bytes !== null) return bytes;
    const into = new Uint8Array(this.layout.slotSize);
    into.fill(0, this.#fromFile(into, slot));
    return into;
  }

  /** Reads a slot from the file again, past the window. */
  fresh(slot: number): Uint8Array | null {
    const bytes = new Uint8Array(this.layout.slotSize);
    return this.#fromFile(bytes, slot) === bytes.length ? bytes : null;
  }

  /**
   * The slot's bytes and its side word. Where the crc is wrong the slot is read afresh a few times before it
   * counts as damaged.
   */
  judged(slot: number): { readonly word: SideWord; readonly bytes: Uint8Array | null } {
    let bytes = this.slot(slot);
    for (let reads = 1; bytes !== null; reads++) {
      const meta = viewOf(bytes).getUint32(0, true);
      if (isSlotSound(bytes, this.layout)) return { word: meta, bytes };
      if (reads >= READS_MAX) return { word: damagedSide(meta), bytes };
      bytes = this.fresh(slot);
    }
    return { word: 0, bytes: null };
  }

  /** Bytes that were read since it was last asked: for the throttle. */
  takeReadBytes(): number {
    const bytes = this.#readBytes;
    this.#readBytes = 0;
    return bytes;
  }

  close(): void {
    this.#file.close();
  }

  #fromFile(into: Uint8Array, slot: number): number {
    const read = this.#file.read(into, slotOffset(slot, this.layout.slotSize));
    this.#readBytes += read;
    return read;
  }

  #at(index: number): Uint8Array {
    const start = index * this.layout.slotSize;
    return this.#window.subarray(start, start + this.layout.slotSize);
  }

  #fill(slot: number): void {
    const slots = Math.min(this.#slotsPerWindow, this.slotCount - slot);
    try {
      this.#read(slot, slots);
    } catch (thrown) {
      // A bad place somewhere in the window: only the slot that lies on it must fail.
      if (!(thrown instanceof DiskError) || slots === 1) throw thrown;
      this.#read(slot, 1);
    }
  }

  #read(slot: number, slots: number): void {
    this.#windowSlots = 0;
    const bytes = this.#window.subarray(0, slots * this.layout.slotSize);
    const read = this.#fromFile(bytes, slot);
    this.#windowStart = slot;
    this.#windowSlots = Math.floor(read / this.layout.slotSize);
  }
}
