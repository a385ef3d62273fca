// The share and the time left that are shown of a scan, held against what came, in simulated time.

import { catchUpOfAll } from "../../src/status/catch-up-shown.ts";
import { describe, expect, test } from "bun:test";
import { type CatchUp, catchUpOf } from "../../src/status/catch-up-shown.ts";
import { Dice } from "../support/dice.ts";
import { SimStage } from "../support/sim-stage.ts";

const SLOTS = 100_000;
const EVENT_BYTES = 32;
const SCAN_MS = 60_000;
/** A scan is paced a second ahead, and is told four times a second. */
const COARSE_MS = 1_500;

interface Shown extends CatchUp {
  readonly atMs: number;
}

/** Scans a shard of which these slots have records; what was shown until the last slot came, and when that was. */
function scanOf(slots: readonly number[]): { shown: Shown[]; endMs: number } {
  const stage = new SimStage({ generation: 3, slots: SLOTS });
  for (const slot of slots) stage.leader.put(0, slot, 1);
  const shown: Shown[] = [];
  let endMs = Number.NaN;
  const limitRateBytes = Math.round((slots.length * EVENT_BYTES * 1000) / SCAN_MS);
  const follower = stage.follow({
    settings: { limitRateBytes },
    observe: (report) => {
      if (report.kind !== "snapshot" || report.snapshot.scan === null) return;
      const { snapshot } = report;
      const atMs = stage.clock.nowMs();
      if (snapshot.scan?.phase === "confirming") endMs = Number.isNaN(endMs) ? atMs : endMs;
      else shown.push({ ...(catchUpOf(snapshot) as CatchUp), atMs });
    },
  });
  stage.until("live", () => follower.states().at(-1) === "live", 2 * SCAN_MS);
  return { shown, endMs };
}

describe("the time left of a scan, from 10 % on", () => {
  test.each([5, 75])(
    "is right within a factor of 2 where %d % of the slots are taken",
    (percent) => {
      const dice = new Dice(percent);
      const taken = Array.from({ length: SLOTS }, (_, slot) => slot).filter(
        () => dice.below(100) < percent,
      );
      const { shown, endMs } = scanOf(taken);
      const later = shown.filter(({ share }) => share >= 0.1);
      expect(later.length).toBeGreaterThan(50);
      const wrong = later.filter(({ leftMs, atMs }) => {
        const [told, real] = [(leftMs ?? -1) + COARSE_MS, endMs - atMs + COARSE_MS];
        return leftMs === null || told > 2 * real || real > 2 * told;
      });
      expect(wrong).toEqual([]);
      expect(shown.some(({ leftIsMost }) => leftIsMost)).toBe(false);
      // By slots, and not by records: those of 5,000 records would never pass 5 %.
      expect(later.at(-1)?.share).toBeGreaterThan(0.9);
    },
  );

  test("is said to be the most it can be where a shard is filled from its beginning", () => {
    const { shown } = scanOf(Array.from({ length: SLOTS / 20 }, (_, slot) => slot));
    const later = shown.filter(({ leftMs }) => leftMs !== null);
    expect(later.length).toBeGreaterThan(50);
    expect(later.every(({ leftIsMost }) => leftIsMost === true)).toBe(true);
  });
});

test("a shard whose turn has not come counts as one of the usual size, at the speed of the others", () => {
  const half = { share: 0.5, recordsPerSecond: 500, leftMs: 1_000, leftIsMost: false };
  const scanning = { slots: 1_000, scan: { ms: 1_000 }, catchUp: half, scansTotal: 0 };
  const waits = { slots: null, scan: null, catchUp: null, scansTotal: null };
  expect(catchUpOfAll([scanning, waits])).toEqual({
    ...{ share: 0.25, recordsPerSecond: 500, leftMs: 3_000, leftIsMost: false },
  });
  expect(catchUpOfAll([scanning])?.leftMs).toBe(1_000);
});
