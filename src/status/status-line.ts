// A follower in one line: for STATUS= of the service manager and for `status --watch` off a terminal. Pure. Holds no text of
// the leader.

import type { StatusDocument } from "./status-types.ts";

/** `live: 4 of 4 shards live, lag 1.2 s`, `behind: 1 of 4 shards live, 3 scanning, never caught up, 1200 events scanned`. */
export function statusLine(document: StatusDocument): string {
  const { shards, verdict } = document;
  if (verdict === "incomplete") return "stopped; the first copy is not complete";
  if (!document.running) return "stopped: no follower runs";
  if (shards.length === 0) return `${verdict}: no shard is known yet`;
  const counts = new Map<string, number>();
  for (const { state } of shards) counts.set(state, (counts.get(state) ?? 0) + 1);
  const live = counts.get("live") ?? 0;
  counts.delete("live");
  const others = [...counts].map(([state, count]) => `${count} ${state}`);
  const parts = [
    `${live} of ${shards.length} shards live`,
    ...others,
    lagText(document),
    scanText(document),
  ];
  return `${verdict}: ${parts.filter((part) => part !== "").join(", ")}`;
}

function lagText({ shards }: StatusDocument): string {
  if (shards.some((shard) => shard.lagMs === null)) return "never caught up";
  const worstMs = Math.max(0, ...shards.map((shard) => shard.lagMs ?? 0));
  return `lag ${(worstMs / 1000).toFixed(1)} s`;
}

/** How far the scans are, where some run; events against slots, so only a hint. */
function scanText({ shards }: StatusDocument): string {
  const scanning = shards.filter((shard) => shard.state === "scanning");
  if (scanning.length === 0) return "";
  const events = scanning.reduce((sum, shard) => sum + Number(shard.scanned ?? 0), 0);
  return `${events} events scanned`;
}
