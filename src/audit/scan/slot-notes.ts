// Facts of slots that are legal and worth a note: counted, not listed (cli.md: verify). Used by scan/slot-findings.ts for each
// block; scan/shard.ts adds up what the blocks have.

import {
  SLOT_DELETED_CRC,
  SLOT_FREE_NOT_EMPTY,
  SLOT_FREE_VERSION,
  SLOT_PADDING,
} from "../../format/slot-scanner.ts";
import type { FindingKind } from "../findings.ts";

/** Behind the facts that are bits of a byte: the sidecar in use has the slot as free, and it is occupied. */
export const SLOT_LET_GO = 256;

const NOTE_KINDS: readonly (readonly [number, FindingKind, string])[] = [
  [SLOT_PADDING, "slot-padding", "bytes after the value are not zero"],
  [SLOT_FREE_NOT_EMPTY, "slot-free-not-empty", "a free slot holds bytes"],
  [SLOT_FREE_VERSION, "slot-free-version", "a free slot has a version"],
  [SLOT_DELETED_CRC, "slot-deleted-crc", "a deleted slot's crc is not that of its last write"],
  [
    SLOT_LET_GO,
    "sidecar-stale",
    "slots that the sidecar has as free are occupied on disk: torn slots or losers of a doubled key, let go at the last open",
  ],
];

/** How often a fact was met, and in which slot first. */
export interface NoteCount {
  readonly fact: number;
  readonly first: number;
  readonly count: number;
}

/** A note with the finding that it makes. */
export interface Note extends NoteCount {
  readonly kind: FindingKind;
  readonly message: string;
}

export class SlotNotes {
  readonly #counts = new Map<number, { fact: number; first: number; count: number }>();

  /** Counts the notes among the facts of a slot. */
  addSlot(facts: number, slot: number): void {
    for (const [fact] of NOTE_KINDS) if ((facts & fact) !== 0) this.#add(fact, slot, 1);
  }

  /** Adds what was counted elsewhere, of slots before or behind. */
  addAll(counts: readonly NoteCount[]): void {
    for (const { fact, first, count } of counts) this.#add(fact, first, count);
  }

  #add(fact: number, first: number, count: number): void {
    const known = this.#counts.get(fact);
    if (known === undefined) {
      this.#counts.set(fact, { fact, first, count });
      return;
    }
    known.first = Math.min(known.first, first);
    known.count += count;
  }

  get counts(): readonly NoteCount[] {
    return [...this.#counts.values()];
  }

  /** In the order of the kinds. */
  all(): readonly Note[] {
    return NOTE_KINDS.flatMap(([fact, kind, message]) => {
      const counted = this.#counts.get(fact);
      return counted === undefined ? [] : [{ ...counted, kind, message }];
    });
  }
}
