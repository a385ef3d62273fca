// One round over one shard: this directory's slots against the other side's, which come in slot order from a leader's scan
// or from a second directory. Reads only. The first round looks at every slot, later ones at those that differed before
// and drops what was merely a write in flight.

import { equalBytes } from "../../bytes.ts";
import { SLOT_KEY_OFFSET, STATUS_DELETED, STATUS_FREE, statusOf } from "../../format/slot.ts";
import type { SlotEvent } from "../../wire/slot-batch.ts";
import { DifferenceList } from "./differences.ts";
import { differenceKind, isWriteInFlight, type SlotSides } from "./kinds.ts";
import { SIDE_ABSENT, type SideWord } from "../look/side-word.ts";
import type { SlotReader } from "../look/slot-reader.ts";
import type { Task } from "../task.ts";

/** Slots that are looked at one by one between two breaths. */
const SLOTS_PER_BREATH = 4096;
/** Slots between two calls of `progress`. */
const PROGRESS_SLOTS = 65_536;

export interface ShardRoundOptions {
  readonly here: SlotReader;
  /** The differences of the round before; null in the first round. */
  readonly before: DifferenceList | null;
  /** Where this round's differences go. */
  readonly into: DifferenceList;
  readonly task: Task;
  /** Slots looked at so far. */
  progress(slots: number): void;
}

export class ShardRound {
  readonly #here: SlotReader;
  readonly #before: DifferenceList | null;
  readonly #into: DifferenceList;
  readonly #task: Task;
  readonly #progress: (slots: number) => void;
  /** First slot that has not been looked at. */
  #next = 0;
  /** First entry of `#before` that has not been looked at. */
  #nextBefore = 0;
  #progressAt = PROGRESS_SLOTS;

  constructor({ here, before, into, task, progress }: ShardRoundOptions) {
    this.#here = here;
    this.#before = before;
    this.#into = into;
    this.#task = task;
    this.#progress = progress;
  }

  /** A slot that a leader sent; what lies between it and the one before is free there. */
  event({ slot, meta, key, value }: SlotEvent): void {
    this.#absentUpTo(slot);
    this.#next = slot + 1;
    if (this.#isWanted(slot)) {
      const { word, bytes } = this.#here.judged(slot);
      const sameBytes = bytes !== null && hasRecord(bytes, key, value);
      this.#compare(slot, word, meta, sameBytes);
    }
    this.#report(slot);
  }

  /** The leader's scan is over: nothing more is occupied there. Throws Stopped. */
  async end(): Promise<void> {
    await this.reach(Number.POSITIVE_INFINITY);
    this.#absentUpTo(this.#here.slotCount);
  }

