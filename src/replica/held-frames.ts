// Frames that come before the shard's files exist. A new directory is not touched until the first frame after ShardInfo has
// proved sound; then the link rests until the files are there. Bounded by what one read of the socket delivers.

import { SLOT_JUMP_MAX } from "../limits.ts";
import { layoutOf } from "../store/geometry.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import { checkBatch } from "../wire/slot-batch.ts";
import type { SessionEvent } from "../link/session.ts";
import type { ShardLink } from "../link/shard-link.ts";

export class HeldFrames {
  readonly #link: ShardLink;
  readonly #info: ShardInfo;
  readonly #shard: number;
  readonly #protocol: ProtocolVersion;
  readonly #firstIsSound: (held: readonly SessionEvent[]) => void;
  readonly #held: SessionEvent[] = [];

  /** `firstIsSound` is called once, with the list that may still grow while the link comes to rest. */
  constructor(
    link: ShardLink,
    info: ShardInfo,
    shard: number,
    protocol: ProtocolVersion,
    firstIsSound: (held: readonly SessionEvent[]) => void,
  ) {
    this.#link = link;
    this.#info = info;
    this.#shard = shard;
    this.#protocol = protocol;
    this.#firstIsSound = firstIsSound;
  }

  receive(event: SessionEvent): void {
    // A heartbeat proves nothing of the shard, and nobody needs it later.
    if (event.kind === "heartbeat") return;
    const fault = event.kind === "batch" ? this.#faultOf(event.payload) : null;
    if (fault !== null) {
      const reason = `The peer sent ${fault}`;
      this.#link.fail({ kind: "violation", reason, beforeShardInfo: false });
      return;
    }
    // The payload is only valid during the call.
    this.#held.push(
      event.kind === "batch" ? { ...event, payload: new Uint8Array(event.payload) } : event,
    );
    if (this.#held.length > 1) return;
    this.#link.pause();
    this.#firstIsSound(this.#held);
  }

  #faultOf(payload: Uint8Array): string | null {
    const checked = checkBatch(payload, this.#shard, layoutOf(this.#info), this.#protocol);
    if ("fault" in checked) return `a SlotBatch that is not sound (${checked.fault})`;
    const { slotCount } = this.#info;
    if (checked.slotMax < Math.max(2 * slotCount, slotCount + SLOT_JUMP_MAX)) return null;
    return `slot ${checked.slotMax}, far out of a shard of ${slotCount} slots`;
  }
}
