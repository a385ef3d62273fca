// State files as a follower leaves them, written without one: what is of interest is how complete each shard is said to be.

import { realDisk } from "../../src/io/real-disk.ts";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import {
  type FollowerState,
  NO_OTHERS,
  NOTHING_KNOWN,
  saveState,
} from "../../src/store/state-file.ts";

export const COPIED_FROM = "10.0.0.5:7400";

/** Leaves a state file in which each shard's copy is complete, is not, or is not known to be. */
export function leaveCopyState(
  dir: string,
  complete: readonly (boolean | null)[],
  changes: Partial<FollowerState> = {},
): void {
  const state: FollowerState = {
    leader: COPIED_FROM,
    protocol: 2,
    created: true,
    shards: complete.map((one, shard) => ({
      ...{ ...NOTHING_KNOWN, shard, complete: one },
      lastFullScanAtMs: one === true ? 1_800_000_000_000 : null,
      lastFullScanTookMs: one === true ? 500 : null,
    })),
    connectionsAtMs: [],
    savedAtMs: 1_800_000_000_000,
    others: NO_OTHERS,
    ...changes,
  };
  saveState(realDisk, dir, state, OWN_NEW_FILES);
}
