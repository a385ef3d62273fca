// The BatchApplier of a follower's shard: the fast form where its memory can be had, else the plain one, which is slower and
// in everything else the same.

import type { SlotLayout } from "../../format/slot.ts";
import type { BatchApplier } from "./batch-applier.ts";
import { PlainApplier } from "./plain-applier.ts";
import { WasmApplier } from "./wasm-applier.ts";

/** An empty table of `slotCount` never-used slots, with the rules over it. */
export function createApplier(shard: number, layout: SlotLayout, slotCount: number): BatchApplier {
  return WasmApplier.create(shard, layout, slotCount) ?? new PlainApplier(shard, layout, slotCount);
}
