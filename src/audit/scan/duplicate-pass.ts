// Finds the slots of a shard that may hold one key, in a bounded amount of memory: the first half of the search for keys
// that are live twice (scan/duplicate-search.ts has the second, which compares whole keys). Two forms hold this contract and are
// tested against each other: scan/sorting-duplicate-pass.ts, to be read, and scan/wasm-duplicate-pass.ts, fast. Where all slots
// do not fit the memory, each pass takes a part of the fingerprints and the file is read once more a pass.

import { SortingDuplicatePass } from "./sorting-duplicate-pass.ts";
import { WasmDuplicatePass } from "./wasm-duplicate-pass.ts";

/** Bytes a live slot costs: its pair of fingerprint and slot, with what is left free, and its cells of a hash table. */
const BYTES_PER_SLOT = 20;
/** Passes never take more than this for less memory: a file is not read a thousand times. */
const BYTES_MIN = 64 * 1024;
/** Fewer pairs are sorted before a kernel has its memory. */
const WASM_PAIRS_MIN = 16 * 1024;

/** The part of the fingerprints that one pass takes. */
export interface PassShare {
  readonly pass: number;
  readonly passes: number;
  /** Live slots that may come in all passes together. */
  readonly slotsMax: number;
}

export interface DuplicatePass {
  /** Takes the live slots of a checked chunk whose fingerprints belong to this pass; `first`: the chunk's first slot. */
  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void;
  /**
   * Groups of two or more slots, each ascending: all that have one fingerprint are in one group, others next to never.
   */
  groups(): number[][];
}

/** Passes that are needed for this many slots in this much memory. */
export function passesFor(slotCount: number, bytesMax: number): number {
  return Math.max(1, Math.ceil((slotCount * BYTES_PER_SLOT) / Math.max(bytesMax, BYTES_MIN)));
}

/**
 * The fast form where it pays and its memory can be had, else the one that sorts. Measured against the same search in
 * TypeScript: 8 % of a whole verify at 32x1000 with two workers, 6 % with one.
 */
export function createDuplicatePass(share: PassShare): DuplicatePass {
  const pairs = share.slotsMax / share.passes;
  const fast = pairs < WASM_PAIRS_MIN ? null : WasmDuplicatePass.create(share);
  return fast ?? new SortingDuplicatePass(share);
}
