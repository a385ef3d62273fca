// Phase 2: heartbeats, live events, what happens when a follower is too slow for them, and the end of it all.

import { describe, expect, test } from "bun:test";
import { packMeta, STATUS_DELETED, STATUS_FREE, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { LEADER_RING_EVENTS } from "../../src/limits.ts";
import type { LiveEvent } from "../../src/serve/live-source.ts";
import {
  FRAME_CAUGHT_UP,
  FRAME_ERROR,
  FRAME_SLOT_BATCH,
  newFrame,
} from "../../src/wire/messages.ts";
import { ManualSource, MemoryDatabase } from "./memory-database.ts";
import { Stage } from "./stage.ts";

/** A write of a slot: changes the database and tells the source, as a writer does. */
function write(
  database: MemoryDatabase,
  source: ManualSource,
  slot: number,
  version: number,
): void {
  const image = database.occupy(slot, version, { seed: version }).slice();
  source.publish(0, { slot, meta: packMeta(STATUS_OCCUPIED, version), image });
}

function liveStage(options: { slots?: number; valueLen?: number } = {}) {
  const database = new MemoryDatabase({ slots: 300, ...options });
  const source = new ManualSource();
  return { database, source, stage: new Stage(database, source) };
}

describe("heartbeats", () => {
  test("come every 5 s after CaughtUp and at no other time", () => {
    const { stage } = liveStage();
    const follower = stage.followed();
    const startMs = stage.clock.nowMs();
    stage.clock.advance(26_000);
    expect(follower.heartbeats.map(({ atMs }) => atMs - startMs)).toEqual([
      5_000, 10_000, 15_000, 20_000, 25_000,
    ]);
  });

  test("do not come during a scan", () => {
    const { stage, database } = liveStage();
    database.occupyAll();
    const follower = stage.followed({ acks: false });
    for (let second = 0; second < 30; second++) {
      stage.clock.advance(5_000);
      if (second % 6 === 5) follower.ack();
      else follower.heartbeat();
    }
    expect(
      follower.heartbeats.filter(
        ({ atMs }) => atMs <= (follower.of(FRAME_CAUGHT_UP)[0]?.atMs ?? 0),
      ),
    ).toEqual([]);
  });

  test("are never echoed, and any number of them is taken while live", () => {
    const { stage } = liveStage();
    const follower = stage.followed();
    for (let beat = 0; beat < 1_000; beat++) follower.heartbeat();
    stage.clock.advance(4_999);
    expect(follower.heartbeats).toHaveLength(0);
    expect(follower.end).toBeNull();
  });
});

describe("live events", () => {
  test("come in order after CaughtUp", () => {
    const { stage, database, source } = liveStage();
    const follower = stage.followed();
    for (let version = 1; version <= 5; version++) write(database, source, 7, version);
    source.publish(0, {
      slot: 7,
      meta: packMeta(STATUS_DELETED, 6),
      image: database.image(0, 7).slice(),
    });
    stage.clock.advance(1);
    expect(follower.events(database.layout).map(({ slot, meta }) => [slot, meta >>> 2])).toEqual([
      [7, 1],
      [7, 2],
      [7, 3],
      [7, 4],
      [7, 5],
      [7, 6],
    ]);
    expect(follower.batches).toHaveLength(1);
    expect(follower.events(database.layout)[5]?.value.length).toBe(0);
  });

  test("of a moment go out in batches of 256", () => {
    const { stage, database, source } = liveStage();
    const follower = stage.followed();
    for (let version = 1; version <= 600; version++) write(database, source, 3, version);
    stage.clock.advance(1);
    expect(follower.batches).toHaveLength(3);
    expect(follower.events(database.layout)).toHaveLength(600);
  });

  test("that happen during the scan come right behind CaughtUp", () => {
    const { stage, database, source } = liveStage();
    database.occupyAll(1);
    const follower = stage.followed({ acks: false });
    write(database, source, 2, 2);
    write(database, source, 299, 2);
    follower.ack();
    follower.ack();
    stage.clock.settle();
    expect(follower.frames.map(({ type }) => type)).toEqual([2, 3, 3, FRAME_CAUGHT_UP, 3]);
    const last = follower.events(database.layout).slice(-2);
    expect(last.map(({ slot, meta }) => [slot, meta >>> 2])).toEqual([
      [2, 2],
      [299, 2],
    ]);
    expect(follower.caughtUp?.totalScanned).toBe(300n);
  });

  test("need no acks", () => {
    const { stage, database, source } = liveStage();
    const follower = stage.followed({ acks: false });
    for (let version = 1; version <= 50; version++) {
      write(database, source, 3, version);
      stage.clock.advance(1_000);
    }
    expect(follower.events(database.layout)).toHaveLength(50);
    expect(follower.end).toBeNull();
  });

  test("reach every follower of the shard, and none of another", () => {
    const database = new MemoryDatabase({ shards: 2, slots: 10 });
    const source = new ManualSource();
    const stage = new Stage(database, source);
    const followers = [0, 0, 0, 1].map((shard) => stage.followed({ shard }));
    write(database, source, 4, 1);
    stage.clock.advance(1);
    expect(followers.map((follower) => follower.batches.length)).toEqual([1, 1, 1, 0]);
  });

  test("of resets go out on protocol 2 only", () => {
    const { stage, database, source } = liveStage();
    const old = stage.followed({ protocol: 1 });
    const young = stage.followed({ protocol: 2 });
    const image = database.image(0, 1).slice();
    source.publish(0, { slot: 1, meta: packMeta(STATUS_FREE, 4), image });
    stage.clock.advance(1);
    expect(old.batches).toHaveLength(0);
    expect(young.events(database.layout).map(({ meta }) => meta)).toEqual([
      packMeta(STATUS_FREE, 4),
    ]);
  });

  test("are no longer subscribed to once the connection is over", () => {
    const { stage, source } = liveStage();
    const follower = stage.followed();
    expect(source.subscribers).toBe(1);
    follower.link.close();
    stage.clock.settle();
    expect(source.subscribers).toBe(0);
    expect(stage.clock.pendingTimers).toBe(0);
  });
});

describe("more events than the ring holds", () => {
  function flood(source: ManualSource, database: MemoryDatabase, count: number): void {
    const image = database.occupy(0, 1).slice();
    const event: LiveEvent = { slot: 0, meta: packMeta(STATUS_OCCUPIED, 1), image };
    for (let index = 0; index < count; index++) source.publish(0, event);
  }

  test("8192 in one moment all come", () => {
    const { stage, source, database } = liveStage();
    const follower = stage.followed();
    flood(source, database, LEADER_RING_EVENTS);
    stage.clock.advance(1);
    expect(follower.events(database.layout)).toHaveLength(LEADER_RING_EVENTS);
    expect(follower.end).toBeNull();
  });

  test("8193 in one moment end protocol 2 with the Error", () => {
    const { stage, source, database } = liveStage();
    const follower = stage.followed({ protocol: 2 });
    flood(source, database, LEADER_RING_EVENTS + 1);
    stage.clock.advance(1);
    expect(follower.errorText).toBe("events dropped, rescan required");
    expect(follower.batches).toHaveLength(0);
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
    expect(stage.endReasons).toEqual(["events dropped, rescan required"]);
  });

  test("8193 in one moment end protocol 1 without a word", () => {
    const { stage, source, database } = liveStage();
    const follower = stage.followed({ protocol: 1 });
    flood(source, database, LEADER_RING_EVENTS + 1);
    stage.clock.advance(1);
    expect(follower.of(FRAME_ERROR)).toEqual([]);
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
  });

  test("during a scan let it end with CaughtUp, and then say so", () => {
    const { stage, source, database } = liveStage();
    database.occupyAll();
    const follower = stage.followed({ acks: false });
    flood(source, database, LEADER_RING_EVENTS + 1);
    expect(follower.end).toBeNull();
    follower.ack();
    follower.ack();
    stage.clock.settle();
    expect(follower.frames.map(({ type }) => type)).toEqual([
      2,
      3,
      3,
      FRAME_CAUGHT_UP,
      FRAME_ERROR,
    ]);
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
  });

  test("because the follower takes nothing end it too, and the Error reaches it when it reads again", () => {
    const { stage, source, database } = liveStage({ valueLen: 1_000 });
    stage.net.onConnection = (connection) => {
      connection.toConnector.capacityBytes = 100_000;
    };
    const follower = stage.followed();
    stage.net.connections[0]?.toConnector.hold();
    for (let round = 0; round < 100; round++) {
      flood(source, database, 100);
      stage.clock.advance(2);
    }
    expect(stage.net.connections[0]?.accepted.queuedBytes).toBeLessThanOrEqual(1024 * 1024);
    stage.net.connections[0]?.toConnector.release();
    stage.clock.settle();
    expect(follower.errorText).toBe("events dropped, rescan required");
    expect(follower.frames.at(-1)?.type).toBe(FRAME_ERROR);
    expect(source.subscribers).toBe(0);
  });
});

test("a live follower that takes nothing for 10 s while events wait is given up", () => {
  const { stage, source, database } = liveStage({ valueLen: 10_000 });
  stage.net.onConnection = (connection) => {
    connection.toConnector.capacityBytes = 1_000;
  };
  stage.followed();
  stage.net.connections[0]?.toConnector.hold();
  for (let version = 1; version <= 200; version++) write(database, source, 1, version);
  stage.clock.advance(9_000);
  expect(stage.endReasons).toEqual([]);
  stage.clock.advance(2_000);
  expect(stage.endReasons).toEqual(["it took nothing for 10 s"]);
  expect(stage.clock.pendingTimers).toBe(0);
});

test("a live follower that sends a batch is closed", () => {
  const { stage } = liveStage();
  const follower = stage.followed();
  follower.link.send(newFrame(FRAME_SLOT_BATCH, 5));
  stage.clock.settle();
  expect(follower.end).toEqual({ kind: "closed-by-peer" });
});

describe("a leader that stops", () => {
  test("closes idle followers at once", async () => {
    const { stage } = liveStage();
    const followers = [stage.followed(), stage.followed()];
    stage.clock.advance(1_000);
    const stopped = stage.server.stop();
    stage.clock.settle();
    await stopped;
    expect(followers.map(({ end }) => end)).toEqual([
      { kind: "closed-by-peer" },
      { kind: "closed-by-peer" },
    ]);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("does not say CaughtUp to one that is still scanning", async () => {
    const { stage, database } = liveStage();
    database.occupyAll();
    const follower = stage.followed({ acks: false });
    const stopped = stage.server.stop();
    stage.clock.settle();
    await stopped;
    expect(follower.caughtUp).toBeNull();
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
  });

  test("gets the last events out and waits for their acks", async () => {
    const { stage, database, source } = liveStage();
    const follower = stage.followed({ acks: false });
    for (let version = 1; version <= 300; version++) write(database, source, 1, version);
    const stopped = stage.server.stop();
    stage.clock.advance(1_000);
    expect(follower.events(database.layout)).toHaveLength(300);
    expect(follower.end).toBeNull();
    follower.ack();
    follower.ack();
    stage.clock.advance(200);
    await stopped;
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
  });

  test("waits no longer than 2 s", async () => {
    const { stage, database, source } = liveStage();
    const follower = stage.followed({ acks: false });
    write(database, source, 1, 1);
    const stopped = stage.server.stop();
    stage.clock.advance(2_000);
    await stopped;
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("takes no new followers", async () => {
    const { stage } = liveStage();
    await stage.server.stop();
    expect(stage.followed().end).toEqual({ kind: "not-connected", reason: "ECONNREFUSED" });
  });
});
