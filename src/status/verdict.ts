// One word for a follower, from the states of its shards (cli.md: Verdict of status). Pure.

import type { ShardStatus, StatusVerdict } from "./status-types.ts";

/** From what is fine to what needs a person: the worst shard decides. */
const SEVERITY: readonly StatusVerdict[] = ["live", "behind", "stalled", "diverged"];

/** What one shard's state says of the whole. Divergence outlasts every state of its link, and its end. */
function verdictOfShard({ state, divergedSlots }: ShardVerdictFacts): StatusVerdict {
  if ((divergedSlots ?? 0) > 0) return "diverged";
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

type ShardVerdictFacts = Pick<ShardStatus, "state" | "divergedSlots">;

/** The verdict on a follower that runs. A follower without shards knows nothing yet, and one that stops follows no more: behind. */
export function verdictOf(shards: readonly ShardVerdictFacts[], stopping = false): StatusVerdict {
  const verdicts = shards.map(verdictOfShard);
  const isOver = shards.length > 0 && shards.every(({ state }) => state === "stopped");
  if (isOver && !verdicts.includes("diverged")) return "stopped";
  const least = shards.length === 0 || stopping ? "behind" : "live";
  const worst = Math.max(...[least, ...verdicts].map((one) => SEVERITY.indexOf(one as "live")));
  return SEVERITY[worst] as StatusVerdict;
}

/** The verdict where no follower runs: what it left. */
export function verdictAtRest(
  shards: readonly Pick<ShardStatus, "divergedSlots">[],
  complete: boolean | null,
): StatusVerdict {
  if (shards.some(({ divergedSlots }) => (divergedSlots ?? 0) > 0)) return "diverged";
  return complete === false ? "incomplete" : "stopped";
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
