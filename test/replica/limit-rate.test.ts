// --limit-rate: how many acks may run ahead under a limit, and that a scan keeps to it on average, over a long way too.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BATCH_BYTES_FULL } from "../../src/limits.ts";
import type { SyncPolicy } from "../../src/replica/follower-types.ts";
import { acksAhead } from "../../src/replica/acks-ahead.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const SHARDS = 4;
const ACK_FRAME_BYTES = 18;
const SETTINGS = {
  sync: "group",
  windowAcks: 64,
  limitRateBytes: null,
} as const;

describe("acks run ahead", () => {
  test("as far as --window says without a limit", () => {
    expect(acksAhead(SETTINGS, SHARDS)).toBe(64);
  });

  test("as far as a shard's share of a second goes under one, and never further than --window", () => {
    const at = (limitRateBytes: number) => acksAhead({ ...SETTINGS, limitRateBytes }, SHARDS);
    expect(at(4 * 10 * BATCH_BYTES_FULL)).toBe(10);
    expect(at(4 * BATCH_BYTES_FULL - 1)).toBe(0);
    expect(at(1e9)).toBe(64);
  });

  test("never with a sync before each", () => {
    expect(acksAhead({ ...SETTINGS, sync: "batch" }, SHARDS)).toBe(0);
  });
});

test("the first shard of a new directory has its share of the limit, like the others", () => {
  const stage = new SimStage({ shards: SHARDS });
  const { connections } = watchConnections(stage);
  const limitRateBytes = SHARDS * 10 * BATCH_BYTES_FULL;
  stage.follow({ settings: { limitRateBytes } });
  stage.clock.advance(1_000);
  // The first and the last one vouch for all the others; they scan nothing.
  const ahead = connections
    .slice(1, 1 + SHARDS)
    .map((sends) => (sends[1]?.length ?? 0) / ACK_FRAME_BYTES);
  expect(ahead).toEqual(Array.from({ length: SHARDS }, () => 10));
});

/** What the connecting side has sent, by connection: its SyncRequest, then the acks that run ahead. */
function watchConnections(stage: SimStage): { readonly connections: readonly Uint8Array[][] } {
  const connections: Uint8Array[][] = [];
  stage.net.onConnection = ({ connecting }) => void connections.push(connecting.sends);
  return { connections };
}

describe("a scan under --limit-rate", () => {
  const SLOTS = 60_000;
  /** 8x16: header, key and value. */
  const EVENT_BYTES = 32;
  const LIMIT_RATE_BYTES = 256 * 1024;

  /** Simulated time that a catch-up takes under the limit, with every byte held up for `delayMs` on its way. */
  function catchUpMs(delayMs: number, sync: SyncPolicy = "group", syncMs = 1): number {
    const stage = new SimStage({ generation: 3, slots: SLOTS });
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
    stage.net.onConnection = ({ toListener, toConnector }) => {
      for (const pipe of [toListener, toConnector]) pipe.delayMs = delayMs;
    };
    const settings = { limitRateBytes: LIMIT_RATE_BYTES, sync };
    const follower = stage.follow({ settings, syncMs: () => syncMs });
    const tookMs = stage.until("live", () => follower.states().at(-1) === "live", 600_000);
    stage.expectEqual();
    return tookMs;
  }

  const wholeMs = (SLOTS * EVENT_BYTES * 1000) / LIMIT_RATE_BYTES;

  const policies: readonly SyncPolicy[] = ["group", "batch", "off"];
  test.each(policies)("takes what the limit makes it take within 10 %%, with --sync %s", (sync) => {
    const share = catchUpMs(0, sync, 20) / wholeMs;
    expect(share).toBeGreaterThan(0.9);
    expect(share).toBeLessThan(1.1);
  });

  test("the first scan of a new directory has its shard's share of the limit", () => {
    const shards = 4;
    const stage = new SimStage({ generation: 3, shards, slots: SLOTS });
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
    const follower = stage.follow({ settings: { limitRateBytes: shards * LIMIT_RATE_BYTES } });
    const isWhole = () => follower.reportsOf("caught-up").some(({ shard }) => shard === 0);
    const tookMs = stage.until("shard 0 has caught up", isWhole, 600_000);
    expect(tookMs).toBeGreaterThan(wholeMs - 1_500);
    expect(tookMs).toBeLessThan(wholeMs + 3_000);
  });

  test("takes no longer over a round trip of 200 ms: batches are under way while others wait", () => {
    expect(catchUpMs(100)).toBeLessThan(wholeMs + 3_000);
  });
});
