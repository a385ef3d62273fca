// What an earlier run left of a shard, for the run that goes on: a first copy that has not ended stays one.

import { describe, expect, test } from "bun:test";
import { leftOf, savedShards } from "../../src/replica/saved-shards.ts";
import {
  type FollowerState,
  NO_OTHERS,
  NOTHING_KNOWN,
  type ShardState,
} from "../../src/store/state-file.ts";

function shardWith(complete: boolean | null, more: Partial<ShardState> = {}): ShardState {
  return { ...NOTHING_KNOWN, shard: 0, complete, ...more };
}

function stateWith(shards: readonly ShardState[], created = true): FollowerState {
  return {
    ...{ leader: "one:7000", protocol: 2, created, shards },
    ...{ connectionsAtMs: [], savedAtMs: 1, others: NO_OTHERS },
  };
}

describe("what was left of a shard", () => {
  const scanned = shardWith(true, { lastFullScanAtMs: 5, divergedSlots: 2 });

  test("is all of it for the same leader", () => {
    expect(leftOf(stateWith([scanned]), "one:7000", 0)).toEqual(scanned);
    expect(leftOf(stateWith([]), "one:7000", 0)).toBeNull();
    expect(leftOf(null, "one:7000", 0)).toBeNull();
  });

  test("is nothing for another leader where the first copy had ended, or was not ours", () => {
    expect(leftOf(stateWith([scanned]), "other:7000", 0)).toBeNull();
    expect(leftOf(stateWith([shardWith(null)]), "other:7000", 0)).toBeNull();
    expect(leftOf(stateWith([]), "other:7000", 0)).toBeNull();
  });

  test("is for another leader that its first copy has not ended, and nothing else", () => {
    const cut = shardWith(false, { lastFullScanAtMs: 5, divergedSlots: 2 });
    expect(leftOf(stateWith([cut]), "other:7000", 0)).toEqual(shardWith(false));
    expect(leftOf(stateWith([], false), "other:7000", 0)).toEqual(shardWith(false));
    expect(leftOf(stateWith([shardWith(null)], false), "other:7000", 0)).toEqual(shardWith(false));
  });
});

test("a shard whose file is missing is saved as incomplete before it is made anew", () => {
  const before = () => shardWith(true, { lastFullScanAtMs: 5 });
  expect(savedShards([null], before, [0], 0)).toEqual([shardWith(false)]);
  expect(savedShards([null], before, [], 0)).toEqual([before()]);
});
