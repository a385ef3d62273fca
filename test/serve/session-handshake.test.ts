// The first frame of a connection: what is served, what is refused, what is closed without a word.

import { describe, expect, test } from "bun:test";
import {
  encodeAck,
  encodeHeartbeat,
  encodeShardInfo,
  encodeSyncRequest,
  FRAME_SYNC_REQUEST,
  newFrame,
} from "../../src/wire/messages.ts";
import { answerFirstFrame } from "../../src/serve/handshake.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { Stage } from "./stage.ts";

const info = {
  shardCount: 1,
  keyLen: 8,
  valueLen: 16,
  slotSize: 32,
  slotCount: 4,
  shardPrefixBits: 0,
};

describe("a first frame that is no SyncRequest", () => {
  const cases: [string, Uint8Array][] = [
    ["an Ack", encodeAck({ shardId: 0, appliedCount: 0n, maxVersionSeen: 0 })],
    ["a Heartbeat", encodeHeartbeat()],
    ["a ShardInfo", encodeShardInfo(info)],
    ["a SyncRequest of 2 bytes", newFrame(FRAME_SYNC_REQUEST, 2)],
    ["an empty SyncRequest", newFrame(FRAME_SYNC_REQUEST, 0)],
    ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["a frame of 4 GiB", new Uint8Array([1, 0xff, 0xff, 0xff, 0xff])],
    ["a TLS hello", new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ];
  for (const [name, firstBytes] of cases) {
    test(`${name} is closed without an Error`, () => {
      const stage = new Stage(new MemoryDatabase({ slots: 4 }));
      const follower = stage.followed({ firstBytes });
      expect(follower.bytes.length).toBe(0);
      expect(follower.end).toEqual({ kind: "closed-by-peer" });
      expect(stage.reports).toHaveLength(1);
      expect(stage.server.followers).toBe(0);
      expect(stage.clock.pendingTimers).toBe(0);
    });
  }
});

test("a SyncRequest that is longer than its fields is served", () => {
  const stage = new Stage(new MemoryDatabase({ slots: 4 }));
  const firstBytes = newFrame(FRAME_SYNC_REQUEST, 9);
  firstBytes.set([0, 2, 0, 9, 9, 9, 9, 9, 9], 5);
  expect(stage.followed({ firstBytes }).caughtUp).toEqual({ shardId: 0, totalScanned: 0n });
});

for (const version of [0, 3, 4, 255]) {
  for (const shard of [0, 200]) {
    test(`version ${version} with shard ${shard} gets the mismatch Error that names leader 2`, () => {
      const stage = new Stage(new MemoryDatabase({ slots: 4 }));
      const follower = stage.followed({ protocol: version, shard });
      expect(follower.errorText).toBe(`protocol version mismatch: leader 2, follower ${version}`);
      expect(follower.frames).toHaveLength(1);
      expect(follower.end).toEqual({ kind: "closed-by-peer" });
    });
  }
}

for (const protocol of [1, 2]) {
  for (const shard of [3, 4, 255]) {
    test(`protocol ${protocol}: shard ${shard} of 3 gets the invalid shard Error`, () => {
      const stage = new Stage(new MemoryDatabase({ shards: 3, slots: 4 }));
      const follower = stage.followed({ protocol, shard });
      expect(follower.errorText).toBe("invalid shard_id");
      expect(follower.frames).toHaveLength(1);
      expect(follower.end).toEqual({ kind: "closed-by-peer" });
    });
  }

  test(`protocol ${protocol} is answered with ShardInfo at once`, () => {
    const database = new MemoryDatabase({
      shards: 4,
      slots: 77,
      keyLen: 16,
      valueLen: 100,
      prefixBits: 12,
    });
    const follower = new Stage(database).followed({ protocol, shard: 3 });
    expect(follower.info).toEqual({
      shardCount: 4,
      keyLen: 16,
      valueLen: 100,
      slotSize: 128,
      slotCount: 77,
      shardPrefixBits: 12,
    });
  });
}

test("silence is closed after 10 s, not before", () => {
  const stage = new Stage(new MemoryDatabase({ slots: 4 }));
  const follower = stage.followed({ firstBytes: new Uint8Array(0) });
  stage.clock.advance(9_999);
  expect(follower.end).toBeNull();
  stage.clock.advance(1);
  expect(follower.end).toEqual({ kind: "closed-by-peer" });
  expect(stage.endReasons).toEqual(["no SyncRequest came within 10 s"]);
  expect(stage.clock.pendingTimers).toBe(0);
});

test("a SyncRequest that drips does not buy time", () => {
  const stage = new Stage(new MemoryDatabase({ slots: 4 }));
  const follower = stage.followed({ firstBytes: new Uint8Array(0) });
  const request = encodeSyncRequest({ shardId: 0, protocolVersion: 2, flags: 0 });
  for (const byte of request.subarray(0, 7)) {
    stage.clock.advance(1_400);
    follower.link.send(new Uint8Array([byte]));
  }
  stage.clock.advance(200);
  expect(follower.end).toEqual({ kind: "closed-by-peer" });
});

test("a SyncRequest in single bytes is served", () => {
  const stage = new Stage(new MemoryDatabase({ slots: 4 }));
  stage.net.onConnection = (connection) => {
    connection.toListener.pieceBytesMax = 1;
  };
  expect(stage.followed().caughtUp).not.toBeNull();
});

test("the answer is the same for every flag byte but for bit 0", () => {
  for (let flags = 0; flags < 256; flags++) {
    const payload = new Uint8Array([1, 2, flags]);
    expect(answerFirstFrame(FRAME_SYNC_REQUEST, payload, 2)).toEqual({
      kind: "serve",
      shard: 1,
      protocol: 2,
      skipDeleted: (flags & 1) === 1,
    });
  }
});
