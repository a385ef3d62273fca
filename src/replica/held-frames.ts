// Frames that come before the shard's files exist. A new directory is not touched until the first frame after ShardInfo has
// proved sound; then the link rests until the files are there, and what came is replayed in its order. Bounded by what one read of
// the socket delivers.

import { SLOT_JUMP_MAX } from "../limits.ts";
import { layoutOf } from "../store/geometry.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import { type BatchFacts, checkBatch } from "../wire/slot-batch.ts";

export type HeldFrame =
  | { readonly kind: "batch"; readonly payload: Uint8Array }
  | { readonly kind: "live"; readonly payload: Uint8Array; readonly full: boolean }
  | { readonly kind: "caught-up" };

export class HeldFrames {
  readonly #info: ShardInfo;
  readonly #shard: number;
  readonly #protocol: ProtocolVersion;
  readonly #firstIsSound: () => void;
  #held: HeldFrame[] = [];

  /** `firstIsSound` is called once. */
  constructor(info: ShardInfo, shard: number, protocol: ProtocolVersion, firstIsSound: () => void) {
    this.#info = info;
    this.#shard = shard;
    this.#protocol = protocol;
    this.#firstIsSound = firstIsSound;
  }

  /** A batch of the scan; held unless it is not sound. */
  batch(payload: Uint8Array): BatchFacts | { readonly fault: string } {
    const facts = checkBatch(payload, this.#shard, layoutOf(this.#info), this.#protocol);
    if ("fault" in facts) {
      return { fault: `The peer sent a SlotBatch that is not sound (${facts.fault})` };
    }
    const { slotCount } = this.#info;
    if (facts.slotMax >= Math.max(2 * slotCount, slotCount + SLOT_JUMP_MAX)) {
      const far = `slot ${facts.slotMax}, far out of a shard of ${slotCount} slots`;
      return { fault: `The peer sent ${far}` };
    }
    // The payload is only valid during the call.
    this.#hold({ kind: "batch", payload: new Uint8Array(payload) });
    return facts;
  }

  live(payload: Uint8Array, full: boolean): void {
    this.#hold({ kind: "live", payload: new Uint8Array(payload), full });
  }

  caughtUp(): void {
    this.#hold({ kind: "caught-up" });
  }

  /** What came, in its order; held no longer. */
  take(): readonly HeldFrame[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #hold(frame: HeldFrame): void {
    this.#held.push(frame);
    if (this.#held.length === 1) this.#firstIsSound();
  }
}
