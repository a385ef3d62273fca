// One shard of a comparison that the running follower makes: what its scans found, round by round, and what of it counts.
// Used by follower-compare.ts. Pure.
//
//   mended by the scan         counts once: it was missing, older or damaged here, and is the leader's now
//   not mended                 is looked at again in the next round; counts when it still differs and was not merely written
//   newer at the leader, found by a scan for which the stream was closed and opened again: written in between for all that
//   can be told, as long as no more slots are so than the leader writes in that time: `rescanned`, no difference

import type { Difference, DifferenceBudget } from "../audit/compare/differences.ts";
import { differenceKind, isWriteInFlight } from "../audit/compare/kinds.ts";
import { isNewer, STATUS_INVALID, statusOf, versionOf } from "../format/slot.ts";
import { type ComparedScan, MENDED } from "../replica/compare/compare-types.ts";

export class ComparedShardRounds {
  readonly shard: number;
  readonly #budget: DifferenceBudget;
  readonly #mended = new Map<number, Difference>();
  #standing = new Map<number, Difference>();
  #notKept = 0;
  #rescanned = 0;
  #compared = 0;
  #isWhole = false;
  /** Why this shard could not be compared; null while it could. */
  unknown: string | null = null;

  constructor(shard: number, budget: DifferenceBudget) {
    this.shard = shard;
    this.#budget = budget;
  }

  /** Slots looked at. */
  get compared(): number {
    return this.#compared;
  }

  /** A whole scan was compared. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Another round can tell more. */
  get isOpen(): boolean {
    return this.unknown === null && this.#standing.size > 0;
  }

  get differs(): number {
    return this.#mended.size + this.#standing.size + this.#notKept;
  }

  /** Differences that are the leader's slots by now. */
  get healed(): number {
    return this.#mended.size;
  }

  /** Slots that a scan brought of which it cannot be told whether they were lost. */
  get rescanned(): number {
    return this.#rescanned;
  }

  get isTruncated(): boolean {
    return this.#notKept > 0;
  }

  /** Takes in the whole scan of a round, from 1. */
  add(scan: ComparedScan, round: number): void {
    const before = this.#standing;
    const standing = new Map<number, Difference>();
    this.#budget.giveBack(before.size);
    if (round === 1) this.#compared = scan.compared;
    this.#isWhole = true;
    this.#notKept += scan.notKept;
    const inFlight = this.#inFlight(scan);
    for (const [entry, isMended] of entriesOf(scan)) {
      if (isMended && inFlight.has(entry.slot)) continue;
      if (isMended) this.#keep(this.#mended, entry);
      else if (round === 1) this.#keep(standing, entry);
      else {
        const earlier = before.get(entry.slot);
        if (earlier !== undefined && !isWriteInFlight(earlier, entry)) this.#keep(standing, entry);
      }
    }
    this.#rescanned += inFlight.size;
    this.#standing = standing;
  }

  /** What counts, by slot. */
  differences(): readonly Difference[] {
    const entries = [...this.#mended.values(), ...this.#standing.values()];
    return entries.sort((left, right) => left.slot - right.slot);
  }

  isHealed(slot: number): boolean {
    return this.#mended.has(slot);
  }

  #keep(into: Map<number, Difference>, entry: Difference): void {
    if (this.#mended.has(entry.slot)) return;
    if (this.#budget.take()) into.set(entry.slot, entry);
    else this.#notKept++;
  }

  /** Slots that may have been written while the stream was opened again. */
  #inFlight(scan: ComparedScan): ReadonlySet<number> {
    const slots = new Set<number>();
    if (scan.inFlightMax === 0) return slots;
    for (const [{ slot, here, there }, isMended] of entriesOf(scan)) {
      const isWritten = here === 0 || isNewer(versionOf(there), versionOf(here));
      // Bytes that cannot be trusted are no write.
      if (isMended && isWritten && statusOf(here) !== STATUS_INVALID) slots.add(slot);
      // More than can have been written: then at least some of them were lost, and all are told.
      if (slots.size > scan.inFlightMax) return new Set();
    }
    return slots;
  }
}

function* entriesOf(scan: ComparedScan): Generator<readonly [Difference, boolean]> {
  for (let index = 0; index < scan.slots.length; index++) {
    const here = scan.here[index] as number;
    const there = scan.there[index] as number;
    const flags = scan.flags[index] as number;
    const kind = differenceKind(here, there, false);
    if (kind === null) continue;
    const slot = scan.slots[index] as number;
    yield [{ slot, kind, here, there }, (flags & MENDED) !== 0];
  }
}
