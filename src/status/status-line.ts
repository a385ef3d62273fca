// A follower in one line: for STATUS= of the service manager and for `status --watch` off a terminal. Pure. Holds no text of
// the leader.

import type { CatchUp } from "./catch-up-shown.ts";
import type { StatusDocument } from "./status-types.ts";

/**
 * `live: 4 of 4 shards live, lag 1.2 s`; `behind: 1 of 4 shards live, 3 scanning, never caught up, catch-up 2.6 %, 26,000 records/s,
 * 2 m left`; `waiting: no connection: ECONNREFUSED`, where every shard waits for the same.
 */
export function statusLine(document: StatusDocument): string {
  const { shards, verdict } = document;
  if (verdict === "incomplete") return "stopped; the first copy is not complete";
  if (!document.running) return `${atRestText(document)}no follower runs`;
  if (shards.every(({ silentMs, activity }) => silentMs === null || activity === "starting")) {
    return "starting";
  }
  const reason = waitText(document);
  if (reason !== null && verdict === "behind") return `waiting: ${reason}`;
  const counts = new Map<string, number>();
  for (const { state } of shards) counts.set(state, (counts.get(state) ?? 0) + 1);
  const live = counts.get("live") ?? 0;
  counts.delete("live");
  const others = [...counts].map(([state, count]) => `${count} ${state}`);
  const parts = [
    `${live} of ${shards.length} shards live`,
    ...others,
    lagText(document),
    catchUpText(document.catchUp),
    ...(reason === null ? [] : [reason]),
  ];
  return `${verdict}: ${parts.filter((part) => part !== "").join(", ")}`;
}

function atRestText({ shards, verdict }: StatusDocument): string {
  if (verdict !== "diverged") return `${verdict}: `;
  const differ = shards.filter(({ divergedSlots }) => (divergedSlots ?? 0) > 0).length;
  return `diverged: ${differ} of ${shards.length} shards ${differ === 1 ? "differs" : "differ"}, and `;
}

function lagText({ shards }: StatusDocument): string {
  if (shards.some(({ lagMs }) => lagMs === null)) {
    return shards.some(({ caughtUp }) => caughtUp === false) ? "never caught up" : "lag not known";
  }
  const worstMs = Math.max(0, ...shards.map((shard) => shard.lagMs ?? 0));
  return `lag ${(worstMs / 1000).toFixed(1)} s`;
}

/** Before a leader's own words. */
const LEADER_SAYS = "the leader says: ";
/** A line of its own would be another notice. */
const CONTROLS = /[\p{C}\p{Zl}\p{Zp}]+/gu;

/** Why every shard waits; null when one does not. Without a leader's own words: they are not ours to pass on. */
function waitText({ shards, connectionsNextAtMs }: StatusDocument): string | null {
  const [first] = shards;
  if (first === undefined || shards.some(({ state }) => state !== "waiting")) return null;
  const { activity } = first;
  const isOurs = connectionsNextAtMs !== null || activity?.includes(LEADER_SAYS) === false;
  if (!isOurs || activity === null) return null;
  // The time of the next try would be another line each second.
  return activity.replaceAll(CONTROLS, " ").replace(/; again in .*$/, "");
}

/** `catch-up 2.6 %, 26,000 records/s, 2 m left`; nothing where no scan runs. */
export function catchUpText(catchUp: CatchUp | null): string {
  return catchUpParts(catchUp).join(", ");
}

/** The same in parts, the most important first. */
export function catchUpParts(catchUp: CatchUp | null): readonly string[] {
  if (catchUp === null) return [];
  const { share, recordsPerSecond, leftMs, leftIsMost } = catchUp;
  const parts = [`catch-up ${(Math.floor(share * 1000) / 10).toFixed(1)} %`];
  // Then nothing comes any more.
  if (share < 1) parts.push(`${recordsPerSecond.toLocaleString("en-US")} records/s`);
  if (leftMs !== null && leftMs > 0) {
    parts.push(`${leftIsMost === true ? "at most " : ""}${leftText(leftMs)} left`);
  }
  return parts;
}

/** `34 s`, `2 m`, `3 h 5 m`. */
export function leftText(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} m` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}
