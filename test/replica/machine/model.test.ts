// The machine of a shard against a leader of three generations that drops, restarts, stalls, cuts and is replaced:
// histories of some 300 inputs, then quiet. A failure names its seed: `new Model(MACHINE, seed)` is the same history
// again.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isReady, stateWord } from "../../../src/replica/machine/shown.ts";
import { initialState, step, wakeAtMs } from "../../../src/replica/machine/step.ts";
import { holdHistory } from "./history.ts";

const RUNS = 2_000;
const MACHINE = { initialState, step, wakeAtMs, stateWord, isReady };

describe("a history", () => {
  test("ends with the leader's contents and nothing owed, and was never live with a loss that could be known", () => {
    let dropped = 0;
    const history = fc.property(fc.integer(), (seed) => {
      dropped += holdHistory(MACHINE, seed).leader.dropped;
    });
    fc.assert(history, { numRuns: RUNS, endOnFailure: true, includeErrorInReport: true });
    // Loss by a full ring is what most of this is about: it must have happened all the time.
    expect(dropped / RUNS).toBeGreaterThan(20);
  }, 120_000);
});
