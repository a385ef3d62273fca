// A live follower in simulated time, and what it says of its lag.

import { StatusSource } from "../../src/status/status-source.ts";
import type { SimFollower } from "../support/sim-follower.ts";
import type { SimStage } from "../support/sim-stage.ts";

/** What a follower says of its lag, ms. */
export function lagOf(stage: SimStage, follower: SimFollower): number {
  const { supervisor } = follower;
  const at = { host: "127.0.0.1", port: stage.leader.port };
  const source = new StatusSource({
    ...at,
    supervisor,
    clock: stage.clock,
    connectionsPerDay: 1000,
    sync: "group",
    found: null,
    pid: 1,
  });
  return source.document().shards[0]?.lagMs ?? Number.POSITIVE_INFINITY;
}

/** A follower that is live. */
export function live(stage: SimStage, resyncMs: number | null = null): SimFollower {
  stage.leader.put(0, 1, 1);
  const follower = stage.follow({ settings: { resyncMs } });
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  return follower;
}
