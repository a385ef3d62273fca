// Whether a follower may be relied upon, for load balancers and alerts: /health and /ready of `--http`. Pure.

import { divergedText } from "./diverged-words.ts";
import type { ShardStatus, StatusDocument } from "./status-types.ts";

/** Why not; `shard` null: the follower as a whole. */
export interface HealthReason {
  readonly shard: number | null;
  readonly reason: string;
}

/** What is wrong now: nothing is healthy that is stalled, failed, diverged or further behind than `maxLagMs`. */
export function healthReasons(document: StatusDocument, maxLagMs: number): readonly HealthReason[] {
  const reasons = document.shards.flatMap((shard) => shardReasons(shard, maxLagMs));
  if (document.saveError !== null) reasons.unshift({ shard: null, reason: document.saveError });
  if (document.stopping) reasons.unshift({ shard: null, reason: "it is being stopped" });
  if (document.shards.length === 0) reasons.push({ shard: null, reason: "no shard is known yet" });
  return reasons;
}

/** Divergence is a reason whatever the connection does, beside what is wrong with that. */
function shardReasons(status: ShardStatus, maxLagMs: number): HealthReason[] {
  const { shard, diverged, saveError } = status;
  const divergedSlots = status.divergedSlots ?? 0;
  const reasons = stateReasons(status, maxLagMs);
  if (saveError !== null) reasons.push({ shard, reason: saveError });
  if (divergedSlots === 0) return reasons;
  const text = divergedText(diverged, divergedSlots, 0);
  return [{ shard, reason: `diverged: ${text}` }, ...reasons];
}

function stateReasons(status: ShardStatus, maxLagMs: number): HealthReason[] {
  const { shard, state } = status;
  switch (state) {
    case "stalled":
    case "failed":
      return [{ shard, reason: `${state}: ${status.lastError ?? status.activity ?? "no reason"}` }];
    case "stopped":
      return [{ shard, reason: "stopped" }];
    case "connecting":
    case "diverged":
    case "scanning":
    case "live":
    case "polling":
    case "waiting":
      return lagReasons(status, maxLagMs);
  }
}

function lagReasons({ shard, state, lagMs, activity }: ShardStatus, maxLagMs: number) {
  if (lagMs === null) {
    return [{ shard, reason: `it has never caught up; ${state}: ${activity ?? "no word yet"}` }];
  }
  if (lagMs <= maxLagMs) return [];
  const doing = activity ?? "no word yet";
  return [{ shard, reason: `lag ${lagMs} ms is above ${maxLagMs} ms; ${state}: ${doing}` }];
}

/** What is missing until every shard has caught up and is durable. */
export function readyReasons(document: StatusDocument): readonly HealthReason[] {
  if (document.ready) return [];
  const waiting: HealthReason[] = document.shards
    .filter((shard) => shard.ready !== true)
    .map(({ shard, state, activity, complete }) => {
      const copy = complete === false ? "; its first copy has not ended" : "";
      return { shard, reason: `${state}: ${activity ?? ""}${copy}` };
    });
  if (document.stopping) waiting.unshift({ shard: null, reason: "it is being stopped" });
  if (waiting.length > 0) return waiting;
  return [{ shard: null, reason: "the leader has not said how many shards there are" }];
}
