// A follower that starts with nothing: what it makes, that it is what the crate would have, and what --once says and leaves.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Line } from "../support/armdb.ts";
import {
  BUILD_LIMIT_MS,
  expectClosedClean,
  expectConverged,
  expectCrateReads,
  FOLLOW_LIMIT_MS,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { shardsOf } from "../support/replica-contents.ts";
import { modeOf } from "../support/temp.ts";

describe.if(oracleAvailable())("replicate into nothing", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-empty");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const version of ORACLE_VERSIONS) {
    test(
      `--once leaves a directory that the crate ${version} takes for its own`,
      async () => {
        const leader = await stage.leader(version);
        await leader.fill(0, 1500, 1);
        const dir = stage.fresh("replica");
        await stage.once(leader.address, dir);
        const wanted = await expectConverged(leader, dir);
        expect(wanted.count).toBe(1500);
        expectClosedClean(dir);
        await expectCrateReads(stage, dir, SMALL, version, wanted);

        await leader.close();
        const bytesOf = (of: string) => readFileSync(join(of, "db.meta")).toString("hex");
        expect(bytesOf(dir)).toBe(bytesOf(leader.dir));
        const facts = (of: string) =>
          shardsOf(of).map(({ header, words }) => ({ ...header, words }));
        expect(facts(dir)).toEqual(facts(leader.dir));
      },
      FOLLOW_LIMIT_MS,
    );
  }

  test(
    "what it makes is the operator's alone, reserved on disk, and nothing else",
    async () => {
      const leader = await stage.leader("0.15.0");
      await leader.fill(0, 10, 1);
      const dir = stage.fresh("replica");
      await stage.once(leader.address, dir);
      expect(readdirSync(dir).sort()).toEqual([
        "armdb.state.json",
        "db.lock",
        "db.meta",
        "shard_000",
        "shard_001",
        "shard_002",
      ]);
      expect(modeOf(dir)).toBe("700");
      for (const shard of ["shard_000", "shard_001", "shard_002"]) {
        const names = readdirSync(join(dir, shard)).sort();
        expect(names).toEqual(["fixed.data", "fixed.versions", "fixed_repl.cursor"]);
        expect(modeOf(join(dir, shard))).toBe("700");
        expect(names.map((name) => modeOf(join(dir, shard, name)))).toEqual(["600", "600", "600"]);
        const data = statSync(join(dir, shard, "fixed.data"));
        // Reserved, not sparse. 4096 bytes: what a file system may keep elsewhere.
        expect(data.blocks * 512).toBeGreaterThanOrEqual(data.size - 4096);
      }
      expect(
        ["armdb.state.json", "db.lock", "db.meta"].map((name) => modeOf(join(dir, name))),
      ).toEqual(["600", "600", "600"]);
    },
    FOLLOW_LIMIT_MS,
  );

  test(
    "--once --json says caught-up for every shard, then ready, then the summary last",
    async () => {
      const leader = await stage.leader("0.1.14");
      await leader.fill(0, 900, 1);
      const beganAtMs = Date.now();
      const dir = stage.fresh("replica");
      const { lines, stderr } = await stage.once(leader.address, dir);
      const caughtUp = lines.filter((line) => line.type === "caught-up");
      expect(caughtUp.map((line) => line["shard"]).toSorted()).toEqual([0, 1, 2]);
      const total = (field: string) => caughtUp.reduce((sum, line) => sum + Number(line[field]), 0);
      expect({ scanned: total("scanned"), applied: total("applied") }).toEqual({
        scanned: 900,
        applied: 900,
      });
      const types = lines.map((line: Line) => line.type);
      expect(types.indexOf("ready")).toBeGreaterThan(types.lastIndexOf("caught-up"));
      expect(lines.at(-1)).toEqual({ schema: 1, type: "summary", verdict: "caught-up" });
      expect(lines.every((line) => line.schema === 1)).toBe(true);
      expect(stderr).not.toMatch(/^\s+at .+:\d+/m);

      const cursors = shardsOf(dir).map((shard) => shard.cursor);
      expect(cursors.map((cursor) => cursor?.shardId)).toEqual([0, 1, 2]);
      const applied = cursors.reduce((sum, cursor) => sum + (cursor?.appliedTotal ?? 0n), 0n);
      expect(applied).toBe(900n);
      for (const cursor of cursors) {
        expect(cursor).toMatchObject({ maxVersionSeen: 1, reservedIsZero: true });
        expect(Number(cursor?.lastAckAtMs)).toBeGreaterThanOrEqual(beganAtMs);
        expect(Number(cursor?.lastAckAtMs)).toBeLessThanOrEqual(Date.now());
      }
    },
    FOLLOW_LIMIT_MS,
  );

  test(
    "a leader without a record is followed, into a directory that exists and is empty",
    async () => {
      const leader = await stage.leader("0.6.1");
      const dir = stage.fresh("replica");
      mkdirSync(dir);
      const follower = await stage.follower(leader.address, dir);
      expect(await expectConverged(leader, dir)).toMatchObject({ count: 0 });
      await leader.fill(0, 50, 1);
      expect(await expectConverged(leader, dir)).toMatchObject({ count: 50 });
      expect((await follower.stop()).status).toBe(0);
    },
    FOLLOW_LIMIT_MS,
  );
});
