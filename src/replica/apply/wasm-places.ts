// Where a WasmApplier keeps its things in the kernel's memory. Every area is as large as the bounds of limits.ts
// allow a batch to need; what a batch does not touch costs address space and no memory. The table is last, so that it
// can grow.

import type { SlotLayout } from "../../format/slot.ts";
import { AreaPlan } from "../../format/wasm-kernel.ts";
import { FRAME_PAYLOAD_BYTES_MAX } from "../../limits.ts";
import type { ApplyOptions } from "./batch-applier.ts";
import * as cells from "../../wasm/cells.ts";
import { BATCH_PREFIX_BYTES, EVENT_HEADER_BYTES } from "../../wire/slot-batch.ts";
import { PENDING_BYTES_FULL } from "./batch-applier.ts";

/** Most events a payload can hold: resets, which are 8 bytes. */
const EVENTS_MAX = Math.floor((FRAME_PAYLOAD_BYTES_MAX - BATCH_PREFIX_BYTES) / EVENT_HEADER_BYTES);

/** Addresses of the areas of one applier. */
export interface Places {
  /** Where events wait when they are shorter than slots; equal to `images` when they become images where they are. */
  readonly events: number;
  readonly images: number;
  readonly imagesEnd: number;
  readonly runs: number;
  readonly differences: number;
  readonly resets: number;
  readonly crcs: number;
  readonly table: number;
}

/** The areas for slots of this layout. */
export function placesOf(layout: SlotLayout): Places {
  const eventBytes = EVENT_HEADER_BYTES + layout.keyLen + layout.valueLen;
  const becomesImage = eventBytes === layout.slotSize;
  const imagesBytes =
    PENDING_BYTES_FULL + imageBytesMax(FRAME_PAYLOAD_BYTES_MAX, eventBytes, layout.slotSize);
  const plan = new AreaPlan();
  const images = plan.area(imagesBytes);
  return {
    images,
    imagesEnd: images + imagesBytes,
    events: becomesImage ? images : plan.area(FRAME_PAYLOAD_BYTES_MAX),
    runs: plan.area(Math.ceil(imagesBytes / 4) * cells.RUN_BYTES),
    differences: plan.area(EVENTS_MAX * cells.DIFFERENCE_BYTES),
    resets: plan.area(EVENTS_MAX * 4),
    crcs: plan.area(EVENTS_MAX * 4),
    table: plan.end,
  };
}

/** Most bytes of images and meta words that a payload can turn into: a slot for each whole event. */
export function imageBytesMax(payloadBytes: number, eventBytes: number, slotSize: number): number {
  return Math.ceil((payloadBytes / eventBytes) * slotSize);
}

/** Bytes of a table of so many slots. */
export function tableBytes(slotCount: number): number {
  return Math.ceil(slotCount / cells.GROUP_SLOTS) * cells.GROUP_BYTES;
}

/** The options of a batch as the kernel takes them. */
export function optionBits(options: ApplyOptions): number {
  return (
    (options.protocol === 2 ? cells.OPTION_PROTOCOL_2 : 0) |
    (options.purpose === "live" ? 0 : cells.OPTION_SCAN) |
    (options.purpose === "compare" ? cells.OPTION_TELL_TAKEN : 0) |
    (options.resetsSaved ? cells.OPTION_RESETS_SAVED : 0)
  );
}
