// Deletes and reused slots: in a first scan, where the empty flag leaves them out; in a later scan; live.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { STATUS_DELETED, statusOf } from "../../src/format/slot.ts";
import {
  BUILD_LIMIT_MS,
  expectConverged,
  expectCrateReads,
  expectGoodStop,
  FOLLOW_LIMIT_MS,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";

const wordsOf = (dir: string) => shardsOf(dir).map((shard) => shard.usedWords);
const isDeleted = (word: number) => statusOf(word) === STATUS_DELETED;

describe.if(oracleAvailable())("replicate takes deletes", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-deletes");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test(
      `from ${version}: an empty follower is spared them, one with contents gets them in its next scan`,
      async () => {
        const leader = await stage.leader(version);
        await leader.fill(0, 900, 1);
        await leader.delrange(300, 300);
        const dir = stage.fresh("replica");
        const { lines } = await stage.once(leader.address, dir);
        const scanned = lines.filter((line) => line.type === "caught-up");
        expect(scanned.reduce((sum, line) => sum + Number(line["scanned"]), 0)).toBe(600);
        expect(wordsOf(dir).flat().filter(isDeleted)).toEqual([]);

        await stage.once(leader.address, dir);
        const wanted = await expectConverged(leader, dir);
        await leader.close();
        expect(wordsOf(dir)).toEqual(wordsOf(leader.dir));
        expect(wordsOf(dir).flat().filter(isDeleted)).toHaveLength(300);
        await expectCrateReads(stage, dir, SMALL, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );

    test(
      `from ${version}: deleted while it was away, and their slots used again by other keys`,
      async () => {
        const leader = await stage.leader(version);
        await leader.fill(0, 900, 1);
        const dir = stage.fresh("replica");
        await stage.once(leader.address, dir);
        await leader.delrange(0, 600);
        await leader.fill(5000, 400, 2);
        await stage.once(leader.address, dir);
        const wanted = await expectConverged(leader, dir);
        await leader.close();
        expect(wordsOf(dir)).toEqual(wordsOf(leader.dir));
        await expectCrateReads(stage, dir, SMALL, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );

    test(
      `from ${version}: live, slots used again again and again`,
      async () => {
        const leader = await stage.leader(version);
        await leader.fill(0, 300, 1);
        const dir = stage.fresh("replica");
        const follower = await stage.follower(leader.address, dir);
        for (let round = 1; round <= 4; round++) {
          await leader.delrange((round - 1) * 1000, 300);
          await leader.fill(round * 1000, 300, round);
        }
        await leader.delrange(4000, 100);
        const wanted = await expectConverged(leader, dir);
        expect(wanted.count).toBe(200);
        await expectGoodStop(follower);
        await leader.close();
        expect(wordsOf(dir)).toEqual(wordsOf(leader.dir));
        await expectCrateReads(stage, dir, SMALL, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );
  }
});
