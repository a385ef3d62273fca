// A follower that comes back to its own directory: after a stop in good order, after kill -9 under load, several times over.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  BUILD_LIMIT_MS,
  expectClosedClean,
  expectConverged,
  expectCrateReads,
  expectGoodStop,
  FOLLOW_LIMIT_MS,
  FOLLOWS_AT_ONCE,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable, oracleDigest } from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";
import { Turnstile } from "../support/turnstile.ts";

const KEYS = 3000;

describe.if(oracleAvailable())("replicate goes on with its own directory", () => {
  let stage: FollowStage;
  const turnstile = new Turnstile(FOLLOWS_AT_ONCE);
  beforeAll(async () => {
    stage = new FollowStage("continue-own");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `stopped in good order, started again with ${version}`,
      () =>
        turnstile.pass(async () => {
          const leader = await stage.leader(version);
          await leader.fill(0, KEYS, 1);
          const dir = stage.fresh("replica");
          const first = await stage.follower(leader.address, dir);
          await leader.churn(1000, 2, KEYS);
          await expectConverged(leader, dir);
          await expectGoodStop(first);
          expectClosedClean(dir);
          const before = shardsOf(dir).map((shard) => shard.cursor?.appliedTotal ?? 0n);

          await leader.delrange(0, 500);
          await leader.churn(2000, 3, 2 * KEYS);
          // A 0.1.14 leader gives its live stream once: the second run has its scans only.
          const second = await stage.follower(leader.address, dir, ["--poll", "1s"]);
          await expectConverged(leader, dir);
          await leader.churn(500, 4, KEYS);
          const wanted = await expectConverged(leader, dir);
          const state = version === "0.1.14" ? "polling" : "live";
          await second.line({ type: "shard", shard: 0, state });
          await expectGoodStop(second);
          await expectCrateReads(stage, dir, SMALL, version, wanted);
          shardsOf(dir).forEach((shard, index) => {
            expect(shard.cursor?.appliedTotal).toBeGreaterThan(before[index] ?? 0n);
          });
        }),
      FOLLOW_LIMIT_MS,
    );

    test.concurrent(
      `killed under load three times, with ${version}; the crate opens what is left each time`,
      () =>
        turnstile.pass(async () => {
          const leader = await stage.leader(version);
          await leader.fill(0, KEYS, 1);
          const dir = stage.fresh("replica");
          for (let round = 0; round < 3; round++) {
            const follower = await stage.follower(leader.address, dir);
            const load = leader.rate(10_000, 0.5, round + 2, KEYS);
            // Somewhere in the load.
            await Bun.sleep(250);
            await follower.kill();
            const copy = await stage.temp.copyOf(dir);
            const left = await oracleDigest(copy, SMALL, version, { keepDirty: true });
            expect(left.count).toBeGreaterThanOrEqual(KEYS * 0.9);
            await load;
          }
          await leader.delrange(0, 100);
          await stage.once(leader.address, dir);
          const wanted = await expectConverged(leader, dir);
          await expectCrateReads(stage, dir, SMALL, version, wanted);
          await leader.close();
          const wordsOf = (of: string) => shardsOf(of).map((shard) => shard.usedWords);
          expect(wordsOf(dir)).toEqual(wordsOf(leader.dir));
        }),
      FOLLOW_LIMIT_MS,
    );

    test.concurrent(
      `killed while quiet: the crate ${version} opens the dirty replica and finds what the leader has`,
      () =>
        turnstile.pass(async () => {
          const leader = await stage.leader(version);
          await leader.fill(0, KEYS, 1);
          const dir = stage.fresh("replica");
          const follower = await stage.follower(leader.address, dir);
          await leader.churn(2000, 2, KEYS);
          const wanted = await expectConverged(leader, dir);
          await follower.kill();
          expect(shardsOf(dir).map((shard) => shard.header.cleanShutdown)).toEqual([0, 0, 0]);
          await expectCrateReads(stage, dir, SMALL, version, wanted, { keepDirty: true });
        }),
      FOLLOW_LIMIT_MS,
    );
  }

  test.concurrent(
    "killed in its first scan, it begins anew and ends whole",
    () =>
      turnstile.pass(async () => {
        const leader = await stage.leader("0.15.0");
        await leader.fill(0, 30_000, 1);
        const dir = stage.fresh("replica");
        const slow = ["--limit-rate", "200KB", "--progress", "250ms"];
        await using follower = stage.start(leader.address, dir, slow);
        await follower.line((line) => {
          if (line.type !== "progress") return false;
          const shards = line["shards"] as readonly { readonly appliedTotal: string }[];
          return shards.some((shard) => Number(shard.appliedTotal) > 256);
        });
        await follower.kill();
        const left = shardsOf(dir).reduce((sum, shard) => sum + [...shard.records()].length, 0);
        expect(left).toBeGreaterThan(0);
        expect(left).toBeLessThan(30_000);
        await stage.once(leader.address, dir);
        const wanted = await expectConverged(leader, dir);
        await expectCrateReads(stage, dir, SMALL, "0.15.0", wanted);
      }),
    FOLLOW_LIMIT_MS,
  );
});
