// Every shape of database that the oracle has, followed from nothing and then live, from a real leader of each generation:
// the replica holds what the leader holds, slot by slot, and the crate opens it, dirty and clean.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  BUILD_LIMIT_MS,
  expectClosedClean,
  expectConverged,
  expectCrateReads,
  expectGoodStop,
  FOLLOW_LIMIT_MS,
  FollowStage,
} from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable, type OracleGeometry } from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";

/** With the number of keys that each begins with. */
const SHAPES: readonly (OracleGeometry & { readonly keys: number })[] = [
  { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: 700, keys: 2000 },
  { shards: 16, prefixBits: 0, key: 8, value: 64, growStep: 100, keys: 3000 },
  { shards: 3, prefixBits: 0, key: 4, value: 3, growStep: 500, keys: 2000 },
  { shards: 4, prefixBits: 12, key: 16, value: 100, growStep: 200, keys: 2000 },
  { shards: 1, prefixBits: 0, key: 32, value: 1000, growStep: 1200, keys: 800 },
  { shards: 3, prefixBits: 0, key: 8, value: 20_000, growStep: 120, keys: 120 },
];

describe.if(oracleAvailable())("replicate follows", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-sizes");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    for (const { keys, ...shape } of SHAPES) {
      const prefix = shape.prefixBits > 0 ? `, ${shape.prefixBits} prefix bits` : "";
      test(
        `${shape.key}x${shape.value}, ${shape.shards} shards${prefix}, from ${version}`,
        async () => {
          const dir = stage.fresh("replica");
          const leader = await stage.leader(version, shape);
          await leader.fill(0, keys, 1);
          await leader.delrange(10, keys / 10);
          const follower = await stage.follower(leader.address, dir);
          const scanned = await expectConverged(leader, dir);

          await leader.churn(keys, 2, keys);
          const live = await expectConverged(leader, dir);
          expect(live.digest).not.toBe(scanned.digest);
          await expectCrateReads(stage, dir, shape, version, live, { keepDirty: true });

          await expectGoodStop(follower);
          await leader.close();
          expectClosedClean(dir);
          expect(shardsOf(dir).map((shard) => shard.header.slotCount)).toEqual(
            shardsOf(leader.dir).map((shard) => shard.header.slotCount),
          );
          await expectCrateReads(stage, dir, shape, version, live);
        },
        FOLLOW_LIMIT_MS,
      );
    }
  }
});
