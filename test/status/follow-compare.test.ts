// `armdb compare DIR LEADER` where a follower runs on DIR: that follower compares, with real leaders and the program as a process.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Armdb, runArmdb } from "../support/armdb.ts";
import { BUILD_LIMIT_MS, expectGoodStop, FollowStage } from "../support/follow-stage.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { LIMIT_MS, statusOf, eventually } from "./follow-questions.ts";

describe.if(oracleAvailable())("a follower asked to compare", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-compare");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ["0.1.14", "0.15.0"] as const) {
    test(
      `compares itself with its leader ${version} and mends what it finds, without a second reader of the stream`,
      async () => {
        const leader = await stage.leader(version);
        await leader.fill(0, 1500, 1);
        const dir = stage.fresh("replica");
        const follower = await stage.follower(leader.address, dir);
        await eventually(
          () => statusOf(dir),
          ({ document }) => document.verdict === "live",
        );
        const same = await runArmdb(["compare", dir, leader.address, "--json"]);
        expect([same.status, JSON.parse(same.stdout)]).toMatchObject([0, { verdict: "same" }]);

        // Two bytes of records go bad on disk, below the follower.
        const path = join(dir, "shard_001/fixed.data");
        const bytes = readFileSync(path);
        const spoilt = [0, 1].map((slot) => 4096 + slot * 32 + 12);
        for (const offset of spoilt) bytes[offset] = (bytes[offset] ?? 0) ^ 0xff;
        writeFileSync(path, bytes);
        const differs = await runArmdb(["compare", dir, leader.address, "--json"]);
        const document = JSON.parse(differs.stdout) as Record<string, unknown>;
        expect(differs.status).toBe(4);
        expect(document).toMatchObject({
          verdict: "differs",
          healed: true,
          differences: [0, 1].map((slot) => ({ shard: 1, slot, kind: "missing" })),
        });
        const again = await runArmdb(["compare", dir, leader.address]);
        expect([again.status, again.stdout]).toEqual([0, expect.stringContaining("same: 3,000")]);
        expect((await runArmdb(["verify", dir])).status).toBe(0);
        // Still live, and still the only reader of the stream.
        await leader.churn(300, 5, 1500);
        const wanted = await leader.count();
        await eventually(
          async () => (await statusOf(dir)).document,
          ({ shards }) => shards.reduce((sum, shard) => sum + (shard.occupied ?? 0), 0) === wanted,
        );
        const other = await runArmdb(["compare", dir, "127.0.0.1:1", "--json"]);
        expect([other.status, other.error?.["message"]]).toEqual([
          2,
          expect.stringContaining(`follows ${leader.address}`),
        ]);
        await expectGoodStop(follower);
      },
      LIMIT_MS,
    );
  }

  test(
    "a comparison that is broken off with Ctrl-C leaves the follower live",
    async () => {
      const leader = await stage.leader("0.15.0");
      await leader.fill(0, 1000, 1);
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir);
      await using comparison = Armdb.start(["compare", dir, leader.address]);
      await eventually(
        () => comparison.stderr,
        (text) => text.includes("a follower runs"),
      );
      const { status } = await comparison.stop("SIGINT");
      expect([130, 0]).toContain(status as number);
      const back = await eventually(
        () => statusOf(dir),
        ({ document }) => document.verdict === "live",
      );
      expect(back.status).toBe(0);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );
});
