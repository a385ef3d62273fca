// How many acks run ahead of the batches of a scan (wire.md, point 18). Pure.

import { BATCH_BYTES_FULL } from "../limits.ts";
import type { FollowerSettings } from "./follower-types.ts";

/**
 * None with a sync before each Ack. With a rate limit no more than bring what the limit allows in a second: the leader may send
 * that much at once, and what follows is paced.
 */
export function acksAhead(
  settings: Pick<FollowerSettings, "sync" | "windowAcks" | "limitRateBytes">,
  shardCount: number,
): number {
  const { sync, windowAcks, limitRateBytes } = settings;
  if (sync === "batch") return 0;
  if (limitRateBytes === null) return windowAcks;
  return Math.min(windowAcks, Math.floor(limitRateBytes / shardCount / BATCH_BYTES_FULL));
}
