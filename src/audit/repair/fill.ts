// Puts a whole shard into a new, empty file, as the source has it: for a shard whose own file is gone. Used while a plan is
// applied. Promises: never holds more than a window of slots; the file has its header and its whole length at the end.

import { encodeShardHeader, shardFileBytes, slotOffset } from "../../format/shard-header.ts";
import { encodeOccupiedSlot, type SlotLayout, slotLayout } from "../../format/slot.ts";
import { viewOf } from "../../bytes.ts";
import type { DiskFile } from "../../io/disk.ts";
import { type Geometry, geometryDifferences } from "../../store/geometry.ts";
import { otherGeometry } from "../leader/errors.ts";
import type { Task } from "../task.ts";
import type { RepairSource, SlotThere, SourceReceiver } from "./source.ts";

const WINDOW_BYTES = 1024 * 1024;

export interface FillResult {
  readonly slots: number;
  readonly occupied: number;
  /** Slots that the source is not sure of: left never-used. */
  readonly unsure: number;
}

/** Fills `file` with one shard of the source. Throws incompatible when the source is another database. */
export async function fillShard(
  source: RepairSource,
  shard: number,
  wanted: Geometry,
  file: DiskFile,
  task: Task,
): Promise<FillResult> {
  const layout = slotLayout(wanted.keyLen, wanted.valueLen);
  const writer = new SlotWriter(file, layout);
  let slotCount = 0;
  let occupied = 0;
  let unsure = 0;
  const receiver: SourceReceiver = {
    begin(info) {
      const differences = geometryDifferences(wanted, info.geometry, "here", "there");
      if (differences.length > 0) throw otherGeometry(source.name, differences);
      slotCount = info.slotCount;
    },
    slot(slot, there) {
      // A leader may have grown since it told its count.
      slotCount = Math.max(slotCount, slot + 1);
      if (there.kind === "unsure") unsure++;
      if (there.kind === "occupied") occupied++;
      writer.put(slot, there);
    },
  };
  await source.scan(shard, receiver, task);
  writer.flush();
  file.truncate(shardFileBytes(slotCount, layout.slotSize));
  file.write(encodeShardHeader({ ...layout, slotCount, shardId: shard, cleanShutdown: 0 }), 0);
  return { slots: slotCount, occupied, unsure };
}

/** Writes neighbouring slots together; gaps stay zeros. */
class SlotWriter {
  readonly #file: DiskFile;
  readonly #layout: SlotLayout;
  readonly #window: Uint8Array;
  readonly #slotsMax: number;
  #first = 0;
  #slots = 0;

  constructor(file: DiskFile, layout: SlotLayout) {
    this.#file = file;
    this.#layout = layout;
    this.#slotsMax = Math.max(1, Math.floor(WINDOW_BYTES / layout.slotSize));
    this.#window = new Uint8Array(this.#slotsMax * layout.slotSize);
  }

  put(slot: number, there: SlotThere): void {
    if (there.kind === "nothing" || there.kind === "unsure") return;
    if (slot !== this.#first + this.#slots || this.#slots === this.#slotsMax) {
      this.flush();
      this.#first = slot;
    }
    const start = this.#slots * this.#layout.slotSize;
    const image = this.#window.subarray(start, start + this.#layout.slotSize);
    if (there.kind === "occupied") {
      encodeOccupiedSlot(image, this.#layout, there.meta, there.key, there.value);
    } else {
      image.fill(0);
      viewOf(image).setUint32(0, there.meta, true);
    }
    this.#slots++;
  }

  flush(): void {
    const bytes = this.#window.subarray(0, this.#slots * this.#layout.slotSize);
    if (bytes.length > 0) this.#file.write(bytes, slotOffset(this.#first, this.#layout.slotSize));
    this.#slots = 0;
  }
}
