// How long --once waits without progress, by --timeout and by what is scanned.

import { describe, expect, test } from "bun:test";
import { progressLimitMs } from "../../src/cli/commands/progress-limit.ts";

const GEOMETRY = { shardCount: 2, shardPrefixBits: 0, keyLen: 8, valueLen: 16 };
const DEFAULT = { timeoutMs: 60_000, isGiven: false };
const SCAN = { link: 1, kind: "first", why: "first", phase: "scanning", ms: 1, slot: 5 } as const;
/** A shard of 1 GiB, read at 8 MiB/s. */
const LARGE = { slots: 32 * 1024 * 1024, scan: SCAN };
const SMALL = { slots: 1_000, scan: SCAN };

describe("the time without progress", () => {
  test("is --timeout where one is given, whatever is scanned", () => {
    expect(progressLimitMs({ timeoutMs: 3_000, isGiven: true }, GEOMETRY, [LARGE])).toBe(3_000);
  });

  test("is else that of the largest scan under way, where that is longer", () => {
    expect(Math.round(progressLimitMs(DEFAULT, GEOMETRY, [SMALL, LARGE]) / 1000)).toBe(191);
    expect(progressLimitMs({ ...DEFAULT, timeoutMs: 600_000 }, GEOMETRY, [LARGE])).toBe(600_000);
  });

  test("is the default where no scan runs, or nothing is known yet", () => {
    expect(progressLimitMs(DEFAULT, GEOMETRY, [{ ...LARGE, scan: null }])).toBe(60_000);
    expect(progressLimitMs(DEFAULT, null, [LARGE])).toBe(60_000);
  });
});
