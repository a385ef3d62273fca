// --limit-rate: how many acks may run ahead under a limit, and that a scan keeps to it on average, over a long way too.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BATCH_BYTES_FULL } from "../../src/limits.ts";
import { acksAhead } from "../../src/replica/connector.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const GEOMETRY = { shardCount: 4, shardPrefixBits: 0, keyLen: 8, valueLen: 64 };
const SETTINGS = {
  sync: "group",
  windowAcks: 64,
  limitRateBytes: null,
  geometry: GEOMETRY,
} as const;

describe("acks run ahead", () => {
  test("as far as --window says without a limit", () => {
    expect(acksAhead(SETTINGS)).toBe(64);
  });

  test("as far as a shard's share of a second goes under one, and never further than --window", () => {
    const at = (limitRateBytes: number) => acksAhead({ ...SETTINGS, limitRateBytes });
    expect(at(4 * 10 * BATCH_BYTES_FULL)).toBe(10);
    expect(at(4 * BATCH_BYTES_FULL - 1)).toBe(0);
    expect(at(1e9)).toBe(64);
  });

  test("as far as the whole limit goes while the shards are not known", () => {
    expect(acksAhead({ ...SETTINGS, limitRateBytes: 10 * BATCH_BYTES_FULL, geometry: null })).toBe(
      10,
    );
  });

  test("never with a sync before each", () => {
    expect(acksAhead({ ...SETTINGS, sync: "batch" })).toBe(0);
  });
});

describe("a scan under --limit-rate", () => {
  const SLOTS = 60_000;
  /** 8x16: header, key and value. */
  const EVENT_BYTES = 32;
  const LIMIT_RATE_BYTES = 256 * 1024;

  /** Simulated time that a catch-up takes under the limit, with every byte held up for `delayMs` on its way. */
  function catchUpMs(delayMs: number): number {
    const stage = new SimStage({ generation: 3, slots: SLOTS });
    for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
    stage.net.onConnection = ({ toListener, toConnector }) => {
      for (const pipe of [toListener, toConnector]) pipe.delayMs = delayMs;
    };
    const follower = stage.follow({ settings: { limitRateBytes: LIMIT_RATE_BYTES } });
    const tookMs = stage.until("live", () => follower.states().at(-1) === "live", 600_000);
    stage.expectEqual();
    return tookMs;
  }

  const wholeMs = (SLOTS * EVENT_BYTES * 1000) / LIMIT_RATE_BYTES;

  test("takes what the limit makes it take, less the second that may come ahead", () => {
    const tookMs = catchUpMs(0);
    expect(tookMs).toBeGreaterThan(wholeMs - 1_500);
    expect(tookMs).toBeLessThan(wholeMs + 1_500);
  });

  test("takes no longer over a round trip of 200 ms: batches are under way while others wait", () => {
    expect(catchUpMs(100)).toBeLessThan(wholeMs + 2_500);
  });
});
