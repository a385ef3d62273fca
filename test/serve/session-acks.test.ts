// The pace of phase 1: Acks, before and behind their batches, and Heartbeats in their place.

import { describe, expect, test } from "bun:test";
import {
  encodeHeartbeat,
  encodeSyncRequest,
  FRAME_ACK,
  newFrame,
} from "../../src/wire/messages.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { Stage } from "./stage.ts";

describe("acks", () => {
  function scanned(options: Parameters<Stage["followed"]>[0]) {
    const database = new MemoryDatabase({ slots: 256 * 5 });
    database.occupyAll();
    const stage = new Stage(database);
    return { stage, follower: stage.followed({ acks: false, ...options }) };
  }

  test("are waited for after each batch", () => {
    const { stage, follower } = scanned({});
    for (let batches = 1; batches <= 5; batches++) {
      expect(follower.batches).toHaveLength(batches);
      expect(follower.caughtUp).toBeNull();
      stage.clock.advance(9_000);
      follower.ack();
      stage.clock.settle();
    }
    expect(follower.caughtUp).toEqual({ shardId: 0, totalScanned: 1280n });
  });

  test("may run ahead of the batches", () => {
    const { stage, follower } = scanned({ acksAhead: 3 });
    expect(follower.batches).toHaveLength(4);
    follower.ack();
    stage.clock.settle();
    expect(follower.batches).toHaveLength(5);
    expect(follower.caughtUp).toBeNull();
    follower.ack();
    stage.clock.settle();
    expect(follower.caughtUp).not.toBeNull();
  });

  test("of which more came than batches do no harm", () => {
    const { stage, follower } = scanned({ acksAhead: 500 });
    expect(follower.caughtUp).not.toBeNull();
    stage.clock.advance(20_000);
    expect(follower.end).toBeNull();
  });

  test("that do not come within 10 s end the connection", () => {
    const { stage, follower } = scanned({});
    stage.clock.advance(9_999);
    expect(follower.end).toBeNull();
    stage.clock.advance(1);
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
    expect(stage.endReasons).toEqual(["no Ack came within 10 s"]);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("may be late while heartbeats come, but not behind nine of them", () => {
    const { stage, follower } = scanned({});
    for (let beat = 1; beat <= 8; beat++) {
      stage.clock.advance(9_000);
      follower.heartbeat();
      stage.clock.settle();
    }
    stage.clock.advance(9_000);
    expect(follower.end).toBeNull();
    follower.heartbeat();
    stage.clock.settle();
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
    expect(stage.endReasons).toEqual(["nine Heartbeats came where an Ack is due"]);
  });

  test("start the count of heartbeats anew", () => {
    const { stage, follower } = scanned({});
    for (let batch = 0; batch < 5; batch++) {
      for (let beat = 0; beat < 8; beat++) follower.heartbeat();
      stage.clock.settle();
      follower.ack();
      stage.clock.settle();
    }
    expect(follower.caughtUp).not.toBeNull();
  });

  test("that are too short end the connection", () => {
    const { stage, follower } = scanned({});
    follower.link.send(newFrame(FRAME_ACK, 12));
    stage.clock.settle();
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
    expect(stage.endReasons).toEqual(["sent an Ack of 12 bytes, 13 are due"]);
  });

  test("cannot be replaced by another SyncRequest", () => {
    const { stage, follower } = scanned({});
    follower.link.send(encodeSyncRequest({ shardId: 0, protocolVersion: 2, flags: 0 }));
    stage.clock.settle();
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
    expect(follower.errorText).toBeNull();
  });
});

test("heartbeats that came while a sparse stretch was read are not held against the follower", () => {
  const database = new MemoryDatabase({ slots: 200_000 });
  database.occupy(199_999);
  const stage = new Stage(database);
  const request = encodeSyncRequest({ shardId: 0, protocolVersion: 2, flags: 0 });
  const firstBytes = new Uint8Array(Buffer.concat([request, ...Array(50).fill(encodeHeartbeat())]));
  const follower = stage.followed({ acks: false, firstBytes });
  expect(follower.batches).toHaveLength(1);
  follower.ack();
  stage.clock.settle();
  expect(follower.caughtUp).not.toBeNull();
});
