// A leader that grows while it is followed, by small steps, and a follower that grows by its own.

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

const SHAPE: OracleGeometry = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: 100 };
const GROW_SLOTS = 1_000_000;

describe.if(oracleAvailable())("replicate grows", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-growth");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test(
      `with a leader ${version} that grows while it streams, and goes on from there`,
      async () => {
        const leader = await stage.leader(version, SHAPE);
        await leader.fill(0, 150, 1);
        const dir = stage.fresh("replica");
        const follower = await stage.follower(leader.address, dir);
        expect(shardsOf(dir)[0]?.header.slotCount).toBe(200);

        await leader.fill(150, 1000, 2);
        await leader.delrange(0, 500);
        const grown = await expectConverged(leader, dir);
        expect(shardsOf(dir)[0]?.header.slotCount).toBe(200 + GROW_SLOTS);
        await expectCrateReads(stage, dir, SHAPE, version, grown, { keepDirty: true });
        await expectGoodStop(follower);
        expectClosedClean(dir);

        await leader.fill(2000, 1000, 3);
        await stage.once(leader.address, dir);
        const wanted = await expectConverged(leader, dir);
        expect(shardsOf(dir)[0]?.header.slotCount).toBe(200 + GROW_SLOTS);
        await expectCrateReads(stage, dir, SHAPE, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );
  }
});
