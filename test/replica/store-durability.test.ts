// What a store says of durability: the age of the oldest write that no sync has covered, and writes that took long.

import { describe, expect, test } from "bun:test";
import { DiskError } from "../../src/io/disk.ts";
import { packMeta } from "../../src/format/slot.ts";
import type { ShardStore } from "../../src/store/shard-store.ts";
import { applyRows, StoreStage } from "../support/store-stage.ts";

function write(store: ReturnType<StoreStage["create"]>, slot: number): void {
  applyRows(store, [{ slot, word: packMeta(1, 1), key: "k", value: "v" }]);
  store.writePending();
}

describe("the oldest unsynced write", () => {
  test("is that of the first since the last sync began, and the older one while it runs", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    expect(store.oldestUnsyncedAtMs).toBeNull();
    const firstMs = stage.clock.nowMs();
    write(store, 0);
    stage.clock.advance(10);
    write(store, 1);
    expect(store.oldestUnsyncedAtMs).toBe(firstMs);

    store.syncBegan();
    stage.clock.advance(10);
    const secondMs = stage.clock.nowMs();
    write(store, 2);
    expect(store.oldestUnsyncedAtMs).toBe(firstMs);
    store.syncEnded();
    expect(store.oldestUnsyncedAtMs).toBe(secondMs);
    store.syncBegan();
    store.syncEnded();
    expect(store.oldestUnsyncedAtMs).toBeNull();
  });

  test("is none after a sync on the spot", () => {
    const store = new StoreStage().create(10);
    write(store, 0);
    store.syncNow();
    expect(store.oldestUnsyncedAtMs).toBeNull();
  });

  test("is there for a cleared slot too", () => {
    const store = new StoreStage().create(10);
    store.clearSlot(3);
    expect(store.oldestUnsyncedAtMs).not.toBeNull();
  });

  test("stays when the sync fails: nothing is called durable", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    write(store, 0);
    const before = store.oldestUnsyncedAtMs;
    stage.disk.faults = ({ operation }) => (operation === "fdatasync" ? { errno: "EIO" } : null);
    expect(() => store.syncNow()).toThrow(DiskError);
    expect(store.oldestUnsyncedAtMs).toBe(before);
  });
});

describe("a slow write", () => {
  test("is counted past 100 ms, with the longest of all", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    let tookMs = 0;
    stage.disk.faults = ({ operation }) => {
      if (operation === "write") stage.clock.advance(tookMs);
      return null;
    };
    for (const [slot, ms] of [0, 100, 101, 3000, 50].entries()) {
      tookMs = ms;
      write(store, slot);
    }
    expect(store).toMatchObject({ slowWrites: 2, slowestWriteMs: 3000 });
  });
});

describe("a failed close", () => {
  test("never sets the clean flag: not after a failed sync, nor after a failed sidecar", () => {
    for (const failing of ["fdatasync", "rename", "fsync", "sync directory"]) {
      const stage = new StoreStage();
      const store = stage.create(10);
      write(store, 0);
      stage.disk.faults = ({ operation }) => (operation === failing ? { errno: "EIO" } : null);
      expect(() => store.closeClean(null)).toThrow(DiskError);
      const data = stage.disk.bytes("/db/shard_001/fixed.data");
      expect({ failing, flag: data?.[17] }).toEqual({ failing, flag: 0 });
    }
  });
});
