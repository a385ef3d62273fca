// Tells what a scan on a second connection really mended from what it merely saw first: a slot counts as healed when the
// live stream has not brought it 5 s later (cli.md: healed). Bounded; pure.

import { DIFFERENCES_MAX } from "../../limits.ts";
import type { SlotLayout } from "../../format/slot.ts";
import { DIFFERENCE_TAKEN } from "../../wasm/cells.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { batchSlots } from "../../wire/slot-batch.ts";
import { DIFFERENCE_KIND, DIFFERENCE_SLOT, DIFFERENCE_WORDS } from "./batch-applier.ts";

export const HEALED_AFTER_MS = 5_000;

export class HealedWatch {
  /** Slot to the time at which the scan took it, in order of time. */
  readonly #taken = new Map<number, number>();

  /** Slots whose 5 s are not over. */
  get waiting(): number {
    return this.#taken.size;
  }

  /** What a batch of the scan took. Past the bound it counts as healed at once; returns how many slots did. */
  took(differences: Uint32Array, nowMs: number): number {
    let atOnce = 0;
    for (let at = 0; at < differences.length; at += DIFFERENCE_WORDS) {
      if (differences[at + DIFFERENCE_KIND] !== DIFFERENCE_TAKEN) continue;
      if (this.#taken.size >= DIFFERENCES_MAX) atOnce++;
      else this.#taken.set(differences[at + DIFFERENCE_SLOT] as number, nowMs);
    }
    return atOnce;
  }

  /** A live batch that has passed its checks: what it brings was on its way, not lost. */
  streamBrought(payload: Uint8Array, layout: SlotLayout, protocol: ProtocolVersion): void {
    if (this.#taken.size === 0) return;
    for (const slot of batchSlots(payload, layout, protocol)) this.#taken.delete(slot);
  }

  /** Takes out and counts the slots whose 5 s are over. */
  settle(nowMs: number): number {
    let settled = 0;
    for (const [slot, takenAtMs] of this.#taken) {
      if (nowMs - takenAtMs < HEALED_AFTER_MS) break;
      this.#taken.delete(slot);
      settled++;
    }
    return settled;
  }
}
