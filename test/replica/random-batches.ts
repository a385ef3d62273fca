// Random SlotBatch payloads for the tests that hold two appliers against each other. The same seed gives the same payloads.

import { viewOf } from "../../src/bytes.ts";
import {
  packMeta,
  type SlotLayout,
  type SlotStatus,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  VERSION_HALF,
  VERSION_MAX,
  VERSION_MODULUS,
} from "../../src/format/slot.ts";
import type { ProtocolVersion } from "../../src/wire/messages.ts";
import { BATCH_PREFIX_BYTES, eventBytes } from "../../src/wire/slot-batch.ts";
import type { Dice } from "../support/dice.ts";

export interface TestEvent {
  readonly slot: number;
  readonly meta: number;
}

/** The payload of a batch with these events; `fill` gives the bytes of keys and values. */
export function payloadOf(
  shard: number,
  layout: SlotLayout,
  protocol: ProtocolVersion,
  events: readonly TestEvent[],
  fill: (event: TestEvent) => number,
): Uint8Array {
  const lengths = events.map((event) =>
    eventBytes(event.meta & 3, layout, (event.meta & 3) === STATUS_INVALID ? 1 : protocol),
  );
  const bytes = new Uint8Array(
    BATCH_PREFIX_BYTES + lengths.reduce((sum, length) => sum + length, 0),
  );
  const view = viewOf(bytes);
  bytes[0] = shard;
  view.setUint32(1, events.length, true);
  let at = BATCH_PREFIX_BYTES;
  events.forEach((event, index) => {
    const length = lengths[index] as number;
    view.setUint32(at, event.slot, true);
    view.setUint32(at + 4, event.meta, true);
    const seed = fill(event);
    for (let byte = 8; byte < length; byte++) bytes[at + byte] = (seed + byte * (seed | 1)) & 0xff;
    at += length;
  });
  return bytes;
}

/** Batches over a few slots, so that they meet what earlier ones left: every row of the table comes up. */
export class RandomBatches {
  readonly #dice: Dice;
  readonly #shard: number;
  readonly #layout: SlotLayout;
  readonly #protocol: ProtocolVersion;
  readonly #versionBase: number;

  constructor(dice: Dice, shard: number, layout: SlotLayout, protocol: ProtocolVersion) {
    this.#dice = dice;
    this.#shard = shard;
    this.#layout = layout;
    this.#protocol = protocol;
    this.#versionBase = dice.pick([0, 1, 5, VERSION_MAX - 2, 2 ** 29 - 2]);
  }

  /** A payload over slots below `slotCount`, now and then past it or broken. */
  next(slotCount: number): Uint8Array {
    const dice = this.#dice;
    const events: TestEvent[] = [];
    const eventsMax = dice.pick([0, 1, 3, 40, 256]);
    let slot = dice.below(slotCount);
    for (let event = 0; event < eventsMax; event++) {
      // Mostly the neighbour, as in a scan; sometimes the same slot again.
      slot = dice.oneIn(4) ? dice.below(slotCount) : (slot + (dice.oneIn(9) ? 0 : 1)) % slotCount;
      events.push({ slot, meta: this.#meta() });
    }
    if (dice.oneIn(12) && events.length > 0) {
      const past = { slot: slotCount + dice.below(100), meta: packMeta(STATUS_OCCUPIED, 1) };
      events.splice(dice.below(events.length), 0, past);
    }
    if (dice.oneIn(25)) events.push({ slot, meta: packMeta(STATUS_INVALID, 1) });
    const fillings = dice.pick([1, 2, 200]);
    const payload = payloadOf(this.#shard, this.#layout, this.#protocol, events, (event) =>
      dice.oneIn(10) ? dice.below(256) : event.slot * fillings + fillings,
    );
    return this.#damaged(payload);
  }

  #meta(): number {
    const dice = this.#dice;
    const statuses: readonly SlotStatus[] = [STATUS_FREE, STATUS_DELETED, STATUS_DELETED];
    const status = dice.oneIn(3) ? dice.pick(statuses) : STATUS_OCCUPIED;
    // Near the base, so that versions meet; now and then half the ring away, where newer turns into older.
    const offset = dice.oneIn(20) ? VERSION_HALF - 2 + dice.below(5) : dice.below(4);
    const version = dice.oneIn(40) ? dice.below(VERSION_MODULUS) : this.#versionBase + offset;
    return packMeta(status, version & VERSION_MAX);
  }

  #damaged(payload: Uint8Array): Uint8Array {
    const dice = this.#dice;
    if (!dice.oneIn(15)) return payload;
    switch (dice.below(4)) {
      case 0:
        return payload.subarray(0, dice.below(payload.length));
      case 1:
        viewOf(payload).setUint32(1, dice.pick([0, 1, 2, 1000, 0xffff_ffff]), true);
        return payload;
      case 2: {
        const longer = new Uint8Array(payload.length + dice.below(50));
        longer.fill(0xff);
        longer.set(payload);
        return longer;
      }
      default:
        payload[0] = this.#shard ^ 1;
        return payload;
    }
  }
}
