// Finds the slots of a shard that may hold one key, in a bounded amount of memory: the first half of the search for keys
// that are live twice (scan/duplicate-search.ts has the second, which compares whole keys). Two forms hold this contract and are
// tested against each other: scan/sorting-duplicate-pass.ts, to be read, and scan/wasm-duplicate-pass.ts, fast. Where the live
// slots do not fit the memory, only a part of the fingerprints is kept, and the file is read once more for each other part.

/** A live slot costs its lower half of a fingerprint and its number. */
export const PAIR_BYTES = 8;

/** The part of the fingerprints that one pass takes. */
export interface PassShare {
  readonly part: number;
  /** A power of two. */
  readonly parts: number;
  /** Live slots that may come in all parts together. */
  readonly slotsMax: number;
  /** For the pairs. */
  readonly bytesMax: number;
}

export interface DuplicatePass {
  /** Of so many parts it holds its own: more than it began with when its memory was full. */
  readonly parts: number;
  /** True when slots were left out because smaller parts did not help: too many have fingerprints alike. */
  readonly isCut: boolean;
  /** Takes the live slots of a checked chunk whose fingerprints belong to this pass; `first`: the chunk's first slot. */
  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void;
  /**
   * Groups of two or more slots, each ascending: all that have one fingerprint are in one group, others next to never.
   */
  groups(): Generator<readonly number[]>;
}

/**
 * Parts that a pass may be made smaller to: four times what evenly spread fingerprints need. More are not spread, and no part
 * is small enough for slots of one key.
 */
export function partsMaxOf({ parts, slotsMax, bytesMax }: PassShare): number {
  const needed = Math.ceil((slotsMax * PAIR_BYTES) / Math.max(1, bytesMax));
  return Math.max(parts, 4 * 2 ** Math.ceil(Math.log2(Math.max(1, needed))));
}
