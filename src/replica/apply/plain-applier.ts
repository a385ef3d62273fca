// The BatchApplier in plain TypeScript: the readable form of the rules, used where WebAssembly is not worth it (tests,
// simulations) and as the measure that the fast form is held against.

import { assert } from "../../errors.ts";
import {
  isNewer,
  packMeta,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
  encodeOccupiedSlot,
  slotCrc,
  versionOf,
} from "../../format/slot.ts";
import { viewOf } from "../../bytes.ts";
import { batchEvents, type BatchFacts, checkBatch, type SlotEvent } from "../../wire/slot-batch.ts";
import { DIFFERENCE_OLDER, DIFFERENCE_SAME_VERSION, DIFFERENCE_TAKEN } from "../../wasm/cells.ts";
import type {
  ApplyOptions,
  BatchApplier,
  BatchOutcome,
  BatchPurpose,
  WriteSink,
} from "./batch-applier.ts";

/** What an event means for a slot. */
type Decision = "take" | "replace" | "same" | "older" | "same-version";

interface PendingRun {
  readonly slot: number;
  readonly offset: number;
  bytes: number;
  /** 4-byte meta writes are never joined. */
  readonly images: boolean;
}

export class PlainApplier implements BatchApplier {
  readonly #shard: number;
  readonly #layout: SlotLayout;
  #words: Uint32Array;
  #crcs: Uint32Array;
  #seen: Uint8Array;
  #touched: Uint8Array;
  #occupied = 0;
  #images = new Uint8Array(64 * 1024);
  #pendingBytes = 0;
  #runs: PendingRun[] = [];

  constructor(shard: number, layout: SlotLayout, slotCount: number) {
    this.#shard = shard;
    this.#layout = layout;
    this.#words = new Uint32Array(slotCount);
    this.#crcs = new Uint32Array(slotCount);
    this.#seen = new Uint8Array(slotCount);
    this.#touched = new Uint8Array(slotCount);
  }

  get slotCount(): number {
    return this.#words.length;
  }

  get occupied(): number {
    return this.#occupied;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  grow(slotCount: number): void {
    assert(slotCount >= this.slotCount, "a slot table never shrinks");
    this.#words = extended(this.#words, new Uint32Array(slotCount));
    this.#crcs = extended(this.#crcs, new Uint32Array(slotCount));
    this.#seen = extended(this.#seen, new Uint8Array(slotCount));
    this.#touched = extended(this.#touched, new Uint8Array(slotCount));
  }

  word(slot: number): number {
    return this.#words[slot] as number;
  }

  crc(slot: number): number {
    return this.#crcs[slot] as number;
  }

  setSlot(slot: number, word: number, crc: number): void {
    if (statusOf(this.word(slot)) === STATUS_OCCUPIED) this.#occupied--;
    if (statusOf(word) === STATUS_OCCUPIED) this.#occupied++;
    this.#words[slot] = word;
    this.#crcs[slot] = crc;
  }

  beginScan(): void {
    this.#seen.fill(0);
    this.#touched.fill(0);
  }

  isSeen(slot: number): boolean {
    return this.#seen[slot] === 1;
  }

  isTouched(slot: number): boolean {
    return this.#touched[slot] === 1;
  }

