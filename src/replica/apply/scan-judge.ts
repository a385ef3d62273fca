// Makes every scan a comparison (cli.md: diverged, healed). Collects what a scan shows to be other than here and not newer, drops what
// the live stream has since explained, and calls a slot diverged only when the next whole scan still shows it. Those slots it keeps
// until another scan, a newer event or --accept-leader says otherwise. A few bytes a slot, and bounded: past a million slots the rest
// waits for the next scan. Pure: knows slots and words, no I/O.

import { assert } from "../../errors.ts";
import { type SlotLayout, STATUS_OCCUPIED, statusOf } from "../../format/slot.ts";
import { distrusted } from "../../store/slot-table.ts";
import { DIFFERENCE_OLDER, DIFFERENCE_SAME_VERSION, DIFFERENCE_TAKEN } from "../../wasm/cells.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { batchSlots } from "../../wire/slot-batch.ts";
import type { DivergedSlot } from "../follower-types.ts";
import {
  type BatchApplier,
  DIFFERENCE_HERE,
  DIFFERENCE_KIND,
  DIFFERENCE_SLOT,
  DIFFERENCE_THERE,
  DIFFERENCE_WORDS,
} from "./batch-applier.ts";
import { SlotColumns } from "./slot-columns.ts";

/** Beside DIFFERENCE_SAME_VERSION and DIFFERENCE_OLDER: the leader did not send it. */
const MISSING = DIFFERENCE_TAKEN + 1;

export class ScanJudge {
  readonly #applier: BatchApplier;
  /** The connection whose scan is judged next. */
  #link = 0;
  /** What its scan has shown so far. */
  #shown = new SlotColumns();
  /** What the last whole scan left: another one must tell. */
  #suspects = new SlotColumns();
  /** Slots that two whole scans in a row showed, less what newer events have overwritten. */
  #diverged = new SlotColumns();
  /** Of an earlier run: so many more than it listed. The first whole scan shows which they are, or that they are no more. */
  #rememberedMore = 0;

  constructor(applier: BatchApplier) {
    this.#applier = applier;
  }

  /** What an earlier run listed of `total`: one scan that shows a slot again confirms it. */
  remember(listed: readonly DivergedSlot[], total: number): void {
    for (const { slot, kind, here, there } of listed.toSorted((a, b) => a.slot - b.slot)) {
      this.#suspects.add(slot, here, there ?? 0, flagOf(kind));
    }
    this.#diverged = SlotColumns.merged(this.#suspects);
    this.#rememberedMore = Math.max(0, total - listed.length);
    this.#diverged.notKept = this.#rememberedMore;
  }

  /** The scan of this connection begins: nothing is seen or touched yet. */
  begin(link: number): void {
    this.#link = link;
    this.#shown = new SlotColumns();
    this.#applier.beginScan();
  }

  /** Notes what a batch of that scan showed. */
  note(link: number, differences: Uint32Array): void {
    assert(link === this.#link, "one scan is judged at a time");
    for (let at = 0; at < differences.length; at += DIFFERENCE_WORDS) {
      const kind = differences[at + DIFFERENCE_KIND] as number;
      if (kind === DIFFERENCE_TAKEN) continue;
      const slot = differences[at + DIFFERENCE_SLOT] as number;
      const here = differences[at + DIFFERENCE_HERE] as number;
      this.#shown.add(slot, here, differences[at + DIFFERENCE_THERE] as number, kind);
    }
  }

  /**
   * That scan was whole. Slots that the stream has touched since it began are explained: the scan read them before, the stream
   * brought them after. `clear` is called for slots not to be trusted that the leader does not have. Returns how many slots
   * differ for the first time.
   */
  finish(link: number, clear: (slot: number) => void): number {
    assert(link === this.#link, "one scan is judged at a time");
    const applier = this.#applier;
    const missing = new SlotColumns();
    for (const slot of unsentSlots(applier)) {
      const word = applier.word(slot);
      if (statusOf(word) === STATUS_OCCUPIED) missing.add(slot, word, 0, MISSING);
      else clear(slot);
    }
    const shown = this.#shown;
    for (let index = 0; index < shown.length; index++) {
      if (applier.isTouched(shown.slot(index))) shown.strike(index);
    }
    const before = this.#suspects;
    const suspects = SlotColumns.merged(shown, missing);
    const diverged = new SlotColumns();
    for (let index = 0; index < suspects.length; index++) {
      if (before.indexOf(suspects.slot(index)) >= 0) diverged.addFrom(suspects, index);
    }
    const firsts = suspects.length - diverged.length;
    diverged.notKept = Math.min(this.#rememberedMore, firsts);
    this.#rememberedMore = 0;
    this.#shown = new SlotColumns();
    this.#suspects = suspects;
    this.#diverged = diverged;
    return firsts;
  }

  /** Diverged slots, those past the list too. */
  get divergedCount(): number {
    return this.#diverged.left + this.#diverged.notKept;
  }

  /** The first of them. */
  listed(max: number): DivergedSlot[] {
    const slots: DivergedSlot[] = [];
    const found = this.#diverged;
    for (let index = 0; index < found.length && slots.length < max; index++) {
      if (found.isStruck(index)) continue;
      const kind = kindOf(found.flag(index));
      const there = kind === "missing" ? null : found.there(index);
      slots.push({ slot: found.slot(index), kind, here: found.here(index), there });
    }
    return slots;
  }

  /** A live batch was applied: whether it overwrote diverged slots. */
  overwrote(payload: Uint8Array, layout: SlotLayout, protocol: ProtocolVersion): boolean {
    const found = this.#diverged;
    const before = found.left;
    if (before === 0) return false;
    for (const slot of batchSlots(payload, layout, protocol)) {
      const index = found.indexOf(slot);
      if (index >= 0 && this.#applier.word(slot) !== found.here(index)) found.strike(index);
    }
    return found.left < before;
  }

  /** The numbers of all that are listed. */
  get divergedSlots(): readonly number[] {
    const found = this.#diverged;
    const slots: number[] = [];
    for (let index = 0; index < found.length; index++) {
      if (!found.isStruck(index)) slots.push(found.slot(index));
    }
    return slots;
  }

  /** These count as older than anything from here on, so that the next scan writes them anew. */
  distrust(slots: readonly number[]): void {
    const applier = this.#applier;
    for (const slot of slots) applier.setSlot(slot, distrusted(applier.word(slot)), 0);
  }
}

/** Slots with something in them that the scan since `beginScan` has skipped, and that no live event has touched. */
export function* unsentSlots(applier: BatchApplier): Generator<number> {
  for (let slot = 0; slot < applier.slotCount; slot++) {
    if ((applier.word(slot) & 1) === 0 || applier.isSeen(slot) || applier.isTouched(slot)) continue;
    yield slot;
  }
}

function flagOf(kind: DivergedSlot["kind"]): number {
  switch (kind) {
    case "same-version":
      return DIFFERENCE_SAME_VERSION;
    case "older":
      return DIFFERENCE_OLDER;
    case "missing":
      return MISSING;
  }
}

function kindOf(flag: number): DivergedSlot["kind"] {
  if (flag === MISSING) return "missing";
  return flag === DIFFERENCE_OLDER ? "older" : "same-version";
}
