// The states of a shard as people are shown them: in which order, and in which colour.

import type { ShardState } from "../../replica/follower-types.ts";
import type { Palette } from "../surface/surface.ts";

/** What needs a person first. */
export const STATES_BY_NEED: readonly ShardState[] = [
  "failed",
  "diverged",
  "stalled",
  "waiting",
  "polling",
  "scanning",
  "connecting",
  "live",
  "stopped",
];

export function colourOfState(state: ShardState): Exclude<keyof Palette, "bold"> {
  switch (state) {
    case "live":
      return "green";
    case "connecting":
    case "scanning":
    case "polling":
    case "waiting":
      return "yellow";
    case "stalled":
    case "failed":
    case "diverged":
      return "red";
    case "stopped":
      return "dim";
  }
}
