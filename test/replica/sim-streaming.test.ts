// `shard already streaming`, in simulated time: asked again soon, then with the backoff's pauses, with a word on who it may be; and
// never a second stream beside our own.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

for (const generation of [2, 3] as const) {
  describe(`a stream that somebody else has (generation ${generation})`, () => {
    test("is asked for again within 3 s four times, then ever less often, and taken when it is free", () => {
      const stage = new SimStage({ generation });
      stage.leader.put(0, 1, 1);
      const other = stage.follow();
      stage.until("live", () => other.states().at(-1) === "live", 10_000);
      // Its machine is gone, and its leader does not know yet.
      const dead = stage.connectionOf(0);
      dead.silence();
      other.kill();
      stage.disk.killed();
      const before = stage.leader.connectionsEver;
      const follower = stage.follow();
      stage.clock.advance(3_000);
      expect(stage.leader.connectionsEver - before).toBe(5);
      expect(follower.shard().state).toBe("waiting");
      expect(follower.shard().lastError).toContain("shard already streaming");
      expect(follower.shard().lastError).toContain(
        "another follower, or an old connection of ours",
      );
      stage.clock.advance(600_000);
      // 1 2 4 8 16 and then 30 s: some 22 in ten minutes.
      const tries = stage.leader.connectionsEver - before;
      expect(tries).toBeGreaterThan(18);
      expect(tries).toBeLessThan(30);
      dead.accepted.end({ kind: "broken", reason: "ETIMEDOUT" });
      stage.until("live", () => follower.states().at(-1) === "live", 40_000);
      stage.leader.put(0, 1, 2);
      stage.clock.advance(10);
      stage.expectEqual();
    });

    test("is given back in good order for a scan: no word of it, and no pause of the backoff", () => {
      const stage = new SimStage({ generation });
      stage.leader.put(0, 1, 1);
      const follower = stage.follow({ settings: { resyncMs: 60_000 } });
      stage.clock.advance(600_000);
      expect(follower.shard().scansDone).toBeGreaterThanOrEqual(9);
      expect(follower.shard().reconnects).toBe(0);
      expect(follower.states()).not.toContain("waiting");
    });
  });
}
