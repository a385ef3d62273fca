// Directories that change hands: begun by the crate's follower and continued by ours, and the other way round, each time
// closed in good order and killed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  BUILD_LIMIT_MS,
  expectConverged,
  expectCrateReads,
  expectGoodStop,
  FOLLOW_LIMIT_MS,
  FOLLOWS_AT_ONCE,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import {
  ORACLE_VERSIONS,
  oracleAvailable,
  oracleDigest,
  OracleFollower,
  type OracleLeader,
  type OracleVersion,
} from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";
import { Turnstile } from "../support/turnstile.ts";

const KEYS = 3000;
const CONVERGE_MS = 45_000;

describe.if(oracleAvailable())("a directory changes hands", () => {
  let stage: FollowStage;
  const turnstile = new Turnstile(FOLLOWS_AT_ONCE);
  beforeAll(async () => {
    stage = new FollowStage("continue-crate");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  /** The crate's follower into `dir`, until it holds what the quiet leader holds. */
  async function crateFollows(
    leader: OracleLeader,
    dir: string,
    version: OracleVersion,
  ): Promise<OracleFollower> {
    const follower = await OracleFollower.start({
      ...SMALL,
      version,
      dir,
      leader: leader.address,
    });
    const wanted = await leader.digest();
    expect(await follower.waitdigest(wanted.digest, CONVERGE_MS, wanted.count)).toEqual(wanted);
    return follower;
  }

  async function change(leader: OracleLeader): Promise<void> {
    await leader.delrange(0, 300);
    await leader.churn(2000, 5, 2 * KEYS);
  }

  for (const version of ORACLE_VERSIONS) {
    for (const end of ["closed", "killed"] as const) {
      test.concurrent(
        `begun by the crate's follower ${version}, ${end}; continued by ours`,
        () =>
          turnstile.pass(async () => {
            const leader = await stage.leader(version);
            await leader.fill(0, KEYS, 1);
            const dir = stage.fresh("replica");
            await using crate = await crateFollows(leader, dir, version);
            if (end === "closed") await crate.close();
            else await crate.kill();
            const flag = end === "closed" ? 1 : 0;
            const flags = shardsOf(dir).map((shard) => shard.header.cleanShutdown);
            expect(flags).toEqual([flag, flag, flag]);
            const applied = shardsOf(dir).map((shard) => shard.cursor?.appliedTotal ?? 0n);

            await change(leader);
            const follower = await stage.follower(leader.address, dir, ["--poll", "1s"]);
            await expectConverged(leader, dir);
            await leader.churn(500, 6, KEYS);
            const wanted = await expectConverged(leader, dir);
            await expectGoodStop(follower);
            await expectCrateReads(stage, dir, SMALL, version, wanted);
            shardsOf(dir).forEach((shard, index) => {
              expect(shard.cursor?.appliedTotal).toBeGreaterThan(applied[index] ?? 0n);
            });
          }),
        FOLLOW_LIMIT_MS,
      );

      test.concurrent(
        `begun by ours, ${end}; continued by the crate's follower ${version}`,
        () =>
          turnstile.pass(async () => {
            const leader = await stage.leader(version);
            await leader.fill(0, KEYS, 1);
            const dir = stage.fresh("replica");
            const follower = await stage.follower(leader.address, dir);
            await leader.churn(500, 4, KEYS);
            await expectConverged(leader, dir);
            if (end === "closed") await expectGoodStop(follower);
            else await follower.kill();

            await change(leader);
            // Leaders hold a shard for its last follower a little longer; the crate's follower retries.
            await using crate = await crateFollows(leader, dir, version);
            await crate.close();
            const wanted = await leader.digest();
            expect(await oracleDigest(dir, SMALL, version)).toEqual(wanted);

            // And back again.
            await leader.churn(500, 7, KEYS);
            await stage.once(leader.address, dir);
            await expectCrateReads(stage, dir, SMALL, version, await expectConverged(leader, dir));
          }),
        FOLLOW_LIMIT_MS,
      );
    }
  }
});
