// The lag that is shown on a good link for 24 h, in simulated time: never above 6 s, whatever the periods of the heartbeats.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Dice } from "../support/dice.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { lagOf, live } from "./lag-stage.ts";

// Simulated time is quick; a day of it takes a while.
setDefaultTimeout(120_000);

const DAY_MS = 24 * 3_600_000;

describe("the lag on a good link, for 24 h", () => {
  for (const generation of GENERATIONS) {
    test(`is never above 6 s while generation ${generation} is idle, with heartbeats every 5.012 s`, () => {
      const stage = new SimStage({ generation, periodMs: () => 5_012 });
      const follower = live(stage);
      let worstMs = 0;
      for (let passedMs = 0; passedMs < DAY_MS; passedMs += 937) {
        stage.clock.advance(937);
        worstMs = Math.max(worstMs, lagOf(stage, follower));
        follower.reports.length = 0;
      }
      expect(worstMs).toBeLessThanOrEqual(6_000);
      expect(worstMs).toBeGreaterThan(4_000);
    });
  }

  test("rises by 5 s and a scan while a rescan of an idle leader waits for its sign of life", () => {
    const stage = new SimStage({ generation: 3, periodMs: () => 5_012 });
    const follower = live(stage, 3_600_000);
    let worstMs = 0;
    for (let passedMs = 0; passedMs < DAY_MS / 4; passedMs += 937) {
      stage.clock.advance(937);
      worstMs = Math.max(worstMs, lagOf(stage, follower));
    }
    expect(follower.shard().scansDone).toBeGreaterThanOrEqual(6);
    expect(worstMs).toBeLessThanOrEqual(10_500);
  });

  for (const [what, periodMs] of [
    ["5.012 s apart", () => 5_012],
    ["up to 5.025 s apart", (dice: Dice) => 5_000 + dice.below(26)],
    ["held up now and then", (dice: Dice) => (dice.below(50) === 0 ? 5_200 : 5_006)],
  ] as const) {
    test(`is never above 6 s while it is busy, with heartbeats that are ${what}`, () => {
      const dice = new Dice(7);
      const stage = new SimStage({ generation: 1, periodMs: () => periodMs(dice) });
      const follower = live(stage);
      let worstMs = 0;
      for (let passedMs = 0, put = 2; passedMs < DAY_MS; passedMs += 450, put++) {
        stage.leader.put(0, put % 100, put);
        stage.clock.advance(450);
        worstMs = Math.max(worstMs, lagOf(stage, follower));
        follower.reports.length = 0;
      }
      expect(worstMs).toBeLessThanOrEqual(6_000);
    });
  }
});
