// Makes every scan a comparison (cli.md: diverged, healed). Collects what a scan shows
// to be other than here and not newer, drops what the live stream has since explained, and calls a slot diverged only when
// the next whole scan still shows it. Pure: knows slots and words, no I/O.

import { STATUS_OCCUPIED, statusOf } from "../../format/slot.ts";
import { DIFFERENCES_MAX } from "../../limits.ts";
import type { BatchApplier, ScanDifference } from "./batch-applier.ts";
import type { DivergedSlot } from "../follower-types.ts";

/** What a whole scan leaves behind. */
export interface ScanVerdict {
  /** Slots that differ for the first time: another scan must tell. */
  readonly suspects: number;
  /** Slots that differed at the scan before as well. */
  readonly diverged: readonly DivergedSlot[];
  /** Slots not to be trusted that the leader does not have: to be cleared. */
  readonly leftovers: readonly number[];
}

export class ScanJudge {
  readonly #applier: BatchApplier;
  #differences = new Map<number, DivergedSlot>();
  #suspects = new Map<number, DivergedSlot>();

  constructor(applier: BatchApplier) {
    this.#applier = applier;
  }

  /** What an earlier run found: one scan that shows it again confirms it. */
  remember(diverged: readonly DivergedSlot[]): void {
    for (const slot of diverged) this.#suspects.set(slot.slot, slot);
  }

  /** A scan begins: nothing is seen or touched yet. */
  begin(): void {
    this.#differences = new Map();
    this.#applier.beginScan();
  }

  /** Notes what a batch of the scan showed. Bounded: past a million slots the rest waits for the next scan. */
  note(differences: readonly ScanDifference[]): void {
    for (const { slot, kind, leaderWord } of differences) {
      this.#add({ slot, kind, here: this.#applier.word(slot), there: leaderWord });
    }
  }

  #add(difference: DivergedSlot): void {
    if (this.#differences.size < DIFFERENCES_MAX)
      this.#differences.set(difference.slot, difference);
  }

  /**
   * The scan was whole. Slots that the stream has touched since it began are explained: the scan read them
   * before, the stream brought them after.
   */
  finish(): ScanVerdict {
    const leftovers = this.#noteMissing();
    for (const slot of this.#differences.keys()) {
      if (this.#applier.isTouched(slot)) this.#differences.delete(slot);
    }
    const diverged: DivergedSlot[] = [];
    for (const [slot, difference] of this.#differences) {
      if (this.#suspects.has(slot)) diverged.push(difference);
    }
    this.#suspects = this.#differences;
    this.#differences = new Map();
    return { suspects: this.#suspects.size - diverged.length, diverged, leftovers };
  }

  /** Notes occupied slots that the scan skipped; returns untrusted ones that it skipped. */
  #noteMissing(): number[] {
    const leftovers: number[] = [];
    const applier = this.#applier;
    for (let slot = 0; slot < applier.slotCount; slot++) {
      const word = applier.word(slot);
      if ((word & 1) === 0 || applier.isSeen(slot) || applier.isTouched(slot)) continue;
      if (statusOf(word) === STATUS_OCCUPIED) {
        this.#add({ slot, kind: "missing", here: word, there: null });
      } else leftovers.push(slot);
    }
    return leftovers;
  }
}
