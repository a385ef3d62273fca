// How old a replica in simulated time really is: a leader's writes with their times, held against the words in the replica's file.

import { viewOf } from "../../src/bytes.ts";
import { STATUS_DELETED, statusOf, versionOf } from "../../src/format/slot.ts";
import { SIM_DIR } from "./sim-follower.ts";
import type { SimStage } from "./sim-stage.ts";

const HEADER_BYTES = 4096;

/** The writes of one slot. */
interface Written {
  /** When each version was written, from version 1 on. */
  readonly atMs: number[];
  /** The last version that deleted it, 0 for none: a replica without the slot is as good as one with that. */
  deletedAt: number;
}

export class TrueAge {
  readonly #stage: SimStage;
  /** By shard and slot. */
  readonly #written: Map<number, Written>[];

  constructor(stage: SimStage) {
    this.#stage = stage;
    this.#written = stage.leader.shards.map(() => new Map());
  }

  put(shard: number, slot: number, seed: number): void {
    this.#stage.leader.put(shard, slot, seed);
    this.#of(shard, slot).atMs.push(this.#stage.clock.nowMs());
  }

  remove(shard: number, slot: number): void {
    if (!this.#stage.leader.shards[shard]?.slots.has(slot)) return;
    this.#stage.leader.remove(shard, slot);
    const written = this.#of(shard, slot);
    written.atMs.push(this.#stage.clock.nowMs());
    written.deletedAt = written.atMs.length;
  }

  #of(shard: number, slot: number): Written {
    const slots = this.#written[shard] as Map<number, Written>;
    const found = slots.get(slot) ?? { atMs: [], deletedAt: 0 };
    slots.set(slot, found);
    return found;
  }

  /** Ms since the first write that has not come, 0 where all has. */
  ageMs(shard: number): number {
    const name = String(shard).padStart(3, "0");
    const bytes = this.#stage.disk.bytes(`${SIM_DIR}/shard_${name}/fixed.data`);
    const { slotSize } = this.#stage.leader.layout;
    const nowMs = this.#stage.clock.nowMs();
    let oldestMs = nowMs;
    for (const [slot, { atMs, deletedAt }] of this.#written[shard] ?? []) {
      const offset = HEADER_BYTES + slot * slotSize;
      const isThere = bytes !== null && offset + slotSize <= bytes.length;
      const word = isThere ? viewOf(bytes).getUint32(offset, true) : 0;
      const isGone = word === 0 || statusOf(word) === STATUS_DELETED;
      const here = isGone ? Math.max(versionOf(word), deletedAt) : versionOf(word);
      oldestMs = Math.min(oldestMs, atMs[here] ?? nowMs);
    }
    return nowMs - oldestMs;
  }
}
