// The slots of a shard as its file has them now, read beside the follower that writes it. Used by difference-recorder.ts: what
// a comparison calls `here` is the file, not the table in memory, so that a byte that went bad on disk is a difference too.
// Reads only. What was read is forgotten before each batch, as the follower writes in between.

import { viewOf } from "../../bytes.ts";
import { slotOffset } from "../../format/shard-header.ts";
import {
  packMeta,
  SLOT_CRC_OFFSET,
  slotCrc,
  type SlotLayout,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../format/slot.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";

const WINDOW_BYTES = 64 * 1024;

export interface SeenSlot {
  /** The meta word; status 3 where the bytes cannot be trusted. */
  readonly word: number;
  /** As stored. */
  readonly crc: number;
  /** The whole slot, a view until the next look; null past the end of the file. */
  readonly bytes: Uint8Array | null;
}

const ABSENT: SeenSlot = { word: 0, crc: 0, bytes: null };

export class SlotLook {
  readonly #file: DiskFile;
  readonly #layout: SlotLayout;
  readonly #window: Uint8Array;
  readonly #slotsPerWindow: number;
  #first = 0;
  #slots = 0;

  /** Throws DiskError. */
  constructor(disk: Disk, path: string, layout: SlotLayout) {
    this.#file = disk.open(path, "read");
    this.#layout = layout;
    this.#slotsPerWindow = Math.max(1, Math.floor(WINDOW_BYTES / layout.slotSize));
    this.#window = new Uint8Array(this.#slotsPerWindow * layout.slotSize);
  }

  /** The file may have changed. */
  forget(): void {
    this.#slots = 0;
  }

  slot(slot: number): SeenSlot {
    if (slot < this.#first || slot >= this.#first + this.#slots) this.#fill(slot);
    if (slot >= this.#first + this.#slots) return ABSENT;
    const { slotSize } = this.#layout;
    const start = (slot - this.#first) * slotSize;
    const bytes = this.#window.subarray(start, start + slotSize);
    const view = viewOf(bytes);
    const word = view.getUint32(0, true);
    const crc = view.getUint32(SLOT_CRC_OFFSET, true);
    const isSound =
      statusOf(word) === STATUS_OCCUPIED
        ? slotCrc(bytes, this.#layout) === crc
        : statusOf(word) !== STATUS_INVALID;
    return { word: isSound ? word : packMeta(STATUS_INVALID, versionOf(word)), crc, bytes };
  }

  close(): void {
    this.#file.close();
  }

  #fill(slot: number): void {
    const { slotSize } = this.#layout;
    const read = this.#file.read(this.#window, slotOffset(slot, slotSize));
    this.#first = slot;
    this.#slots = Math.floor(read / slotSize);
  }
}
