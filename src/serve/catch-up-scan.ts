// The scan of one shard for one follower: slots in, SlotBatch frames out, closed as the crate's leader closes them (wire.md:
// A session, 3). Reads as it goes, one piece at a time, so that its caller decides about pace and fairness.
//
//   status     crc    version   protocol 2          protocol 1
//   OCCUPIED   good   any       OCCUPIED            OCCUPIED
//   OCCUPIED   bad    any       FREE, a reset       left out      torn: counted
//   DELETED    -      any       DELETED, unless the follower's shard is empty
//   FREE       -      0         left out            left out      never used
//   FREE       -      other     FREE, a reset       left out
//   3          -      any       left out            left out      damage: counted; status 3 ends crate followers

import { assert, unreachable } from "../errors.ts";
import {
  packMeta,
  SLOT_CRC_OFFSET,
  slotCrc,
  type SlotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../format/slot.ts";
import { viewOf } from "../bytes.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import { SlotBatchEncoder } from "../wire/slot-batch.ts";
import { LISTED_SLOTS_MAX, SCAN_READ_BYTES, TORN_READS } from "./bounds.ts";
import type { ServedDatabase } from "./served-database.ts";

/** What one step of a scan brings. */
export type ScanStep =
  /** A whole SlotBatch frame. */
  | { readonly kind: "batch"; readonly frame: Uint8Array }
  /** A piece was read and no batch is full yet: call again. */
  | { readonly kind: "more" }
  /** Every slot was looked at and every event is out. */
  | { readonly kind: "end" };

/** Slots of a kind: how many, and the first few by number. */
export interface SlotTally {
  readonly count: number;
  readonly first: readonly number[];
}

export interface ScanOptions {
  readonly database: ServedDatabase;
  readonly shard: number;
  readonly protocol: ProtocolVersion;
  readonly skipDeleted: boolean;
}

export class CatchUpScan {
  readonly #options: ScanOptions;
  readonly #layout: SlotLayout;
  readonly #encoder: SlotBatchEncoder;
  /** Slots at the start: later ones come only live (wire.md: A session, 3). */
  readonly #slotCount: number;
  readonly #piece: Uint8Array;
  readonly #view: DataView;
  /** Slots [#pieceFirst, #pieceEnd) are in #piece; #next is the one to look at. */
  #pieceFirst = 0;
  #pieceEnd = 0;
  #next = 0;
  #events = 0;
  readonly #torn = new Tally();
  readonly #invalid = new Tally();

  constructor(options: ScanOptions) {
    const { database, shard } = options;
    this.#options = options;
    this.#layout = database.layout;
    this.#encoder = new SlotBatchEncoder(shard, database.layout);
    this.#slotCount = database.slotCount(shard);
    const { slotSize } = database.layout;
    const slotsPerPiece = Math.max(1, Math.floor(SCAN_READ_BYTES / slotSize));
    this.#piece = new Uint8Array(Math.min(slotsPerPiece, Math.max(1, this.#slotCount)) * slotSize);
    this.#view = viewOf(this.#piece);
  }

  /** Slots the scan covers. */
  get slotCount(): number {
    return this.#slotCount;
  }

  /** Events in the batches so far: CaughtUp's total at the end (wire.md: Frames, CaughtUp). */
  get events(): number {
    return this.#events;
  }

  /** OCCUPIED slots with a bad crc. */
  get torn(): SlotTally {
    return this.#torn;
  }

  /** Slots of status 3, which nobody writes. */
  get invalid(): SlotTally {
    return this.#invalid;
  }

  /** Goes on to the next whole batch or to the end of a piece. Throws ArmdbError when the disk does not deliver. */
  next(): ScanStep {
    if (this.#next === this.#pieceEnd) {
      if (this.#next === this.#slotCount) return this.#finish();
      this.#readPiece();
    }
    const { slotSize } = this.#layout;
    while (this.#next < this.#pieceEnd) {
      const slot = this.#next++;
      const offset = (slot - this.#pieceFirst) * slotSize;
      const meta = this.#view.getUint32(offset, true);
      if (meta === 0) continue;
      this.#look(slot, meta, offset);
      if (this.#encoder.full) return { kind: "batch", frame: this.#encoder.take() };
    }
    return { kind: "more" };
  }

  #finish(): ScanStep {
    if (this.#encoder.count === 0) return { kind: "end" };
    return { kind: "batch", frame: this.#encoder.take() };
  }

  #readPiece(): void {
    const { slotSize } = this.#layout;
    const slots = Math.min(this.#piece.length / slotSize, this.#slotCount - this.#next);
    assert(slots > 0, "a piece without slots");
    const into = this.#piece.subarray(0, slots * slotSize);
    this.#options.database.readSlots(this.#options.shard, this.#next, into);
    this.#pieceFirst = this.#next;
    this.#pieceEnd = this.#next + slots;
  }

  #look(slot: number, meta: number, offset: number): void {
    const status = statusOf(meta);
    switch (status) {
      case STATUS_OCCUPIED:
        this.#lookAtOccupied(slot, offset);
        return;
      case STATUS_DELETED:
        if (!this.#options.skipDeleted) this.#add(slot, meta, this.#image(offset));
        return;
      case STATUS_FREE:
        if (versionOf(meta) !== 0) this.#reset(slot, meta);
        return;
      case STATUS_INVALID:
        this.#invalid.add(slot);
        return;
      default:
        unreachable(status);
    }
  }

  #lookAtOccupied(slot: number, offset: number): void {
    const image = this.#image(offset);
    for (let reads = 1; reads < TORN_READS && !this.#isSound(image); reads++) {
      // A page that was just being written, or a flaky read: the second look decides.
      this.#options.database.readSlots(this.#options.shard, slot, image);
    }
    const meta = viewOf(image).getUint32(0, true);
    if (statusOf(meta) !== STATUS_OCCUPIED) this.#look(slot, meta, offset);
    else if (this.#isSound(image)) this.#add(slot, meta, image);
    else {
      this.#torn.add(slot);
      this.#reset(slot, meta);
    }
  }

  /** A reset with this slot's version: nothing to a follower of protocol 1, which would take it for a delete. */
  #reset(slot: number, meta: number): void {
    if (this.#options.protocol === 1) return;
    this.#add(slot, packMeta(STATUS_FREE, versionOf(meta)), NO_BODY);
  }

  #add(slot: number, meta: number, image: Uint8Array): void {
    this.#encoder.add(slot, meta, image);
    this.#events++;
  }

  #image(offset: number): Uint8Array {
    return this.#piece.subarray(offset, offset + this.#layout.slotSize);
  }

  #isSound(image: Uint8Array): boolean {
    return viewOf(image).getUint32(SLOT_CRC_OFFSET, true) === slotCrc(image, this.#layout);
  }
}

/** A reset carries neither key nor value. */
const NO_BODY = new Uint8Array(8);

class Tally implements SlotTally {
  count = 0;
  readonly first: number[] = [];

  add(slot: number): void {
    this.count++;
    if (this.first.length < LISTED_SLOTS_MAX) this.first.push(slot);
  }
}
