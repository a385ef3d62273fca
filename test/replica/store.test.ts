// A shard on disk: what is made, what is read, and in which order things become durable.

import { describe, expect, test } from "bun:test";
import { toHex } from "../../src/bytes.ts";
import { packMeta, STATUS_FREE, STATUS_INVALID, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { encodeShardHeader } from "../../src/format/shard-header.ts";
import { distrusted } from "../../src/store/slot-table.ts";
import { type BatchRow, imageOf } from "../support/applier-batches.ts";
import { sidecarFault, sidecarWord } from "../support/sidecar.ts";
import {
  applyRows,
  DATA_PATH,
  STORE_DIR,
  STORE_LAYOUT,
  STORE_SHARD,
  StoreStage,
} from "../support/store-stage.ts";

const SIDECAR = "shard_001/fixed.versions";
const CURSOR = "shard_001/fixed_repl.cursor";

const row = (slot: number, version = 1, status = 1): BatchRow => ({
  slot,
  word: packMeta(status as 1, version),
  key: `key-${slot}`,
  value: `value-${version}`,
});

/** The same calls for a small file by way of a temporary one. */
const replaced = (name: string, writes: readonly string[]) => [
  `open create ${name}.tmp`,
  ...writes.map((write) => `write ${write} ${name}.tmp`),
  `fsync ${name}.tmp`,
  `close ${name}.tmp`,
  `rename ${name}.tmp -> ${name}`,
  "sync directory shard_001",
];

/** A shard with slots 0 to 2 taken, closed in good order. */
function closedStage(): StoreStage {
  const stage = new StoreStage();
  const store = stage.create(10);
  applyRows(store, [row(0), row(1), row(2)]);
  store.writePending();
  store.closeClean(null);
  stage.callsSince();
  return stage;
}

describe("a new shard", () => {
  test("is made of exactly the slots asked for, and durable when it is there", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    expect(stage.callsSince()).toEqual([
      "mkdir shard_001",
      "sync directory /db",
      "open create shard_001/fixed.data".replace(" shard_001/fixed.data", ""),
      "preallocate 4416",
      "write 0+4096",
      "fsync",
      "sync directory shard_001",
    ]);
    const header = { ...STORE_LAYOUT, slotCount: 10, shardId: STORE_SHARD, cleanShutdown: 0 };
    const bytes = stage.disk.durableBytes(DATA_PATH)!;
    expect(toHex(bytes)).toBe(toHex(encodeShardHeader(header)) + "00".repeat(320));
    expect([store.slotCount, store.reserved]).toEqual([10, true]);
    expect(store.loaded).toEqual({ occupied: 0, deleted: 0, free: 10, torn: 0 });
  });
});

describe("an existing shard", () => {
  test("is synced, names too, and dropped from the cache before a byte of it is believed", () => {
    const stage = closedStage();
    stage.open();
    const operations = stage.disk.calls.map((call) => call.operation);
    const opening = ["open write", "fsync", "drop cache", "sync directory", "sync directory"];
    expect(operations.slice(0, 5)).toEqual(opening);
    expect(new Set(operations.slice(5))).toEqual(new Set(["read"]));
  });

  test("is loaded slot by slot: what is torn is not trusted, what is dead is not checked", () => {
    const stage = closedStage();
    const first = stage.open();
    applyRows(first, [row(0, 5, 2), row(3, 9, 0), row(4, 7), row(5, 8)]);
    first.writePending();
    first.syncNow();
    first.abandon();
    // A bit of a value; status 3; the stale crc of a deleted slot.
    stage.disk.flip(DATA_PATH, 4096 + 1 * 32 + 20);
    stage.disk.flip(DATA_PATH, 4096 + 4 * 32, 2);
    stage.disk.flip(DATA_PATH, 4096 + 0 * 32 + 5);
    const { table, loaded } = stage.open();
    expect(loaded).toEqual({ occupied: 2, deleted: 1, free: 5, torn: 2 });
    expect(table.occupied).toBe(2);
    const torn = (version: number) => packMeta(STATUS_INVALID, version);
    expect([0, 1, 2, 3, 4, 5, 6].map((slot) => table.word(slot))).toEqual([
      packMeta(2, 5),
      torn(1),
      packMeta(1, 1),
      packMeta(0, 9),
      torn(7),
      packMeta(1, 8),
      0,
    ]);
  });

  test("gives the bytes of a slot as they lie in the file", () => {
    const stage = closedStage();
    const store = stage.open();
    expect(toHex(store.readSlot(2))).toBe(toHex(imageOf(row(2), STORE_LAYOUT)));
  });
});

