// What `armdb status` says of a follower that does not answer, with real leaders and the program as a process: one that has lost
// its socket, one that is suspended, the crate's own, and one that has not reached its leader yet. Never that none runs.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { Armdb, runArmdb } from "../support/armdb.ts";
import {
  BUILD_LIMIT_MS,
  eventually,
  expectGoodStop,
  FollowStage,
  SMALL,
} from "../support/follow-stage.ts";
import { need } from "../support/needs.ts";
import { oracleAvailable, OracleFollower } from "../support/oracle.ts";
import { LIMIT_MS, statusOf } from "./follow-questions.ts";

const RENEWED_MS = 10_000;

const linux = need("linux", process.platform === "linux");

describe.if(linux && oracleAvailable())("a follower that gives no status", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-unseen");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const [name, lose] of [
    ["was removed", (path: string) => rmSync(path)],
    ["was replaced by a file", (path: string) => (rmSync(path), writeFileSync(path, "precious"))],
  ] as const) {
    test.concurrent(
      `because its socket ${name} is named, and answers again within 10 s`,
      async () => {
        const leader = await stage.leader("0.15.0");
        const dir = stage.fresh("replica");
        const follower = await stage.follower(leader.address, dir);
        const path = join(dir, "armdb.sock");
        lose(path);
        const lostAtMs = performance.now();
        const run = await runArmdb(["status", dir, "--json"]);
        if (run.status !== 0) {
          expect([run.status, run.stdout]).toEqual([5, ""]);
          expect(run.error?.["message"]).toContain(`Process ${follower.pid} has "${dir}" open`);
        }
        const again = await eventually(
          () => runArmdb(["status", dir, "--json"]),
          ({ status }) => status === 0,
          RENEWED_MS,
        );
        expect(performance.now() - lostAtMs).toBeLessThan(RENEWED_MS);
        expect(JSON.parse(again.stdout)).toMatchObject({ running: true, pid: follower.pid });
        expect(follower.stderr).toContain("and is made anew");
        if (existsSync(`${path}.moved`)) {
          expect(readFileSync(`${path}.moved`, "utf8")).toBe("precious");
        }
        await expectGoodStop(follower);
        expect(existsSync(path)).toBe(false);
      },
      LIMIT_MS,
    );
  }

  test.concurrent(
    "because it is suspended is named with the way to go on",
    async () => {
      const leader = await stage.leader("0.15.0");
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir);
      follower.signal("SIGSTOP");
      const run = await runArmdb(["status", dir, "--json"]);
      expect(run.status).toBe(5);
      expect(run.error?.["message"]).toContain(`Process ${follower.pid} on "${dir}" was suspended`);
      expect(run.error?.["hint"]).toBe(`kill -CONT ${follower.pid}`);
      follower.signal("SIGCONT");
      const again = await eventually(
        () => statusOf(dir),
        ({ document }) => document.running,
      );
      expect(again.document.pid).toBe(follower.pid);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );

  test.concurrent(
    "because it is the crate's own, without a lock, is named",
    async () => {
      const leader = await stage.leader("0.1.14");
      const dir = stage.fresh("crate");
      await using crate = await OracleFollower.start({
        ...SMALL,
        version: "0.1.14",
        dir,
        leader: leader.address,
      });
      const run = await runArmdb(["status", dir, "--json"]);
      expect([run.status, run.stdout]).toEqual([5, ""]);
      expect(run.error?.["message"]).toMatch(/^Process \d+ has /);
      expect(crate.dir).toBe(dir);
    },
    LIMIT_MS,
  );
});

describe.if(linux)("a follower that has not reached its leader", () => {
  for (const [name, data, isThere] of [
    ["a new directory", "replica", false],
    ["a new directory, by a relative path", "./replica/", false],
    ["an empty directory", "replica", true],
  ] as const) {
    test.concurrent(
      `is seen to run: ${name}`,
      async () => {
        await using stage = new FollowStage("unreached");
        const dir = stage.fresh("place");
        mkdirSync(dir);
        const replica = join(dir, "replica");
        if (isThere) mkdirSync(replica);
        const before = await runArmdb(["status", replica, "--json"]);
        expect(before.status).toBe(10);
        await using follower = Armdb.replicate("127.0.0.1:1", data, [], { cwd: dir });
        await follower.line({ type: "shard" });
        const run = await runArmdb(["status", replica, "--json"]);
        expect(run.status).toBe(4);
        expect(JSON.parse(run.stdout) as StatusDocument).toMatchObject({
          running: true,
          verdict: "behind",
          leader: "127.0.0.1:1",
          pid: follower.pid,
          shards: [],
        });
        const text = (await runArmdb(["status", replica])).stdout;
        expect(text).toContain("behind: no shard of 127.0.0.1:1 yet");
        expect(text.replaceAll(/\s+/g, " ")).toContain(
          `process ${follower.pid} has not reached it yet; nothing is made in`,
        );
        expect((await runArmdb(["status", dirname(dir)])).status).toBe(10);
        expect((await follower.stop()).status).toBe(0);
      },
      LIMIT_MS,
    );
  }
});
