// What the store needs of the table of slots: the part of replica/apply/batch-applier.ts that has to do with disk.

/**
 * Takes one finished write: whole slot images from `slot` on, or the 4 bytes of its meta word. They lie in [start, end) of
 * `memory`, which is the same for many writes: a view for each is garbage, 7 % of the processor time at 100,000 puts a second.
 */
export type WriteSink = (slot: number, memory: Uint8Array, start: number, end: number) => void;

/**
 * Told of all that changes a shard's file, once the system has it and in that order. Nothing waits for it; it must not throw, and
 * memory is valid during the call only.
 */
export interface ShardTap {
  readonly wrote: WriteSink;
  /** The slot is a never-used one again. */
  cleared(slot: number, wordBefore: number): void;
  grew(slotCount: number): void;
}

export interface SlotTable {
  readonly slotCount: number;
  /** Slots that are OCCUPIED with a good crc. */
  readonly occupied: number;
  /** Bytes of images that wait for `takeWrites`. */
  readonly pendingBytes: number;
  /** Extends the table with never-used slots. */
  grow(slotCount: number): void;
  /** The meta word that counts. Status 3 marks a slot that is not to be trusted: older than anything. */
  word(slot: number): number;
  /** The crc of a slot whose word says OCCUPIED; of any other slot it means nothing. */
  crc(slot: number): number;
  /** Sets what counts for a slot: while loading, and to distrust or clear one. */
  setSlot(slot: number, word: number, crc: number): void;
  /** Hands out all pending writes in order of arrival, neighbours joined, and forgets them. */
  takeWrites(write: WriteSink): void;
}

/** Marks the word of a slot as not to be trusted, its version kept. */
export function distrusted(word: number): number {
  return (word | 3) >>> 0;
}
