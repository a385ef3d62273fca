// How long --once waits without progress. Used by replicate.ts. Pure.

import { scanStallMs } from "../../link/shard-scan.ts";
import type { ShardSnapshot } from "../../replica/follower-types.ts";
import type { Geometry } from "../../store/geometry.ts";

/** --timeout as it holds; `isGiven`: somebody said so. */
export interface ProgressTimeout {
  readonly timeoutMs: number;
  readonly isGiven: boolean;
}

/**
 * --timeout where one is given. Else a scan under way has its own bound where that is longer: of a large shard with few records
 * nothing comes for as long as its leader reads on.
 */
export function progressLimitMs(
  { timeoutMs, isGiven }: ProgressTimeout,
  geometry: Geometry | null,
  shards: readonly Pick<ShardSnapshot, "slots" | "scan">[],
): number {
  if (isGiven || geometry === null) return timeoutMs;
  const { shardCount, shardPrefixBits, keyLen, valueLen } = geometry;
  const of = { shardCount, shardPrefixBits, keyLen, valueLen, slotSize: 0 };
  const scanning = shards.filter(({ scan }) => scan !== null);
  return Math.max(
    timeoutMs,
    ...scanning.map(({ slots }) => scanStallMs({ ...of, slotCount: slots ?? 0 })),
  );
}
