// What one scan shows to differ from the shard as it was before it, less what the live stream has brought as well: that was on its way,
// not lost. Used by difference-recorder.ts. Does no I/O, and changes nothing.

import { type SlotLayout, STATUS_DELETED, STATUS_INVALID, statusOf } from "../../format/slot.ts";
import { DIFFERENCE_TAKEN } from "../../wasm/cells.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { batchSlots } from "../../wire/slot-batch.ts";
import {
  type BatchApplier,
  DIFFERENCE_HERE,
  DIFFERENCE_KIND,
  DIFFERENCE_SLOT,
  DIFFERENCE_THERE,
  DIFFERENCE_WORDS,
} from "../apply/batch-applier.ts";
import { unsentSlots } from "../apply/scan-judge.ts";
import { SlotColumns } from "../apply/slot-columns.ts";
import { type ComparedScan, MENDED } from "./compare-types.ts";

export class RecordedScan {
  readonly #applier: BatchApplier;
  /** Slots whose bytes on disk were not what the table said, with the words that they had: no stream explains those. More of them than its bound are told with the table's word. */
  readonly #spoilt: SlotColumns;
  readonly #sent: SlotColumns;
  readonly #unsent: SlotColumns;
  readonly #mended: SlotColumns;

  constructor(applier: BatchApplier, spoilt: SlotColumns, differencesMax: number) {
    this.#applier = applier;
    this.#spoilt = spoilt;
    this.#sent = new SlotColumns(differencesMax);
    this.#unsent = new SlotColumns(differencesMax);
    this.#mended = new SlotColumns(differencesMax);
  }

  /** Something was found that the stream may still explain. */
  get isOpen(): boolean {
    return this.#sent.left + this.#unsent.left > 0;
  }

  /** What a batch of the scan showed, once it was applied. */
  add(differences: Uint32Array, nowMs: number): void {
    for (let at = 0; at < differences.length; at += DIFFERENCE_WORDS) {
      const slot = differences[at + DIFFERENCE_SLOT] as number;
      const here = differences[at + DIFFERENCE_HERE] as number;
      const there = differences[at + DIFFERENCE_THERE] as number;
      const isTaken = differences[at + DIFFERENCE_KIND] === DIFFERENCE_TAKEN;
      // The leader's scan read the slot before the stream brought what is here.
      if (!isTaken && this.#applier.isTouched(slot)) continue;
      if (!isDifference(here, there) || this.#spoilt.indexOf(slot) >= 0) continue;
      this.#sent.add(slot, here, there, isTaken ? MENDED : 0, nowMs);
    }
  }

  /** The scan was whole: what it skipped the leader does not have, and what was spoilt is as it should be. */
  finish(nowMs: number): void {
    const applier = this.#applier;
    for (const slot of unsentSlots(applier)) {
      const here = applier.word(slot);
      if (this.#spoilt.indexOf(slot) >= 0) continue;
      // What cannot be trusted is cleared at the end of the scan; a good record of ours is kept (cli.md: diverged).
      this.#unsent.add(slot, here, 0, statusOf(here) === STATUS_INVALID ? MENDED : 0, nowMs);
    }
    for (let index = 0; index < this.#spoilt.length; index++) {
      const slot = this.#spoilt.slot(index);
      const here = this.#spoilt.here(index);
      const now = applier.word(slot);
      const there = statusOf(now) === STATUS_INVALID ? 0 : now;
      if (isDifference(here, there)) this.#mended.add(slot, here, there, MENDED);
    }
  }

  /** A live batch explains slots that were found at `sinceMs` or later. */
  explain(
    payload: Uint8Array,
    layout: SlotLayout,
    protocol: ProtocolVersion,
    sinceMs: number,
  ): void {
    if (!this.isOpen) return;
    for (const slot of batchSlots(payload, layout, protocol)) {
      for (const found of [this.#sent, this.#unsent]) {
        const index = found.indexOf(slot);
        if (index >= 0 && found.foundAtMs(index) >= sinceMs) found.strike(index);
      }
    }
  }

  /** What nothing has explained. */
  result(compared: number, inFlightMax: number): ComparedScan {
    const lists = [this.#sent, this.#unsent, this.#mended];
    const notKept = lists.reduce((sum, list) => sum + list.notKept, 0);
    return { ...SlotColumns.merged(...lists).columns(), compared, notKept, inFlightMax };
  }
}

/** Whether the two sides may be called different at all: not where neither has a record, unless both are deleted. */
function isDifference(here: number, there: number): boolean {
  const hasRecord = ((here | there) & 1) === 1;
  return hasRecord || (statusOf(here) === STATUS_DELETED && statusOf(there) === STATUS_DELETED);
}
