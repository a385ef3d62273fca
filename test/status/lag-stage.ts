// A follower in simulated time, and what it says of itself.

import { StatusSource } from "../../src/status/status-source.ts";
import { readState } from "../../src/store/state-file.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import type { SimStage } from "../support/sim-stage.ts";

/** What a follower says of itself, as one that was started just now; `found`: the state file as it was then. */
export function sourceOf(
  stage: SimStage,
  { supervisor }: SimFollower,
  found = readState(stage.disk, SIM_DIR),
): StatusSource {
  const at = { host: "127.0.0.1", port: stage.leader.port, connectionsPerDay: 1000, pid: 1 };
  return new StatusSource({ supervisor, clock: stage.clock, ...at, sync: "group", found });
}

/** What a follower says of its lag, ms. */
export function lagOf(stage: SimStage, follower: SimFollower): number {
  const [shard] = sourceOf(stage, follower, null).document().shards;
  return shard?.lagMs ?? Number.POSITIVE_INFINITY;
}

/** A follower that is live. */
export function live(stage: SimStage, resyncMs: number | null = null): SimFollower {
  stage.leader.put(0, 1, 1);
  const follower = stage.follow({ settings: { resyncMs } });
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  return follower;
}
