// A shard that grows: by how much, in which order, what it does when space is short, and which slot ids it does not believe.

import { describe, expect, test } from "bun:test";
import { ArmdbError } from "../../src/errors.ts";
import { packMeta } from "../../src/format/slot.ts";
import { GROW_SLOTS_MIN, SLOT_JUMP_MAX } from "../../src/limits.ts";
import { slotsAfterStep } from "../../src/store/shard-growth.ts";
import type { ShardStore } from "../../src/store/shard-store.ts";
import { applyRows, DATA_PATH, StoreStage } from "../support/store-stage.ts";

const row = (slot: number) => ({ slot, word: packMeta(1, 1), key: "k", value: "v" });
const SHORT = "the disk is short of space: the file grows by little more than it needs";
const bytesFor = (slots: number) => 4096 + slots * 32;

/** A stage whose disk says what is free: so many bytes beside a shard of 10 slots. */
function diskWithFree(bytes: number): { stage: StoreStage; store: ShardStore } {
  const stage = new StoreStage();
  const store = stage.create(10);
  stage.disk.capacityBytes = bytesFor(10) + bytes;
  stage.callsSince();
  return { stage, store };
}

/** A stage whose disk cannot hold a file of more than so many slots. */
function smallDisk(slots: number): StoreStage {
  const stage = new StoreStage();
  stage.disk.faults = ({ operation, offset }) =>
    operation === "preallocate" && (offset ?? 0) > bytesFor(slots) ? { errno: "ENOSPC" } : null;
  return stage;
}

function errorOf(run: () => void): ArmdbError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return thrown;
    throw thrown;
  }
  throw new Error("it did not fail");
}

describe("a shard grows", () => {
  test("by a million slots: blocks first, then the count, durable before a slot is written there", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    stage.callsSince();
    store.growFor(10);
    const slots = 10 + GROW_SLOTS_MIN;
    expect(stage.callsSince()).toEqual([
      `preallocate ${bytesFor(slots)}`,
      "write 8+4",
      "fdatasync",
    ]);
    expect(store.slotCount).toBe(slots);
    expect(stage.disk.durableBytes(DATA_PATH)?.length).toBe(bytesFor(slots));
    const count = Buffer.from(stage.disk.durableBytes(DATA_PATH) ?? []).readUInt32LE(8);
    expect(count).toBe(slots);

    applyRows(store, [row(500_000)]);
    store.writePending();
    store.closeClean(null);
    expect(stage.open().table.word(500_000)).toBe(packMeta(1, 1));
  });

  test("by as much as the slot needs where that is more", () => {
    const store = new StoreStage().create(10);
    store.growFor(2_500_000);
    expect(store.slotCount).toBe(2_500_001);
  });

  test("by a quarter once that is more than a million", () => {
    const store = new StoreStage().create(6_000_000);
    store.growFor(6_000_000);
    expect(store.slotCount).toBe(7_500_000);
  });

  test("clears the clean flag before anything else", () => {
    const stage = new StoreStage();
    stage.create(10).closeClean(null);
    const store = stage.open();
    stage.callsSince();
    store.growFor(10);
    expect(stage.callsSince().slice(0, 2)).toEqual(["write 17+1", "fdatasync"]);
  });

  test("by a gigabyte at most, or as far as the slot needs", () => {
    const slots = 400_000_000;
    const step = 2 ** 30 / 32;
    expect(slotsAfterStep(slots, 32)).toBe(slots + step);
    expect(slotsAfterStep(0xffff_ff00, 32)).toBe(0xffff_ffff);
  });

  test("by just enough where the step was refused, and says so once", () => {
    const stage = smallDisk(100);
    const store = stage.create(10);
    store.growFor(50);
    store.growFor(99);
    expect(store.slotCount).toBe(100);
    expect(stage.warnings).toEqual([SHORT]);
  });

  test("by a 64th of what is free where the step is not, and asks for no more than that", () => {
    const { stage, store } = diskWithFree(64 * 32 * 100);
    store.growFor(10);
    expect(stage.callsSince()).toEqual([`preallocate ${bytesFor(110)}`, "write 8+4", "fdatasync"]);
    expect([store.slotCount, stage.warnings]).toEqual([110, [SHORT]]);
    store.growFor(500);
    expect([store.slotCount, stage.warnings]).toEqual([501, [SHORT]]);
  });

  test("by all of the step where just that and 5 % are free", () => {
    const stepBytes = GROW_SLOTS_MIN * 32;
    const grown = (free: number) => {
      const { store } = diskWithFree(free);
      store.growFor(10);
      return store.slotCount === 10 + GROW_SLOTS_MIN;
    };
    expect([Math.ceil(stepBytes / 0.95), Math.floor(stepBytes / 0.95) - 1].map(grown)).toEqual([
      true,
      false,
    ]);
  });

  test("not into the last 5 % of what is free: no-space says what is needed and what there is", () => {
    const { stage, store } = diskWithFree(3_200);
    const error = errorOf(() => store.growFor(109));
    expect([error.code, error.message]).toEqual([
      "no-space",
      `Cannot reserve space for "${DATA_PATH}": 110 slots take 3,200 bytes more, and 3,200 are free`,
    ]);
    expect(stage.disk.bytes(DATA_PATH)?.length).toBe(bytesFor(10));
    store.growFor(103);
    expect(store.slotCount).toBe(104);
  });

  test("over free space that the file has already", () => {
    const { stage, store } = diskWithFree(0);
    stage.disk.capacityBytes = null;
    stage.disk.open(DATA_PATH, "write").truncate(bytesFor(20));
    stage.disk.capacityBytes = bytesFor(20);
    store.growFor(19);
    expect([store.slotCount, stage.warnings]).toEqual([20, [SHORT]]);
  });

  test("not at all where there is no space for the slot: no-space, and nothing has changed", () => {
    const stage = smallDisk(100);
    const store = stage.create(10);
    const error = errorOf(() => store.growFor(100));
    expect([error.code, error.exitStatus]).toEqual(["no-space", 14]);
    expect(stage.warnings).toEqual([]);
    expect(store.slotCount).toBe(10);
    const count = Buffer.from(stage.disk.bytes(DATA_PATH) ?? []).readUInt32LE(8);
    expect(count).toBe(10);
  });

  test("never on another error of the disk", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    stage.callsSince();
    stage.disk.faults = ({ operation }) => (operation === "preallocate" ? { errno: "EIO" } : null);
    expect(errorOf(() => store.growFor(10)).code).toBe("storage");
    expect(stage.callsSince()).toEqual([`preallocate ${bytesFor(10 + GROW_SLOTS_MIN)}`]);
  });
});

describe("a slot id is not believed", () => {
  const isBelieved = (store: ShardStore, slot: number) => store.slotProblem(slot) === null;

  test("at or past 16 million more than a small shard has", () => {
    const store = new StoreStage().create(10);
    const limit = 10 + SLOT_JUMP_MAX;
    expect(
      [limit - 1, limit, limit + 1, 0xffff_ffff].map((slot) => isBelieved(store, slot)),
    ).toEqual([true, false, false, false]);
    expect(store.slotProblem(limit)).toBe(`slot ${limit} is far out of a shard of 10 slots`);
  });

  test("at or past twice what a large shard has", () => {
    const stage = new StoreStage();
    stage.disk.records = false;
    const store = stage.create(SLOT_JUMP_MAX + 1000);
    const limit = 2 * (SLOT_JUMP_MAX + 1000);
    expect([limit - 1, limit].map((slot) => isBelieved(store, slot))).toEqual([true, false]);
  });
});