  /** The leader has nothing below this slot but what it has sent. Throws Stopped. */
  async reach(slot: number): Promise<void> {
    const end = Math.min(slot, this.#here.slotCount);
    for (let next = this.#next; next < end;) {
      await this.#task.breathe();
      next = Math.min(end, next + SLOTS_PER_BREATH);
      this.#absentUpTo(next);
      await this.#task.pay(this.#here.takeReadBytes());
    }
  }

  /** A whole round against the same shard of a second directory. Throws Stopped. */
  async against(there: SlotReader): Promise<void> {
    if (this.#before === null) return await this.#againstAll(there);
    for (const { slot } of this.#before) await this.#compareSlots(there, slot, slot + 1);
  }

  async #againstAll(there: SlotReader): Promise<void> {
    const slots = Math.max(this.#here.slotCount, there.slotCount);
    const { slotsPerRun } = this.#here;
    for (let slot = 0, end = 0; slot < slots; slot = end) {
      end = Math.min(slots, slot + slotsPerRun);
      await this.#task.breathe();
      // Whole windows are the same nearly always: no slot is looked at then.
      const isSame = equalBytes(this.#here.run(slot), there.run(slot));
      if (!isSame) await this.#compareSlots(there, slot, end);
      await this.#task.pay(this.#here.takeReadBytes() + there.takeReadBytes());
      this.#next = end;
      this.#report(end);
    }
  }

  /** Slots that this round has looked at. */
  get compared(): number {
    return this.#next;
  }

  async #compareSlots(there: SlotReader, first: number, end: number): Promise<void> {
    for (let slot = first; slot < end; slot++) {
      if (slot % SLOTS_PER_BREATH === 0 || end - first === 1) await this.#task.breathe();
      this.#compareSlot(there, slot);
    }
    if (this.#before !== null)
      await this.#task.pay(this.#here.takeReadBytes() + there.takeReadBytes());
  }

  #compareSlot(there: SlotReader, slot: number): void {
    const left = this.#here.slot(slot);
    const right = there.slot(slot);
    if (left !== null && right !== null && equalBytes(left, right)) return;
    const judgedHere = this.#here.judged(slot);
    const judgedThere = there.judged(slot);
    const sameBytes =
      judgedHere.bytes !== null &&
      judgedThere.bytes !== null &&
      this.#isSameRecord(judgedHere.bytes, judgedThere.bytes);
    this.#compare(slot, judgedHere.word, judgedThere.word, sameBytes);
  }

  /** Same key and value, padding aside. */
  #isSameRecord(left: Uint8Array, right: Uint8Array): boolean {
    const { keyLen, valueLen } = this.#here.layout;
    const end = SLOT_KEY_OFFSET + keyLen + valueLen;
    return equalBytes(left.subarray(SLOT_KEY_OFFSET, end), right.subarray(SLOT_KEY_OFFSET, end));
  }

  /** Slots below `end` that the leader did not send. */
  #absentUpTo(end: number): void {
    if (this.#before !== null) {
      while (this.#slotBefore() < end) this.#compareAbsent(this.#slotBefore());
      this.#next = Math.max(this.#next, end);
      return;
    }
    // Past our own end there is nothing to look at, however far away the leader's next slot is.
    const last = Math.min(end, this.#here.slotCount);
    for (; this.#next < last; this.#next++) {
      const bytes = this.#here.slot(this.#next);
      if (bytes !== null) {
        const status = statusOf(bytes[0] ?? 0);
        if (status !== STATUS_FREE && status !== STATUS_DELETED) this.#compareAbsent(this.#next);
      }
      this.#report(this.#next);
    }
  }

  #compareAbsent(slot: number): void {
    const { word } = this.#here.judged(slot);
    this.#compare(slot, word, SIDE_ABSENT, false);
  }

  #isWanted(slot: number): boolean {
    return this.#before === null || this.#slotBefore() === slot;
  }

  /** The next slot that differed before; past every slot when there is none. */
  #slotBefore(): number {
    if (this.#before === null || this.#nextBefore >= this.#before.length) {
      return Number.POSITIVE_INFINITY;
    }
    return this.#before.slotAt(this.#nextBefore);
  }

  /** What the slot was in the round before; undefined where it did not differ. Slots are asked for in ascending order. */
  #sidesBefore(slot: number): SlotSides | undefined {
    while (this.#slotBefore() < slot) this.#nextBefore++;
    return this.#slotBefore() === slot ? this.#before?.at(this.#nextBefore++) : undefined;
  }

  #compare(slot: number, here: SideWord, there: SideWord, sameBytes: boolean): void {
    const before = this.#sidesBefore(slot);
    const kind = differenceKind(here, there, sameBytes);
    if (kind === null) return;
    if (before !== undefined && isWriteInFlight(before, { here, there })) return;
    this.#into.add({ slot, kind, here, there });
  }

  #report(slot: number): void {
    if (slot < this.#progressAt) return;
    this.#progressAt = slot + PROGRESS_SLOTS;
    this.#progress(slot);
  }
}

/** True when a slot's key and value are those of an event; an event without a value never has the same. */
function hasRecord(bytes: Uint8Array, key: Uint8Array, value: Uint8Array): boolean {
  const valueOffset = SLOT_KEY_OFFSET + key.length;
  return (
    equalBytes(bytes.subarray(SLOT_KEY_OFFSET, valueOffset), key) &&
    equalBytes(bytes.subarray(valueOffset, valueOffset + value.length), value)
  );
}
