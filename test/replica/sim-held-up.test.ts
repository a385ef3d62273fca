// The follower's own pause, in simulated time, at the moments at which it waits for an answer: what came meanwhile is heard before
// anybody is blamed. Real leaders: held-up.test.ts.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SimFollower } from "../support/sim-follower.ts";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimProcess } from "../support/sim-process.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const HELD_UP_MS = 60_000;

interface Held {
  readonly stage: SimStage;
  readonly follower: SimFollower;
  readonly held: SimProcess;
}

/** What the leader sends takes 100 ms, so that there is something to wait for. */
function started(generation: Generation): Held {
  const stage = new SimStage({ generation });
  for (let slot = 0; slot < 100; slot++) stage.leader.put(0, slot, 1);
  stage.net.onConnection = ({ toConnector }) => void (toConnector.delayMs = 100);
  const held = new SimProcess(stage.clock, stage.net);
  const follower = stage.follow({ clock: held.clock, net: held.net });
  return { stage, follower, held };
}

/** A SyncRequest of version 0: whether the leader lives. */
function isAsked({ stage }: Held): boolean {
  return stage.net.open.some(({ connecting }) => connecting.sends[0]?.[6] === 0);
}

const MOMENTS: readonly (readonly [string, (held: Held) => boolean])[] = [
  ["asks whether the leader lives", isAsked],
  ["dials", ({ stage }) => stage.net.open.length > 0],
  ["scans", ({ follower }) => follower.states().at(-1) === "scanning"],
  ["is live", ({ follower }) => follower.ready],
];

describe.each(GENERATIONS)(
  "a follower of generation %d that is held up for a minute",
  (generation) => {
    test.each(MOMENTS)("while it %s blames nobody, and closes no connection", (_, isThere) => {
      const all = started(generation);
      const { stage, follower, held } = all;
      // What ends a connection here is our own doing.
      stage.leader.isPatient = true;
      stage.until("the moment", () => isThere(all), 10_000);
      const { connectionsEver } = stage.leader;
      held.stop();
      stage.clock.advance(HELD_UP_MS);
      held.goOn();
      stage.until("ready", () => follower.ready, 30_000);
      const blamed = follower.log.filter((text) =>
        /no answer|said nothing|stopping|lost/.test(text),
      );
      expect(blamed).toEqual([]);
      expect(follower.shard().reconnects).toBe(0);
      // At most the question on top.
      expect(stage.leader.connectionsEver).toBeLessThanOrEqual(connectionsEver + 2);
      stage.leader.put(0, 5, 9);
      stage.clock.advance(500);
      stage.expectEqual();
    });
  },
);
