// A leader's program that is upgraded, or set back, over the same directory and port: the follower that runs goes on, and so does
// one that comes later. Real leaders of the three generations, each after each other.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  expectConverged,
  expectGoodStop,
  FOLLOW_LIMIT_MS,
  FOLLOWS_AT_ONCE,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { Turnstile } from "../support/turnstile.ts";

const KEYS = 500;
const PAIRS = ORACLE_VERSIONS.flatMap((before) =>
  ORACLE_VERSIONS.filter((after) => after !== before).map((after) => ({ before, after })),
);

function savedProtocol(dir: string): unknown {
  const text = readFileSync(join(dir, "armdb.state.json"), "utf8");
  return (JSON.parse(text) as Record<string, unknown>)["protocol"];
}

describe.if(oracleAvailable())("a leader's program exchanged", () => {
  let stage: FollowStage;
  const turnstile = new Turnstile(FOLLOWS_AT_ONCE);
  beforeAll(() => {
    stage = new FollowStage("continue-upgrade");
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test.concurrent.each(PAIRS)(
    "$before by $after",
    ({ before, after }) =>
      turnstile.pass(async () => {
        const first = await stage.leader(before);
        await first.fill(0, KEYS, 1);
        const [dir, later] = [stage.fresh("replica"), stage.fresh("later")];
        const follower = await stage.follower(first.address, dir);
        await expectConverged(first, dir);
        const from = follower.mark;
        await first.close();
        await follower.line({ type: "shard", shard: 0, state: "waiting" }, from);

        const at = { dir: first.dir, listen: first.address };
        const second = await stage.leader(after, SMALL, at);
        await second.fill(0, KEYS, 2);
        for (let shard = 0; shard < SMALL.shards; shard++) {
          await follower.line({ type: "shard", shard, state: "live" }, from);
        }
        await second.churn(200, 3, 2 * KEYS);
        await expectConverged(second, dir);
        await expectGoodStop(follower);
        expect(savedProtocol(dir)).toBe(after === "0.1.14" ? 1 : 2);

        // The one that knew the leader as it was is started again only now.
        await second.close();
        const old = await stage.leader(before, SMALL, at);
        await stage.once(old.address, later);
        await old.close();
        const third = await stage.leader(after, SMALL, at);
        await third.fill(0, 100, 4);
        await stage.once(third.address, later);
        await expectConverged(third, later);
      }),
    FOLLOW_LIMIT_MS,
  );
});
