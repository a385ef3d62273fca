// A shard's files take their time while its leader's only stream waits for them, in simulated time. A leader gives up a follower that
// does not ack within 10 s.

import { describe, expect, test } from "bun:test";
import { ArmdbError } from "../../src/errors.ts";
import type { SyncPolicy } from "../../src/replica/follower-types.ts";
import { SIM_DIR } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

describe.each(["group", "off", "batch"] as const)("with --sync %s", (sync: SyncPolicy) => {
  test.each([
    ["a second", 1_000],
    ["half a minute", 30_000],
    ["a minute", 60_000],
  ])("files that take %s cost no stream", (_, tookMs) => {
    const stage = new SimStage({ generation: 1, slots: 4_000 });
    for (let slot = 0; slot < 4_000; slot++) stage.leader.put(0, slot, 1);
    let isMade = false;
    stage.disk.faults = ({ operation }) => {
      if (operation === "preallocate" && !isMade) {
        isMade = true;
        stage.clock.advance(tookMs);
      }
      return null;
    };
    const follower = stage.follow({ settings: { sync } });
    stage.until("live", () => follower.states().includes("live"), tookMs + 10_000);
    expect(isMade).toBe(true);
    expect(follower.states()).not.toContain("waiting");
    stage.leader.put(0, 7, 2);
    stage.clock.advance(100);
    stage.expectEqual();
  });
});

test("a directory that another follower makes meanwhile is his who has its lock", () => {
  const stage = new SimStage({ generation: 3 });
  stage.leader.put(0, 1, 1);
  const lock = () => {
    throw new ArmdbError("locked", "another follower has it", { hint: "stop it" });
  };
  const follower = stage.follow({ lock });
  stage.disk.makeDirectory(SIM_DIR);
  stage.until("the end", () => follower.ended !== undefined, 10_000);
  expect(follower.ended).toMatchObject({ code: "locked" });
});
