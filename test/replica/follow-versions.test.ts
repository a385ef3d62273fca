// Versions near the end of their ring: they wrap past 2^30 live and while the follower is away, and a first version above
// 2^29 is taken where nothing is (wire.md: the crate before 0.7.0 drops it, for ever).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { VERSION_HALF, VERSION_MAX, versionOf } from "../../src/format/slot.ts";
import {
  BUILD_LIMIT_MS,
  expectConverged,
  expectCrateReads,
  expectGoodStop,
  FOLLOW_LIMIT_MS,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import {
  ORACLE_VERSIONS,
  type OracleLeader,
  type OracleVersion,
  oracleAvailable,
  oracleWrapVersion,
} from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";

const KEYS = 300;
const versionsOf = (dir: string) =>
  shardsOf(dir)
    .flatMap((shard) => shard.usedWords)
    .map(versionOf);
const wordsOf = (dir: string) => shardsOf(dir).map((shard) => shard.usedWords);

describe.if(oracleAvailable())("replicate follows versions", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-versions");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  /** A leader whose every record has this version. */
  async function leaderAt(version: OracleVersion, slotVersion: number): Promise<OracleLeader> {
    const dir = stage.fresh("leader");
    const first = await stage.leader(version, SMALL, { dir });
    await first.fill(0, KEYS, 1);
    await first.close();
    expect(await oracleWrapVersion(dir, { all: true }, slotVersion)).toBe(KEYS);
    return await stage.leader(version, SMALL, { dir });
  }

  for (const version of ORACLE_VERSIONS) {
    test(
      `past 2^30 live, from ${version}`,
      async () => {
        const leader = await leaderAt(version, VERSION_MAX - 1);
        const dir = stage.fresh("replica");
        const follower = await stage.follower(leader.address, dir);
        await expectConverged(leader, dir);
        for (let round = 2; round <= 5; round++) await leader.fill(0, KEYS, round);
        await leader.delrange(0, 50);
        const wanted = await expectConverged(leader, dir);
        await expectGoodStop(follower);
        await leader.close();
        expect(wordsOf(dir)).toEqual(wordsOf(leader.dir));
        expect(new Set(versionsOf(dir))).toEqual(new Set([2, 3]));
        // A plain maximum, as the first crates keep it.
        expect(shardsOf(dir).map((shard) => shard.cursor?.maxVersionSeen)).toEqual([
          VERSION_MAX,
          VERSION_MAX,
          VERSION_MAX,
        ]);
        await expectCrateReads(stage, dir, SMALL, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );

    test(
      `past 2^30 while it was away, from ${version}`,
      async () => {
        const leader = await leaderAt(version, VERSION_MAX);
        const dir = stage.fresh("replica");
        await stage.once(leader.address, dir);
        await leader.fill(0, KEYS, 2);
        await leader.fill(0, 100, 3);
        await stage.once(leader.address, dir);
        const wanted = await expectConverged(leader, dir);
        expect(new Set(versionsOf(dir))).toEqual(new Set([0, 1]));
        await expectCrateReads(stage, dir, SMALL, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );

    test(
      `a first version of 2^29 and more is taken, from ${version}`,
      async () => {
        const leader = await leaderAt(version, VERSION_HALF);
        await leader.delrange(0, 30);
        const dir = stage.fresh("replica");
        const follower = await stage.follower(leader.address, dir);
        expect((await expectConverged(leader, dir)).count).toBe(KEYS - 30);
        // Live too: the deleted slots, which the follower was spared, are used again.
        await leader.fill(1000, 30, 2);
        const wanted = await expectConverged(leader, dir);
        expect(wanted.count).toBe(KEYS);
        await expectGoodStop(follower);
        await expectCrateReads(stage, dir, SMALL, version, wanted);
      },
      FOLLOW_LIMIT_MS,
    );
  }
});
