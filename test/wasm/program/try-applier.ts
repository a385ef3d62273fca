// What the program of kernel.test.ts does on each of its threads.

import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  STATUS_OCCUPIED,
} from "../../../src/format/slot.ts";
import { FRAME_HEADER_BYTES } from "../../../src/limits.ts";
import { createApplier } from "../../../src/replica/apply/create-applier.ts";
import { WasmApplier } from "../../../src/replica/apply/wasm-applier.ts";
import { SlotBatchEncoder } from "../../../src/wire/slot-batch.ts";

/** `wasm 1` when the fast applier took one slot of a batch of one. */
export function tryApplier(): string {
  const layout = slotLayout(8, 64);
  const meta = packMeta(STATUS_OCCUPIED, 1);
  const image = new Uint8Array(layout.slotSize);
  encodeOccupiedSlot(image, layout, meta, new Uint8Array(8), new Uint8Array(64));
  const encoder = new SlotBatchEncoder(0, layout);
  encoder.add(5, meta, image);
  const payload = encoder.take().subarray(FRAME_HEADER_BYTES);
  const applier = createApplier(0, layout, 10);
  const outcome = applier.apply(payload, { protocol: 2, purpose: "scan", resetsSaved: false });
  const kind = applier instanceof WasmApplier ? "wasm" : "plain";
  return `${kind} ${outcome.kind === "applied" ? outcome.taken : outcome.kind}`;
}