  apply(payload: Uint8Array, options: ApplyOptions): BatchOutcome {
    const checked = checkBatch(payload, this.#shard, this.#layout, options.protocol);
    if ("fault" in checked) return { kind: "problem", problem: checked };
    if (checked.slotMax >= this.slotCount) return { kind: "grow", slotMax: checked.slotMax };
    if (!options.resetsSaved) {
      const slots = this.#goodCopiesReset(payload, options);
      if (slots.length > 0) return { kind: "save-first", slots };
    }
    return this.#applyAll(payload, checked, options);
  }

  #goodCopiesReset(payload: Uint8Array, options: ApplyOptions): number[] {
    const slots: number[] = [];
    for (const event of batchEvents(payload, this.#layout, options.protocol)) {
      const clears = options.protocol === 2 ? STATUS_FREE : STATUS_INVALID;
      if (statusOf(event.meta) !== clears) continue;
      if (statusOf(this.word(event.slot)) !== STATUS_OCCUPIED) continue;
      if (this.#decide(event, options) === "take") slots.push(event.slot);
    }
    return slots;
  }

  #applyAll(
    payload: Uint8Array,
    { events, slotFirst, slotLast, ascending }: BatchFacts,
    options: ApplyOptions,
  ): BatchOutcome {
    const marks = options.purpose === "live" ? this.#touched : this.#seen;
    const differences: number[] = [];
    let taken = 0;
    let replaced = 0;
    let cleared = 0;
    let versionMax = -1;
    let invalidSlot = -1;
    for (const sent of batchEvents(payload, this.#layout, options.protocol)) {
      const event = asDelete(sent);
      const { slot, meta } = event;
      if (event !== sent && invalidSlot < 0) invalidSlot = slot;
      marks[slot] = 1;
      const decision = this.#decide(event, options);
      const kind = differenceOf(decision, options.purpose);
      if (kind !== null) differences.push(slot, this.word(slot), meta, kind);
      if (decision === "take" || decision === "replace") {
        taken++;
        if (decision === "replace") replaced++;
        const hadCopy = statusOf(this.word(slot)) === STATUS_OCCUPIED;
        if (hadCopy && statusOf(meta) !== STATUS_OCCUPIED) cleared++;
        versionMax = Math.max(versionMax, versionOf(meta));
        this.#take(event);
      }
    }
    return {
      ...{ kind: "applied", events, slotFirst, slotLast, ascending },
      ...{ taken, replaced, cleared, versionMax, invalidSlot },
      differences: Uint32Array.from(differences),
    };
  }

  /** The table at the head of batch-applier.ts. */
  #decide(event: SlotEvent, options: ApplyOptions): Decision {
    const here = this.word(event.slot);
    const statusHere = statusOf(here);
    const statusThere = statusOf(event.meta);
    if (statusHere === STATUS_INVALID) return "take";
    if (here === 0) return event.meta === 0 ? "same" : "take";
    if (isNewer(versionOf(event.meta), versionOf(here))) return "take";
    if (versionOf(event.meta) !== versionOf(here)) return "older";
    if (statusThere === STATUS_OCCUPIED && statusHere === STATUS_OCCUPIED) {
      if (this.#eventCrc(event) === this.#crcs[event.slot]) return "same";
      return options.protocol === 2 ? "replace" : "same-version";
    }
    if (statusThere === STATUS_FREE && options.protocol === 2) {
      return statusHere === STATUS_FREE ? "same" : "take";
    }
    if (statusThere !== STATUS_OCCUPIED && statusHere !== STATUS_OCCUPIED) return "same";
    return options.protocol === 2 ? "replace" : "same-version";
  }

  #eventCrc(event: SlotEvent): number {
    const image = new Uint8Array(this.#layout.slotSize);
    viewOf(image).setUint32(0, event.meta, true);
    image.set(event.key, 8);
    image.set(event.value, 8 + this.#layout.keyLen);
    return slotCrc(image, this.#layout);
  }

  /** Anything but OCCUPIED and a protocol 2 reset is a delete, as in the crate: only the meta word is written. */
  #take(event: SlotEvent): void {
    const status = statusOf(event.meta);
    if (status === STATUS_OCCUPIED) {
      const { slotSize } = this.#layout;
      const image = this.#reserve(event.slot, slotSize, true);
      encodeOccupiedSlot(image, this.#layout, event.meta, event.key, event.value);
      this.setSlot(event.slot, event.meta, viewOf(image).getUint32(4, true));
      return;
    }
    // On protocol 1 a FREE event is a delete; on 2 it is a reset: both leave the event's own word.
    const word = packMeta(
      status === STATUS_DELETED ? STATUS_DELETED : STATUS_FREE,
      versionOf(event.meta),
    );
    viewOf(this.#reserve(event.slot, 4, false)).setUint32(0, word, true);
    this.setSlot(event.slot, word, 0);
  }

  /** Room for one write, joined to the last run where it is the next slot. */
  #reserve(slot: number, bytes: number, images: boolean): Uint8Array {
    const offset = this.#pendingBytes;
    if (offset + bytes > this.#images.length) {
      const larger = new Uint8Array(Math.max(this.#images.length * 2, offset + bytes));
      larger.set(this.#images.subarray(0, offset));
      this.#images = larger;
    }
    const last = this.#runs.at(-1);
    if (images && last?.images === true && slot === last.slot + last.bytes / bytes) {
      last.bytes += bytes;
    } else {
      this.#runs.push({ slot, offset, bytes, images });
    }
    this.#pendingBytes += bytes;
    return this.#images.subarray(offset, offset + bytes);
  }

  takeWrites(write: WriteSink): void {
    for (const run of this.#runs) {
      write(run.slot, this.#images, run.offset, run.offset + run.bytes);
    }
    this.#runs = [];
    this.#pendingBytes = 0;
  }
}

/** As what an event is told; null: not at all. */
function differenceOf(decision: Decision, purpose: BatchPurpose): number | null {
  if (purpose === "live") return null;
  switch (decision) {
    case "same":
      return null;
    case "older":
      return DIFFERENCE_OLDER;
    case "same-version":
      return DIFFERENCE_SAME_VERSION;
    case "take":
    case "replace":
      return purpose === "compare" ? DIFFERENCE_TAKEN : null;
  }
}

/** Protocol 1: whatever is not OCCUPIED is a delete, status 3 too. */
function asDelete(event: SlotEvent): SlotEvent {
  if (statusOf(event.meta) !== STATUS_INVALID) return event;
  return { ...event, meta: packMeta(STATUS_DELETED, versionOf(event.meta)) };
}

function extended<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
