// The SlotScanner of a scan: the fast form where it pays and its memory can be had, else the plain one, which is slower and
// in everything else the same.

import { PlainSlotScanner } from "./plain-slot-scanner.ts";
import type { SlotLayout } from "./slot.ts";
import { type RoutingCheck, type SlotScanner, slotsPerChunk } from "./slot-scanner.ts";
import { WasmSlotScanner } from "./wasm-slot-scanner.ts";

/** A kernel of its own is not worth it for a few slots. */
const WASM_SLOTS_MIN = 64;

/** A scanner of chunks of up to `slotsMax` slots; `routing` null leaves routing unchecked. */
export function createSlotScanner(
  layout: SlotLayout,
  routing: RoutingCheck | null,
  slotsMax = slotsPerChunk(layout),
): SlotScanner {
  const fast = slotsMax < WASM_SLOTS_MIN ? null : WasmSlotScanner.create(layout, routing, slotsMax);
  return fast ?? new PlainSlotScanner(layout, routing, slotsMax);
}
