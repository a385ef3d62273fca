// The tap of a shard store: whoever only ever hears of it has the file.

import { describe, expect, test } from "bun:test";
import { shardFileBytes, SHARD_HEADER_BYTES, slotOffset } from "../../src/format/shard-header.ts";
import { packMeta, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import type {
  ApplyOptions,
  BatchApplier,
  BatchPurpose,
} from "../../src/replica/apply/batch-applier.ts";
import type { ShardStore } from "../../src/store/shard-store.ts";
import type { ShardTap } from "../../src/store/slot-table.ts";
import { Dice } from "../support/dice.ts";
import {
  applyRows,
  DATA_PATH,
  STORE_LAYOUT,
  STORE_SHARD,
  StoreStage,
} from "../support/store-stage.ts";
import { RandomBatches } from "./random-batches.ts";

const { slotSize } = STORE_LAYOUT;
const SLOTS = 40;
const seedGiven = process.env["ARMDB_TEST_SEED"];
const firstSeed = seedGiven === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(seedGiven);
const SEEDS = seedGiven === undefined ? 20 : 1;

/** A copy of a shard's slots, made from what a tap hears alone. */
class Shadow implements ShardTap {
  bytes = new Uint8Array(shardFileBytes(SLOTS, slotSize));
  readonly heard: string[] = [];

  wrote(slot: number, memory: Uint8Array, start: number, end: number): void {
    this.heard.push(`wrote ${slot}+${end - start}`);
    this.bytes.set(memory.subarray(start, end), slotOffset(slot, slotSize));
  }

  cleared(slot: number, wordBefore: number): void {
    this.heard.push(`cleared ${slot} of ${wordBefore}`);
    const offset = slotOffset(slot, slotSize);
    this.bytes.fill(0, offset, offset + slotSize);
  }

  grew(slotCount: number): void {
    this.heard.push(`grew to ${slotCount}`);
    const longer = new Uint8Array(shardFileBytes(slotCount, slotSize));
    longer.set(this.bytes);
    this.bytes = longer;
  }
}

function stageWithTap(tap: ShardTap): StoreStage {
  const stage = new StoreStage({ tap });
  // It grows by what a slot needs, not by a million.
  stage.disk.faults = ({ operation, offset }) =>
    operation === "preallocate" && (offset ?? 0) > 1_000_000 ? { errno: "ENOSPC" } : null;
  return stage;
}

/** Applies a batch as a follower does; what is refused changes nothing. */
function take(store: ShardStore<BatchApplier>, payload: Uint8Array, dice: Dice): void {
  const purpose = dice.pick<BatchPurpose>(["live", "scan"]);
  const options: ApplyOptions = { protocol: 2, purpose, resetsSaved: true };
  const outcome = store.table.apply(payload, options);
  if (outcome.kind !== "grow" || outcome.slotMax > 10_000) return;
  store.writePending();
  store.growFor(outcome.slotMax);
  store.table.apply(payload, options);
}

describe("the tap of a shard store", () => {
  test("hears enough to have the file, after random batches, clears and growth", () => {
    for (let seed = firstSeed; seed < firstSeed + SEEDS; seed++) {
      const dice = new Dice(seed);
      const shadow = new Shadow();
      const stage = stageWithTap(shadow);
      const store = stage.create(SLOTS);
      const batches = new RandomBatches(dice, STORE_SHARD, STORE_LAYOUT, 2);
      for (let step = 0; step < 60; step++) {
        take(store, batches.next(store.slotCount), dice);
        if (dice.oneIn(2)) store.writePending();
        if (dice.oneIn(5)) {
          store.writePending();
          store.clearSlot(dice.below(store.slotCount));
        }
      }
      store.writePending();
      const file = (stage.disk.bytes(DATA_PATH) as Uint8Array).subarray(SHARD_HEADER_BYTES);
      const own = shadow.bytes.subarray(SHARD_HEADER_BYTES);
      expect(Buffer.compare(file, own), `ARMDB_TEST_SEED=${seed}`).toBe(0);
      expect(shadow.heard.some((what) => what.startsWith("cleared"))).toBe(true);
    }
  });

  test("hears a run as it was written, the word that a cleared slot had, and the new count", () => {
    const shadow = new Shadow();
    const store = stageWithTap(shadow).create(SLOTS);
    const word = packMeta(STATUS_OCCUPIED, 3);
    applyRows(
      store,
      [5, 6, 8].map((slot) => ({ slot, word, key: "k", value: "v" })),
    );
    expect(shadow.heard).toEqual([]);
    store.writePending();
    store.clearSlot(6);
    store.growFor(SLOTS);
    expect(shadow.heard).toEqual([
      `wrote 5+${2 * slotSize}`,
      `wrote 8+${slotSize}`,
      `cleared 6 of ${word}`,
      `grew to ${SLOTS + 1}`,
    ]);
  });

  test("hears nothing of what the disk did not take", () => {
    const shadow = new Shadow();
    const stage = new StoreStage({ tap: shadow });
    const store = stage.create(SLOTS);
    applyRows(store, [{ slot: 5, word: packMeta(STATUS_OCCUPIED, 3), key: "k", value: "v" }]);
    store.writePending();
    applyRows(store, [{ slot: 6, word: packMeta(STATUS_OCCUPIED, 3), key: "k", value: "v" }]);
    stage.disk.faults = () => ({ errno: "EIO" });
    expect(() => store.writePending()).toThrow();
    expect(() => store.clearSlot(5)).toThrow();
    expect(() => store.growFor(SLOTS)).toThrow();
    expect(shadow.heard).toEqual([`wrote 5+${slotSize}`]);
  });
});