describe("the first write", () => {
  test("comes after the clean flag is 0 and durable; later ones just come", () => {
    const stage = closedStage();
    const store = stage.open();
    stage.callsSince();
    applyRows(store, [row(3), row(4), row(7)]);
    store.writePending();
    expect(stage.callsSince()).toEqual([
      "write 17+1",
      "fdatasync",
      "write 4192+64",
      "write 4320+32",
    ]);
    applyRows(store, [row(3, 2, 2)]);
    store.writePending();
    store.writePending();
    expect(stage.callsSince()).toEqual(["write 4192+4"]);
    store.clearSlot(4);
    expect(stage.callsSince()).toEqual(["write 4224+32"]);
  });

  test("of a clear, too, comes after the clean flag", () => {
    const stage = closedStage();
    const store = stage.open();
    stage.callsSince();
    store.clearSlot(1);
    expect(stage.callsSince()).toEqual(["write 17+1", "fdatasync", "write 4128+32"]);
    expect([store.table.word(1), store.table.occupied]).toEqual([0, 2]);
    expect(toHex(store.readSlot(1))).toBe("00".repeat(32));
  });
});

describe("a close in good order", () => {
  test("syncs data, replaces the sidecar, sets the flag, then saves the cursor", () => {
    const stage = new StoreStage();
    const store = stage.create(10);
    applyRows(store, [row(0), row(2)]);
    store.writePending();
    stage.callsSince();
    store.closeClean(new Uint8Array(40));
    expect(stage.callsSince()).toEqual([
      "fdatasync",
      ...replaced(SIDECAR, ["0+40", "40+8"]),
      "write 17+1",
      "fdatasync",
      ...replaced(CURSOR, ["0+40"]),
      "close",
    ]);
    expect(stage.disk.durableBytes(DATA_PATH)?.[17]).toBe(1);
    const sidecar = stage.disk.durableBytes(`/db/${SIDECAR}`)!;
    expect(sidecarFault(sidecar, 10)).toBeNull();
  });

  test("of a shard that was not written leaves every file as it was", () => {
    const stage = closedStage();
    const store = stage.open();
    stage.callsSince();
    store.closeClean(null);
    expect(stage.callsSince()).toEqual(["close"]);
    const again = stage.open();
    stage.callsSince();
    again.closeClean(new Uint8Array(40));
    expect(stage.callsSince()).toEqual([...replaced(CURSOR, ["0+40"]), "close"]);
  });

  test("replaces what a killed predecessor left under the temporary names", () => {
    const stage = new StoreStage();
    const store = stage.create(2);
    stage.disk.open(`/db/${SIDECAR}.tmp`, "create").close();
    stage.callsSince();
    store.closeClean(null);
    expect(stage.callsSince()).toContain(`remove ${SIDECAR}.tmp`);
    expect(sidecarFault(stage.disk.bytes(`/db/${SIDECAR}`)!, 2)).toBeNull();
  });
});

test("a stop tells of each call that may hang, by its name", () => {
  const stage = new StoreStage();
  stage.clock.advance(1_000);
  const store = stage.create(10);
  applyRows(store, [row(0)]);
  store.writePending();
  const told: string[] = [];
  stage.disk.faults = ({ operation, path }) => {
    if (/^(write|fsync|fdatasync|sync)/.test(operation)) {
      told.push(`${operation} ${path.slice(path.lastIndexOf("/") + 1)}: ${stage.cells.call?.call}`);
    }
    return null;
  };
  store.closeClean(new Uint8Array(40));
  expect(told).toEqual([
    "fdatasync fixed.data: fdatasync",
    "write fixed.versions.tmp: pwrite",
    "write fixed.versions.tmp: pwrite",
    "fsync fixed.versions.tmp: fsync",
    "sync directory shard_001: fsync",
    "write fixed.data: pwrite",
    "fdatasync fixed.data: fdatasync",
    "write fixed_repl.cursor.tmp: pwrite",
    "fsync fixed_repl.cursor.tmp: fsync",
    "sync directory shard_001: fsync",
  ]);
  expect(stage.cells.call).toBe(null);
});

test("the sidecar of a stop says of a slot that is given up what the file holds, and of a torn one that it is free", () => {
  const stage = closedStage();
  const torn = stage.disk.bytes(DATA_PATH) as Uint8Array;
  const store = stage.open();
  // --accept-leader trusts slots 0 and 1 no more, and the leader's records have not come; 1 is torn besides.
  for (const slot of [0, 1]) store.table.setSlot(slot, distrusted(store.table.word(slot)), 0);
  applyRows(store, [row(5)]);
  store.writePending();
  torn[4096 + 32 + 20] = (torn[4096 + 32 + 20] ?? 0) ^ 1;
  const file = stage.disk.open(DATA_PATH, "write");
  file.write(torn.subarray(4096 + 32, 4096 + 64), 4096 + 32);
  file.close();
  store.closeClean(null);
  const sidecar = stage.disk.bytes(`${STORE_DIR}/${SIDECAR}`) as Uint8Array;
  expect(sidecarFault(sidecar, 10)).toBe(null);
  expect([0, 1, 2, 5].map((slot) => sidecarWord(sidecar, slot))).toEqual([
    packMeta(STATUS_OCCUPIED, 1),
    packMeta(STATUS_FREE, 1),
    packMeta(STATUS_OCCUPIED, 1),
    packMeta(STATUS_OCCUPIED, 1),
  ]);
});
