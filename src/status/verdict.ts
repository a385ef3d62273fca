// One word for a follower, from the states of its shards and what is known of its copy (docs/cli.md: Verdict of status), and the exit
// status that goes with it. Pure.

import type { ShardState } from "../replica/follower-types.ts";

/** Every verdict from what is fine to what needs a person, with the exit status of `armdb status`. */
const EXITS = { live: 0, behind: 4, stalled: 4, stopped: 5, incomplete: 4, diverged: 4 } as const;

export type StatusVerdict = keyof typeof EXITS;
export const VERDICTS = Object.keys(EXITS) as readonly StatusVerdict[];

/** What one shard's state says of a follower that runs. */
const VERDICT_OF: Readonly<Record<ShardState, StatusVerdict>> = {
  connecting: "behind",
  scanning: "behind",
  live: "live",
  polling: "behind",
  waiting: "behind",
  stalled: "stalled",
  diverged: "diverged",
  failed: "stalled",
  stopped: "behind",
};

/** Every state, in the order of docs/cli.md. */
export const SHARD_STATES = Object.keys(VERDICT_OF) as readonly ShardState[];

interface ShardFacts {
  readonly state: ShardState;
  readonly divergedSlots: number | null;
}

/**
 * The verdict on a follower that runs: the worst shard decides, and divergence outlasts every state of its link, and its end.
 * A follower without shards knows nothing yet, and one that stops follows no more: behind.
 */
export function runningVerdict(shards: readonly ShardFacts[], stopping: boolean): StatusVerdict {
  const least = shards.length === 0 || stopping ? "behind" : "live";
  const said = shards.map((shard) => (isDiverged(shard) ? "diverged" : VERDICT_OF[shard.state]));
  const worst = Math.max(...[least, ...said].map((verdict) => VERDICTS.indexOf(verdict as "live")));
  return VERDICTS[worst] as StatusVerdict;
}

/** The verdict where no follower runs. */
export function stoppedVerdict(
  shards: readonly ShardFacts[],
  complete: boolean | null,
): StatusVerdict {
  if (shards.some(isDiverged)) return "diverged";
  return complete === false ? "incomplete" : "stopped";
}

function isDiverged({ divergedSlots }: ShardFacts): boolean {
  return (divergedSlots ?? 0) > 0;
}

/** Exit status of `armdb status` (docs/cli.md: Rules). */
export function verdictStatus(verdict: StatusVerdict): 0 | 4 | 5 {
  return EXITS[verdict];
}
