// Phase 1: which slots go out, in which batches, at whose pace.

import { describe, expect, test } from "bun:test";
import {
  packMeta,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { SERVE_QUEUE_BYTES_MAX } from "../../src/limits.ts";
import {
  encodeHeartbeat,
  encodeSyncRequest,
  FRAME_ACK,
  newFrame,
} from "../../src/wire/messages.ts";
import { badBlock, MemoryDatabase } from "./memory-database.ts";
import { Stage } from "./stage.ts";

describe("which slots are sent", () => {
  interface Row {
    readonly slot: string;
    readonly make: (database: MemoryDatabase) => void;
    readonly protocol: 1 | 2;
    readonly flags: 0 | 1;
    /** The meta word of the event, or null for none. */
    readonly event: number | null;
  }
  const occupied = (database: MemoryDatabase) => void database.occupy(1, 5);
  const torn = (version: number) => (database: MemoryDatabase) => {
    database.occupy(1, version);
    database.tear(1);
  };
  const status = (value: 0 | 2 | 3, version: number) => (database: MemoryDatabase) => {
    database.occupy(1, 1);
    database.setMeta(1, value, version);
  };
  const rows: Row[] = [];
  for (const protocol of [1, 2] as const) {
    for (const flags of [0, 1] as const) {
      const both = { protocol, flags };
      const reset = (version: number) => (protocol === 2 ? packMeta(STATUS_FREE, version) : null);
      rows.push(
        { ...both, slot: "OCCUPIED", make: occupied, event: packMeta(STATUS_OCCUPIED, 5) },
        { ...both, slot: "torn", make: torn(5), event: reset(5) },
        { ...both, slot: "torn, version 0", make: torn(0), event: reset(0) },
        {
          ...both,
          slot: "DELETED",
          make: status(STATUS_DELETED, 6),
          event: flags === 0 ? packMeta(STATUS_DELETED, 6) : null,
        },
        { ...both, slot: "never used", make: () => {}, event: null },
        { ...both, slot: "FREE, version 0", make: status(STATUS_FREE, 0), event: null },
        { ...both, slot: "FREE, version 9", make: status(STATUS_FREE, 9), event: reset(9) },
        { ...both, slot: "status 3", make: status(STATUS_INVALID, 6), event: null },
      );
    }
  }
  for (const { slot, make, protocol, flags, event } of rows) {
    const what = event === null ? "nothing" : `meta ${event}`;
    test(`protocol ${protocol}, flags ${flags}: ${slot} gives ${what}`, () => {
      const database = new MemoryDatabase({ slots: 3 });
      make(database);
      const follower = new Stage(database).followed({ protocol, flags });
      const events = follower.events(database.layout);
      expect(events.map(({ slot: id, meta }) => [id, meta])).toEqual(
        event === null ? [] : [[1, event]],
      );
      expect(follower.caughtUp).toEqual({ shardId: 0, totalScanned: BigInt(events.length) });
    });
  }
});

test("a reset is 8 bytes, a DELETED event carries the key that lies in the slot", () => {
  const database = new MemoryDatabase({ slots: 2 });
  database.occupy(0, 3);
  database.tear(0);
  database.occupy(1, 3);
  database.setMeta(1, STATUS_DELETED, 4);
  const follower = new Stage(database).followed();
  const [reset, deleted] = follower.events(database.layout);
  expect([reset?.key.length, reset?.value.length]).toEqual([0, 0]);
  expect(deleted?.key).toEqual(database.image(0, 1).slice(8, 16));
  expect(deleted?.value.length).toBe(0);
});

test("a slot that is sound at the second look is not torn", () => {
  const database = new MemoryDatabase({ slots: 4 });
  database.occupyAll();
  database.tear(2);
  let reads = 0;
  database.beforeRead = () => {
    reads++;
    if (reads === 2) database.occupy(2, 1);
  };
  const stage = new Stage(database);
  const follower = stage.followed();
  expect(follower.events(database.layout).every(({ value }) => value.length === 16)).toBe(true);
  expect(stage.reports.at(-1)).toMatchObject({ state: "live", torn: { count: 0 } });
});

test("a slot that became DELETED between the looks is sent as DELETED", () => {
  const database = new MemoryDatabase({ slots: 1 });
  database.occupyAll();
  database.tear(0);
  let reads = 0;
  database.beforeRead = () => {
    reads++;
    if (reads === 2) database.setMeta(0, STATUS_DELETED, 2);
  };
  const follower = new Stage(database).followed();
  expect(follower.events(database.layout).map(({ meta }) => meta)).toEqual([
    packMeta(STATUS_DELETED, 2),
  ]);
});

test("torn slots and slots of status 3 are counted and named", () => {
  const database = new MemoryDatabase({ slots: 64 });
  database.occupyAll();
  for (const slot of [3, 5, 8]) database.tear(slot);
  for (let slot = 30; slot < 60; slot++) database.setMeta(slot, STATUS_INVALID, 1);
  const stage = new Stage(database);
  stage.followed();
  const live = stage.reports.at(-1);
  expect(live).toMatchObject({ state: "live", sent: 34, torn: { count: 3, first: [3, 5, 8] } });
  expect(live).toMatchObject({ invalid: { count: 30 } });
  expect(live?.state === "live" && live.invalid.first.length).toBe(20);
});

describe("batches", () => {
  test("close at 256 events", () => {
    const database = new MemoryDatabase({ slots: 600 });
    database.occupyAll();
    const follower = new Stage(database).followed();
    expect(
      follower.batches.map(({ payload }) => new DataView(payload.buffer).getUint32(1, true)),
    ).toEqual([256, 256, 88]);
  });

  test("close at 64 KiB, checked after adding", () => {
    const database = new MemoryDatabase({ slots: 10, keyLen: 8, valueLen: 20_000 });
    database.occupyAll();
    const follower = new Stage(database).followed();
    // 5 + 4 x 20,016 is the first length past 65,536.
    expect(follower.batches.map(({ payload }) => payload.length)).toEqual([80_069, 80_069, 40_037]);
  });

  test("of the largest slots hold two events and stay below the payload limit", () => {
    const database = new MemoryDatabase({ slots: 4, keyLen: 20, valueLen: 65_500 });
    expect(database.layout.slotSize).toBe(65_528);
    database.occupyAll();
    const follower = new Stage(database).followed();
    expect(follower.batches.map(({ payload }) => payload.length)).toEqual([131_061, 131_061]);
  });

  test("of an empty shard are none", () => {
    const follower = new Stage(new MemoryDatabase({ slots: 0 })).followed();
    expect(follower.frames.map(({ type }) => type)).toEqual([2, 4]);
  });
});

test("a long sparse scan lets other followers have their turns", () => {
  const database = new MemoryDatabase({ shards: 2, slots: 400_000 });
  database.occupy(399_999, 1, { shard: 0 });
  database.occupy(0, 1, { shard: 1 });
  const stage = new Stage(database);
  stage.follow({ shard: 0 });
  stage.follow({ shard: 1 });
  stage.clock.settle();
  const lastOfFirst = database.reads.findLastIndex(({ shard }) => shard === 0);
  const firstOfSecond = database.reads.findIndex(({ shard }) => shard === 1);
  expect(firstOfSecond).toBeLessThan(lastOfFirst);
  expect(database.reads.every(({ slots }) => slots <= 2048)).toBe(true);
});

describe("a follower that reads slowly", () => {
  function slow() {
    const database = new MemoryDatabase({ slots: 40_000, valueLen: 100 });
    database.occupyAll();
    const stage = new Stage(database);
    stage.net.onConnection = (connection) => {
      connection.toConnector.capacityBytes = 10_000;
      connection.toConnector.bytesPerTurnMax = 5_000;
      connection.toConnector.delayMs = 1;
    };
    return { stage, database, follower: stage.follow({ acksAhead: 1_000 }) };
  }

  test("with many acks ahead never makes more than 1 MiB wait, and gets everything", () => {
    const { stage, database, follower } = slow();
    let most = 0;
    for (let ms = 0; ms < 5_000; ms++) {
      stage.clock.advance(1);
      most = Math.max(most, stage.net.connections[0]?.accepted.queuedBytes ?? 0);
    }
    expect(follower.caughtUp?.totalScanned).toBe(40_000n);
    expect(follower.events(database.layout)).toHaveLength(40_000);
    expect(most).toBeGreaterThan(SERVE_QUEUE_BYTES_MAX / 2);
    expect(most).toBeLessThanOrEqual(SERVE_QUEUE_BYTES_MAX);
  });

  test("and then not at all is given up after 10 s", () => {
    const { stage, follower } = slow();
    stage.clock.advance(50);
    expect(follower.batches.length).toBeGreaterThan(0);
    stage.net.connections[0]?.toConnector.hold();
    stage.clock.advance(9_900);
    expect(stage.endReasons).toEqual([]);
    stage.clock.advance(2_100);
    expect(stage.endReasons).toEqual(["it took nothing for 10 s"]);
    expect(stage.clock.pendingTimers).toBe(0);
  });
});

test("a disk that fails ends that connection and no other", () => {
  const database = new MemoryDatabase({ shards: 2, slots: 10 });
  database.occupyAll();
  database.beforeRead = (shard) => {
    if (shard === 0) throw badBlock();
  };
  const stage = new Stage(database);
  const bad = stage.followed({ shard: 0 });
  const good = stage.followed({ shard: 1 });
  expect(bad.end).toEqual({ kind: "closed-by-peer" });
  expect(bad.caughtUp).toBeNull();
  expect(good.caughtUp).not.toBeNull();
  expect(stage.reports.filter(({ state }) => state === "failed")).toHaveLength(1);
});

test("a bug of ours is not taken for a bad disk", () => {
  const database = new MemoryDatabase({ slots: 10 });
  database.beforeRead = () => {
    throw new TypeError("a bug");
  };
  expect(() => new Stage(database).followed()).toThrow("a bug");
});

test("a connection that breaks in the middle of a scan leaves nothing behind", () => {
  const database = new MemoryDatabase({ slots: 1_000 });
  database.occupyAll();
  const stage = new Stage(database);
  stage.followed({ acks: false });
  stage.net.connections[0]?.reset();
  stage.clock.settle();
  expect(stage.endReasons).toEqual(["ECONNRESET"]);
  expect(stage.server.followers).toBe(0);
  expect(stage.clock.pendingTimers).toBe(0);
});
