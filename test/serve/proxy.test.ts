// The proxy itself, between a test follower and our leader on real sockets: each thing it can do to a stream is seen.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { NO_LIVE_EVENTS } from "../../src/serve/live-source.ts";
import { LeaderServer } from "../../src/serve/server.ts";
import { Proxy, type ConnectionPlan, type ProxyPlan } from "../support/proxy.ts";
import { MemoryDatabase } from "./memory-database.ts";
import { TestFollower } from "./test-follower.ts";

const LIMIT_MS = 30_000;
/** ShardInfo, one batch of ten events of 32 bytes, CaughtUp. */
const STREAM_BYTES = 17 + (5 + 5 + 10 * 32) + 14;

let server: LeaderServer;
let proxy: Proxy;

beforeEach(() => {
  const database = new MemoryDatabase({ slots: 10 });
  database.occupyAll();
  const options = { net: realNet, clock: realClock, database, live: NO_LIVE_EVENTS };
  server = LeaderServer.start({ ...options, report: () => {} }, "127.0.0.1", 0);
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await server.stop();
});

async function through(plan: ProxyPlan): Promise<TestFollower> {
  proxy = await Proxy.start(server.port, plan);
  return new TestFollower(realNet, realClock, proxy.port, { shard: 0, protocol: 2, flags: 0 });
}

async function caughtUpThrough(plan: ConnectionPlan): Promise<TestFollower> {
  const follower = await through(plan);
  await follower.until(() => follower.caughtUp !== null);
  return follower;
}

test("without a plan bytes pass as they are", async () => {
  const follower = await caughtUpThrough({});
  expect(follower.bytes.length).toBe(STREAM_BYTES);
  expect(proxy.records).toHaveLength(1);
  expect(proxy.records[0]?.bytesToFollower).toBe(STREAM_BYTES);
});

describe("a cut", () => {
  for (const atByte of [0, 1, 16, 17, 18, 100, STREAM_BYTES - 1]) {
    test(`by FIN after ${atByte} bytes lets exactly these through`, async () => {
      const follower = await through({ toFollower: { cutAtByte: atByte } });
      await follower.until(() => follower.end !== null);
      expect(follower.bytes.length).toBe(atByte);
      expect(follower.end).toEqual({ kind: "closed-by-peer" });
    });
  }

  test("by RST is seen as one", async () => {
    const follower = await through({ toFollower: { cutAtByte: 50, cut: "reset" } });
    await follower.until(() => follower.end !== null);
    expect(follower.end).toEqual({ kind: "broken", reason: "ECONNRESET" });
  });

  test("of the follower's bytes keeps the leader from answering", async () => {
    const follower = await through({ toLeader: { cutAtByte: 7 } });
    await follower.until(() => follower.end !== null);
    expect(follower.bytes.length).toBe(0);
  });

  test("half-open tells nobody", async () => {
    const follower = await through((connection) =>
      connection === 0 ? { toFollower: { cutAtByte: 17, cut: "half-open" } } : {},
    );
    await follower.until(() => follower.info !== null);
    // A second follower goes all the way while the first hears nothing.
    const second = new TestFollower(realNet, realClock, proxy.port, {
      shard: 0,
      protocol: 2,
      flags: 0,
    });
    await second.until(() => second.caughtUp !== null);
    expect(follower.end).toBeNull();
    expect(follower.bytes.length).toBe(17);
    expect(server.followers).toBe(2);
  });
});

test(
  "a drip delivers every byte, slowly",
  async () => {
    const beganMs = performance.now();
    const follower = await through({ toFollower: { bytesPerSecond: 100 } });
    await follower.until(() => follower.info !== null);
    expect(performance.now() - beganMs).toBeGreaterThan(150);
    expect(follower.caughtUp).toBeNull();
  },
  LIMIT_MS,
);

test("single bytes arrive whole", async () => {
  const follower = await caughtUpThrough({
    toFollower: { pieceBytesMax: 1 },
    toLeader: { pieceBytesMax: 1 },
  });
  expect(follower.bytes.length).toBe(STREAM_BYTES);
});

test("a delay delays", async () => {
  const beganMs = performance.now();
  await caughtUpThrough({ toFollower: { delayMs: 60 } });
  expect(performance.now() - beganMs).toBeGreaterThan(110);
});

test("pieces are gathered into one", async () => {
  const follower = await caughtUpThrough({ toFollower: { coalesceMs: 50 } });
  expect(follower.frames.map(({ type }) => type)).toEqual([2, 3, 4]);
});

test("a flipped bit is flipped, and nothing else", async () => {
  const plain = await caughtUpThrough({});
  await proxy[Symbol.asyncDispose]();
  const follower = await caughtUpThrough({ toFollower: { flipAtByte: 60, flipMask: 0x10 } });
  const different = [...follower.bytes].flatMap((byte, index) =>
    byte === plain.bytes[index] ? [] : [[index, byte ^ (plain.bytes[index] ?? 0)]],
  );
  expect(different).toEqual([[60, 0x10]]);
});

test("a replayed frame comes twice", async () => {
  const follower = await caughtUpThrough({ toFollower: { replayFrame: 1 } });
  expect(follower.frames.map(({ type }) => type)).toEqual([2, 3, 3, 4]);
});

test("resetAll ends what is open, and later connections pass", async () => {
  const follower = await caughtUpThrough({});
  proxy.resetAll();
  await follower.until(() => follower.end !== null);
  expect(follower.end?.kind).toBe("broken");
  const next = new TestFollower(realNet, realClock, proxy.port, {
    shard: 0,
    protocol: 2,
    flags: 0,
  });
  await next.until(() => next.caughtUp !== null);
});
