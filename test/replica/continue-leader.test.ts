// A leader that goes and comes back at its address: closed in good order, or killed under load. The follower reconnects by
// itself and ends with what the leader has.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Armdb } from "../support/armdb.ts";
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
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { Turnstile } from "../support/turnstile.ts";

const KEYS = 2000;

/** Every shard is live, by lines from `from` on. */
async function allLive(follower: Armdb, from: number): Promise<void> {
  for (let shard = 0; shard < SMALL.shards; shard++) {
    await follower.line({ type: "shard", shard, state: "live" }, from);
  }
}

describe.if(oracleAvailable())("replicate outlives its leader", () => {
  let stage: FollowStage;
  const turnstile = new Turnstile(FOLLOWS_AT_ONCE);
  beforeAll(async () => {
    stage = new FollowStage("continue-leader");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `a leader ${version} restarted in good order`,
      () =>
        turnstile.pass(async () => {
          const first = await stage.leader(version);
          await first.fill(0, KEYS, 1);
          const dir = stage.fresh("replica");
          const follower = await stage.follower(first.address, dir);
          await expectConverged(first, dir);
          const from = follower.mark;
          await first.close();
          await follower.line({ type: "shard", shard: 0, state: "waiting" }, from);

          const second = await stage.leader(version, SMALL, {
            dir: first.dir,
            listen: first.address,
          });
          await second.delrange(0, 200);
          await allLive(follower, from);
          await second.churn(1000, 2, 2 * KEYS);
          const wanted = await expectConverged(second, dir);
          await expectGoodStop(follower);
          await expectCrateReads(stage, dir, SMALL, version, wanted);
        }),
      FOLLOW_LIMIT_MS,
    );

    test.concurrent(
      `a leader ${version} killed under load`,
      () =>
        turnstile.pass(async () => {
          const first = await stage.leader(version);
          await first.fill(0, KEYS, 1);
          const dir = stage.fresh("replica");
          const follower = await stage.follower(first.address, dir);
          const load = first.rate(10_000, 30, 2, KEYS).catch(() => null);
          const from = follower.mark;
          // Somewhere in the load.
          await Bun.sleep(1_000);
          await first.kill();
          await load;
          await follower.line({ type: "shard", shard: 0, state: "waiting" }, from);

          const second = await stage.leader(version, SMALL, {
            dir: first.dir,
            listen: first.address,
          });
          await allLive(follower, from);
          await second.churn(1000, 3, 2 * KEYS);
          const wanted = await expectConverged(second, dir);
          await expectGoodStop(follower);
          await expectCrateReads(stage, dir, SMALL, version, wanted);
        }),
      FOLLOW_LIMIT_MS,
    );
  }

  test.concurrent(
    "a leader that is not there yet is waited for",
    () =>
      turnstile.pass(async () => {
        const first = await stage.leader("0.15.0");
        await first.fill(0, 100, 1);
        await first.close();
        const dir = stage.fresh("replica");
        const follower = stage.start(first.address, dir);
        await follower.line({ type: "shard", shard: 0, state: "waiting" });
        const leader = await stage.leader("0.15.0", SMALL, {
          dir: first.dir,
          listen: first.address,
        });
        await follower.ready();
        expect(await expectConverged(leader, dir)).toMatchObject({ count: 100 });
        await expectGoodStop(follower);
      }),
    FOLLOW_LIMIT_MS,
  );
});
