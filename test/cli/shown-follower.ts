// A follower in simulated time, and the lines that it says off a terminal.

import type { SimFollower, SimFollowerOptions } from "../support/sim-follower.ts";
import type { SimStage } from "../support/sim-stage.ts";
import { type DisplayStage, displayStage } from "./display-stage.ts";

export interface ShownFollower extends DisplayStage {
  readonly follower: SimFollower;
  /** What was said since the last time this was asked. */
  news(): string[];
}

export function shownFollower(
  stage: SimStage,
  settings: SimFollowerOptions["settings"] = {},
  json = false,
): ShownFollower {
  let shardCount: () => number | null = () => null;
  const shown = displayStage({ json, clock: stage.clock, shardCount: () => shardCount() });
  const { display } = shown;
  const follower = stage.follow({
    settings,
    shown: {
      reported: (report, supervisor) => display.reported(report, () => supervisor.snapshots),
      allReady: () => display.ready(0),
    },
  });
  shardCount = () => follower.supervisor.geometry?.shardCount ?? null;
  let told = 0;
  const news = () => {
    const lines = shown.said();
    const fresh = lines.slice(told);
    told = lines.length;
    return fresh;
  };
  return { ...shown, follower, news };
}
