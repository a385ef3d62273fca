// Batches of a leader's scan whose slots lie far apart: what lies between is walked here, in our own file, and that takes its time. The
// link rests meanwhile, and what has come already waits. Used by leader/receiver.ts. Promises: events in their order; the walk hears the
// stop, as it is the receiver's own.

import type { ShardLink } from "../../link/shard-link.ts";
import { type SlotLayout } from "../../format/slot.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { batchEvents, type SlotEvent } from "../../wire/slot-batch.ts";

/** Slots between two events that a walk passes at once: a few megabytes at most. */
const NEAR_SLOTS = 16_384;

export interface FarSlotsOptions {
  readonly link: Pick<ShardLink, "pause" | "resume">;
  readonly protocol: ProtocolVersion;
  event(event: SlotEvent): void;
  /** Walks to this slot in small steps; null: there is nothing to walk. Rejects with Stopped. */
  readonly reach: ((slot: number) => Promise<void>) | null;
  /** A step was made: the leader is not what is slow. */
  walked(): void;
  failed(error: unknown): void;
}

export class FarSlots {
  readonly #options: FarSlotsOptions;
  readonly #waiting: { readonly payload: Uint8Array; readonly layout: SlotLayout }[] = [];
  #slotLast = -1;
  #walk: Promise<void> | null = null;

  constructor(options: FarSlotsOptions) {
    this.#options = options;
  }

  /** A sound batch, whose payload is valid during the call only. */
  batch(payload: Uint8Array, layout: SlotLayout, slotFirst: number, slotLast: number): void {
    const isNear = slotLast - this.#slotLast <= NEAR_SLOTS || slotFirst > slotLast;
    if (this.#walk === null && (isNear || this.#options.reach === null)) {
      for (const event of batchEvents(payload, layout, this.#options.protocol)) this.#event(event);
      return;
    }
    this.#waiting.push({ payload: payload.slice(), layout });
    this.#walk ??= this.#walkAll();
  }

  /** All that came has been handed on. */
  async rest(): Promise<void> {
    await this.#walk;
  }

  async #walkAll(): Promise<void> {
    const { link, reach, protocol, walked, failed } = this.#options;
    link.pause();
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        for (const event of batchEvents(next.payload, next.layout, protocol)) {
          for (let slot = this.#slotLast + NEAR_SLOTS; slot < event.slot; slot += NEAR_SLOTS) {
            await reach?.(slot);
            walked();
          }
          this.#event(event);
        }
      }
    } catch (thrown) {
      this.#waiting.length = 0;
      failed(thrown);
    } finally {
      this.#walk = null;
      link.resume();
    }
  }

  #event(event: SlotEvent): void {
    this.#slotLast = event.slot;
    this.#options.event(event);
  }
}
