// One word for a follower, from the states of its shards (cli.md: Verdict of status). Pure.

import type { ShardState } from "../replica/follower-types.ts";
import type { StatusVerdict } from "./status-types.ts";

/** From what is fine to what needs a person: the worst shard decides. */
const SEVERITY: readonly StatusVerdict[] = ["live", "behind", "stalled", "diverged"];

/** What one shard's state says of the whole. */
function verdictOfState(state: ShardState): StatusVerdict {
  switch (state) {
    case "live":
      return "live";
    case "connecting":
    case "scanning":
    case "polling":
    case "waiting":
    case "stopped":
      return "behind";
    case "stalled":
    case "failed":
      return "stalled";
    case "diverged":
      return "diverged";
  }
}

/** The verdict on a follower that runs. A follower without shards knows nothing yet: behind. */
export function verdictOf(states: readonly ShardState[]): StatusVerdict {
  if (states.length === 0) return "behind";
  if (states.every((state) => state === "stopped")) return "stopped";
  const worst = Math.max(...states.map((state) => SEVERITY.indexOf(verdictOfState(state))));
  return SEVERITY[worst] as StatusVerdict;
}

/** Exit status of `armdb status` (cli.md: Rules). */
export function verdictStatus(verdict: StatusVerdict): 0 | 4 | 5 {
  switch (verdict) {
    case "live":
      return 0;
    case "behind":
    case "stalled":
    case "diverged":
    case "incomplete":
      return 4;
    case "stopped":
      return 5;
  }
}
