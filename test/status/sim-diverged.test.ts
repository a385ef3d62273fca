// A diverged shard in simulated time: verdict and health are never better than the truth, whatever its connection does, and over a
// stop, a kill and a restart; slots that wait for their second look are not live.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { DIVERGED_LISTED_MAX } from "../../src/limits.ts";
import { healthReasons } from "../../src/status/health.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { FRAME_CAUGHT_UP } from "../../src/wire/messages.ts";
import { readState } from "../../src/store/state-file.ts";
import { Dice } from "../support/dice.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { sourceOf } from "./lag-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

function documentOf(stage: SimStage, follower: SimFollower): StatusDocument {
  return sourceOf(stage, follower).document();
}

/** Follows, and has three slots that are newer and one that is extra at the follower than at its leader come back. */
function diverged(generation: 1 | 2 | 3): { stage: SimStage; follower: SimFollower } {
  const stage = new SimStage({ generation });
  for (let slot = 0; slot < 20; slot++) {
    stage.leader.put(0, slot, 1);
    stage.leader.put(0, slot, 2);
  }
  const follower = stage.follow({ settings: { resyncMs: 60_000, pollMs: 60_000 } });
  stage.until("caught up", () => follower.ready, 20_000);
  stage.leader.stop();
  for (const slot of [3, 4, 5]) stage.leader.set(0, slot, 1, 1);
  stage.leader.forget(0, 9);
  stage.leader.start();
  stage.until("diverged", () => follower.states().at(-1) === "diverged", 200_000);
  return { stage, follower };
}

for (const generation of GENERATIONS) {
  describe(`a diverged shard (generation ${generation})`, () => {
    test("is said to be that through 200 flaps, kills and restarts", () => {
      const { stage, follower } = diverged(generation);
      const dice = new Dice(generation);
      let now = follower;
      for (let flap = 0; flap < 200; flap++) {
        const chance = dice.below(10);
        if (chance < 3) stage.leader.stop();
        else if (chance < 6) {
          stage.leader.stop();
          stage.leader.start();
        } else if (chance === 6) {
          now.kill();
          stage.disk.killed();
          now = stage.follow({ settings: { resyncMs: 60_000, pollMs: 60_000 } });
        } else if (chance === 7) {
          now.supervisor.stop();
          stage.until("stopped", () => now.ended !== undefined, 10_000);
          now = stage.follow({ settings: { resyncMs: 60_000, pollMs: 60_000 } });
        }
        for (let look = 0; look < 5; look++) {
          const document = documentOf(stage, now);
          expect(document.verdict).toBe("diverged");
          expect(document.shards[0]?.divergedSlots).toBe(4);
          const reasons = healthReasons(document, 1e12).map(({ reason }) => reason);
          expect(reasons[0]).toBe(
            "diverged: 3 slots are newer here than at the leader (kept); 1 slot is extra here (kept)",
          );
          stage.clock.advance(1 + dice.below(30_000));
        }
        if (chance < 3) stage.leader.start();
      }
    });
  });
}

test.each(GENERATIONS)(
  "what was told to be diverged outlasts a kill in the same moment (generation %d)",
  (generation) => {
    const stage = new SimStage({ generation });
    for (const seed of [1, 2]) stage.leader.put(0, 3, seed);
    const first = stage.follow();
    stage.until("caught up", () => first.ready, 20_000);
    stage.leader.stop();
    stage.leader.set(0, 3, 1, 1);
    stage.leader.start();
    first.supervisor.stop();
    stage.until("stopped", () => first.ended !== undefined, 10_000);
    const second: SimFollower = stage.follow({
      told: ({ kind }) => kind === "diverged" && second.kill(),
    });
    stage.until("killed", () => second.ended === null, 60_000);
    expect(second.reports.at(-1)?.kind).toBe("diverged");
    stage.disk.killed();
    expect(readState(stage.disk, SIM_DIR)?.shards[0]).toMatchObject({
      divergedSlots: 1,
      diverged: [[3, "older", expect.any(Number), expect.any(Number)]],
    });
  },
);

