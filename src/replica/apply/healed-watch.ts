// Tells what a scan on a second connection really mended from what it merely saw first: a slot counts as healed when the
// live stream has not brought it 5 s later (cli.md: healed). Bounded; pure.

import { DIFFERENCES_MAX } from "../../limits.ts";
import { viewOf } from "../../bytes.ts";
import { statusOf, type SlotLayout } from "../../format/slot.ts";
import { BATCH_PREFIX_BYTES, eventBytes } from "../../wire/slot-batch.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";

export const HEALED_AFTER_MS = 5_000;

export class HealedWatch {
  /** Slot to the time the scan wrote it, in order of time. */
  readonly #written = new Map<number, number>();

  get waiting(): number {
    return this.#written.size;
  }

  /** The scan has written these slots. Past the bound they count as healed at once; returns how many did. */
  wrote(slot: number, slots: number, nowMs: number): number {
    let atOnce = 0;
    for (let index = 0; index < slots; index++) {
      if (this.#written.size < DIFFERENCES_MAX) this.#written.set(slot + index, nowMs);
      else atOnce++;
    }
    return atOnce;
  }

  /** A live batch that has passed its checks: what it brings was on its way, not lost. */
  streamBrought(payload: Uint8Array, layout: SlotLayout, protocol: ProtocolVersion): void {
    if (this.#written.size === 0) return;
    const view = viewOf(payload);
    const count = view.getUint32(1, true);
    let offset = BATCH_PREFIX_BYTES;
    for (let event = 0; event < count; event++) {
      this.#written.delete(view.getUint32(offset, true));
      offset += eventBytes(statusOf(view.getUint32(offset + 4, true)), layout, protocol);
    }
  }

  /** Takes out and counts the slots whose 5 s are over. */
  settle(nowMs: number): number {
    return this.take(nowMs).length;
  }

  /** Takes out the slots whose 5 s are over. */
  take(nowMs: number): number[] {
    const slots: number[] = [];
    for (const [slot, writtenAtMs] of this.#written) {
      if (nowMs - writtenAtMs < HEALED_AFTER_MS) break;
      this.#written.delete(slot);
      slots.push(slot);
    }
    return slots;
  }
}
