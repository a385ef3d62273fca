// What a follower says of itself, held against the truth while its leader writes nothing. Pure.

import type { StatusDocument } from "../../src/status/status-types.ts";

/** How far a lag may be below the true age: cli.md, Lag of a shard. */
const LAG_BELOW_MS = 1_000;
const LAG_BELOW_SHARE = 0.005;
/** A drill is over by then, so no line was idle longer ago. */
const IDLE_AGO_MS = 120_000;

/** One look: what is said, by whom, and what is so. */
export interface Claims {
  /** Since the leader's last write, when the follower was asked. */
  readonly sinceWriteMs: number;
  readonly maxLagMs: number;
  /** Of `armdb status`; its document, null: none. */
  readonly exit: number | null;
  readonly document: StatusDocument | null;
  /** Status of /health and /ready; null: nobody answers. */
  readonly health: number | null;
  readonly ready: number | null;
  /** By shard: the replica has what the leader has. */
  readonly equal: readonly boolean[];
  /** The replica has every key that a whole scan of any time brings. */
  readonly hasBase: boolean;
}

const EXITS: Readonly<Record<StatusDocument["verdict"], number>> = {
  live: 0,
  behind: 4,
  stalled: 4,
  diverged: 4,
  incomplete: 4,
  stopped: 5,
};

/** What of it is better than the truth. */
export function claimFaults(claims: Claims): string[] {
  const { document, exit, health, ready, equal, hasBase, maxLagMs } = claims;
  const faults: string[] = [];
  // What differs has been missing since the last write, or longer.
  const slackMs = LAG_BELOW_MS + LAG_BELOW_SHARE * IDLE_AGO_MS;
  const missingMs = claims.sinceWriteMs - slackMs;
  if (health === 200 && equal.includes(false) && missingMs > maxLagMs) {
    faults.push(`/health is 200, and what is missing is ${Math.round(claims.sinceWriteMs)} ms old`);
  }
  if (ready === 200 && !hasBase) faults.push("/ready is 200 without a whole scan");
  if (document === null || !document.running) {
    if (exit === 0) faults.push("status is 0 without a follower");
    return faults;
  }
  if (exit !== EXITS[document.verdict]) {
    faults.push(`status is ${exit} with the verdict ${document.verdict}`);
  }
  if ((document.complete === true || document.ready) && !hasBase) {
    faults.push("complete without a whole scan");
  }
  for (const { shard, state, lagMs, divergedSlots } of document.shards) {
    if ((divergedSlots ?? 0) > 0) faults.push(`shard ${shard} is diverged, and nothing is`);
    if (equal[shard] === false && lagMs !== null && lagMs < missingMs) {
      const since = Math.round(claims.sinceWriteMs);
      faults.push(
        `shard ${shard} is ${state} with a lag of ${lagMs} ms, and differs since ${since} ms`,
      );
    }
  }
  return faults;
}