test.each(GENERATIONS)(
  "a power cut at any later moment does not make it forgotten (generation %d)",
  (generation) => {
    const { stage } = diverged(generation);
    const dice = new Dice(generation);
    for (let cut = 0; cut < 60; cut++) {
      // Something is saved now and then that may be lost, but not with what else is in the file.
      stage.leader.put(0, 12, cut);
      stage.clock.advance(dice.below(12_000));
      const left = readState(stage.disk.powerCut(dice), SIM_DIR);
      expect(left?.shards[0]).toMatchObject({ divergedSlots: 4, complete: true });
    }
  },
);

describe("a diverged slot that the leader has overwritten", () => {
  const listed = (stage: SimStage, follower: SimFollower) =>
    documentOf(stage, follower).shards[0]?.diverged.map(({ slot }) => slot);

  test.each(GENERATIONS)("is struck off the number and the list (generation %d)", (generation) => {
    const { stage, follower } = diverged(generation);
    if (generation === 1)
      stage.until("a stream", () => follower.shard().streaming === "live", 90_000);
    expect(listed(stage, follower)).toEqual([3, 4, 5, 9]);
    // Newer than what is here: from version 1 to 3.
    for (const seed of [7, 8]) stage.leader.put(0, 4, seed);
    stage.clock.advance(2_000);
    expect(documentOf(stage, follower).shards[0]?.divergedSlots).toBe(3);
    expect(listed(stage, follower)).toEqual([3, 5, 9]);
  });
});

describe("more slots than are listed", () => {
  test("are counted over a restart, and a newer event strikes off the one that it is for", () => {
    const slots = DIVERGED_LISTED_MAX + 200;
    const stage = new SimStage({ generation: 3, slots });
    for (let slot = 0; slot < slots; slot++) {
      stage.leader.put(0, slot, 1);
      stage.leader.put(0, slot, 2);
    }
    const settings = { resyncMs: 60_000 };
    const first = stage.follow({ settings });
    stage.until("caught up", () => first.ready, 20_000);
    stage.leader.stop();
    for (let slot = 0; slot < slots; slot++) stage.leader.set(0, slot, 1, 1);
    stage.leader.start();
    stage.until("diverged", () => first.shard().divergedSlots === slots, 200_000);
    first.kill();
    stage.disk.killed();
    const second = stage.follow({ settings });
    // Behind CaughtUp, and before anybody has vouched for the scan.
    const lastFrame = () => stage.connectionOrNone(0)?.accepted.sends.at(-1)?.[0];
    stage.until("caught up", () => lastFrame() === FRAME_CAUGHT_UP, 20_000);
    expect(second.shard().divergedSlots).toBe(slots);
    for (let put = 0; put < 2; put++) stage.leader.put(0, 7, put);
    stage.until("struck", () => second.shard().divergedSlots < slots, 2_000);
    expect(second.shard().divergedSlots).toBe(slots - 1);
  });
});

describe("slots that wait for their second look", () => {
  test("make the shard scanning, with their number: not live", () => {
    const stage = new SimStage({ generation: 3 });
    stage.leader.put(0, 1, 1);
    stage.leader.put(0, 1, 2);
    const follower = stage.follow({ settings: { resyncMs: 60_000 } });
    stage.until("live", () => follower.states().at(-1) === "live", 10_000);
    stage.leader.set(0, 1, 1, 1);
    stage.until("suspected", () => follower.shard().suspectSlots === 1, 90_000);
    const document = documentOf(stage, follower);
    expect(document.verdict).toBe("behind");
    expect(document.shards[0]).toMatchObject({
      state: "scanning",
      activity: "1 slot looks different",
      suspectSlots: 1,
      divergedSlots: 0,
    });
    stage.until("diverged", () => follower.shard().divergedSlots === 1, 30_000);
  });
});
