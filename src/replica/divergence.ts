// The slots in which this shard differs from its leader for good (cli.md: diverged): what the last whole scan showed, less what
// newer events have overwritten since. Used by shard-follower.ts.

import { type SlotLayout, statusOf } from "../format/slot.ts";
import { viewOf } from "../bytes.ts";
import { distrusted } from "../store/slot-table.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import { BATCH_PREFIX_BYTES, eventBytes } from "../wire/slot-batch.ts";
import type { DivergedSlot } from "./follower-types.ts";
import type { ShardBody } from "./shard-body.ts";

export class Divergence {
  readonly #body: ShardBody;
  #slots = new Map<number, DivergedSlot>();
  /** Of an earlier run, past its list: they count until a whole scan. */
  #unlisted: number;

  /** `saved`: what an earlier run listed of `total`. They are first looks: one scan confirms them. */
  constructor(body: ShardBody, saved: readonly DivergedSlot[], total: number) {
    this.#body = body;
    this.#unlisted = Math.max(0, total - saved.length);
    body.judge.remember(saved);
    for (const slot of saved) this.#slots.set(slot.slot, slot);
  }

  /** The verdict of a whole scan. */
  judged(diverged: readonly DivergedSlot[]): void {
    this.#slots = new Map(diverged.map((slot) => [slot.slot, slot]));
    this.#unlisted = 0;
  }

  /** A live batch was applied: how many slots are left, null when it overwrote none of them. */
  afterLive(payload: Uint8Array, layout: SlotLayout, protocol: ProtocolVersion): number | null {
    if (this.#slots.size === 0) return null;
    const before = this.#slots.size;
    const view = viewOf(payload);
    const count = view.getUint32(1, true);
    let offset = BATCH_PREFIX_BYTES;
    for (let event = 0; event < count; event++) {
      const slot = view.getUint32(offset, true);
      const known = this.#slots.get(slot);
      if (known !== undefined && this.#body.applier.word(slot) !== known.here)
        this.#slots.delete(slot);
      offset += eventBytes(statusOf(view.getUint32(offset + 4, true)), layout, protocol);
    }
    return this.#slots.size === before ? null : this.#slots.size + this.#unlisted;
  }

  /** Those that are left, as they were judged. */
  get slots(): readonly DivergedSlot[] {
    return [...this.#slots.values()];
  }

  /** --accept-leader: their numbers. */
  accept(): readonly number[] {
    return [...this.#slots.keys()];
  }

  /** They count as older than anything from here on, so that the next scan writes them anew. */
  distrust(slots: readonly number[]): void {
    const { applier } = this.#body;
    for (const slot of slots) applier.setSlot(slot, distrusted(applier.word(slot)), 0);
  }
}
