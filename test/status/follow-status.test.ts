// A follower shows itself, with real leaders and the program as a process: `armdb status` while it lives and after, the service
// manager, SIGUSR1, a second follower on the same directory, and what somebody plants at the socket's name.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Armdb, replicateOnce } from "../support/armdb.ts";
import { BUILD_LIMIT_MS, expectGoodStop, FollowStage } from "../support/follow-stage.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { TerminalProgram } from "../support/program.ts";
import { modeOf } from "../support/temp.ts";
import { addressOf, HTTP, LIMIT_MS, statusOf, eventually } from "./follow-questions.ts";
import { NoticeReceiver } from "./notice-receiver.ts";
import { need } from "../support/needs.ts";

describe.if(oracleAvailable())("a follower that runs", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-status");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  test(
    "tells its status live over its socket, and its files tell it after it stopped",
    async () => {
      const leader = await stage.leader("0.1.14");
      await leader.fill(0, 1500, 1);
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir);
      const live = await eventually(
        () => statusOf(dir),
        ({ document }) => document.verdict === "live",
      );
      expect(live.status).toBe(0);
      expect(live.document).toMatchObject({
        running: true,
        leader: leader.address,
        protocol: 1,
        ready: true,
        pid: follower.pid,
      });
      expect(live.document.connectionsToday).toBeGreaterThanOrEqual(3);
      expect(live.document.shards).toHaveLength(3);
      const occupied = live.document.shards.reduce((sum, shard) => sum + (shard.occupied ?? 0), 0);
      expect(occupied).toBe(1500);
      for (const shard of live.document.shards) {
        expect(shard).toMatchObject({ state: "live", divergedSlots: 0, lastError: null });
        expect(shard.lagMs).toBeLessThan(7_000);
        expect(shard.scanningShare).toBeLessThan(0.2);
      }
      expect(lstatSync(join(dir, "armdb.sock")).isSocket()).toBe(true);
      expect(modeOf(join(dir, "armdb.sock"))).toBe("600");

      await expectGoodStop(follower);
      expect(existsSync(join(dir, "armdb.sock"))).toBe(false);
      const stopped = await statusOf(dir);
      expect(stopped.status).toBe(5);
      expect(stopped.document).toMatchObject({
        running: false,
        verdict: "stopped",
        leader: leader.address,
        protocol: 1,
      });
      expect(stopped.document.shards.map(({ occupied: records }) => records)).toEqual(
        live.document.shards.map(({ occupied: records }) => records),
      );
      // Nobody follows, and it goes on: what is here is as old as that.
      for (const { lagMs, scansTotal } of stopped.document.shards) {
        expect([lagMs, scansTotal]).toEqual([expect.any(Number), expect.any(Number)]);
        expect(lagMs).toBeLessThan(30_000);
      }
    },
    LIMIT_MS,
  );

  test(
    "knows when a busy leader was last heard of between two reports of a shard's thread",
    async () => {
      const leader = await stage.leader("0.1.14");
      const dir = stage.fresh("busy");
      const follower = await stage.follower(leader.address, dir);
      await eventually(
        () => statusOf(dir),
        ({ document }) => document.verdict === "live",
      );
      const load = leader.rate(500, 10, 1, 1_000);
      // Figures come once a second: without a word between them their age passes 500 ms in any two seconds.
      let freshSinceMs = performance.now();
      const deadlineMs = freshSinceMs + 10_000;
      while (performance.now() - freshSinceMs < 2_000) {
        if (performance.now() > deadlineMs)
          throw new Error("the last frame's age went past 500 ms");
        const { document } = await statusOf(dir);
        const isFresh = document.shards.every(
          ({ lastFrameMsAgo }) => (lastFrameMsAgo ?? 1e9) < 500,
        );
        if (!isFresh) freshSinceMs = performance.now();
      }
      await load;
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );

  test(
    "keeps a second follower away, which learns its pid",
    async () => {
      const leader = await stage.leader("0.15.0");
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir, HTTP);
      const port = new URL(await addressOf(follower)).port;
      for (const more of [[], ["--http", port], ["--force"]]) {
        const second = await replicateOnce(leader.address, dir, more);
        expect(second.status).toBe(11);
        expect(second.error?.["message"]).toContain(`process ${follower.pid}`);
      }
      expect(existsSync(join(dir, "armdb.sock"))).toBe(true);
      expect((await statusOf(dir)).document.running).toBe(true);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );

  test(
    "killed, it leaves a socket that means nothing, and the next one takes its place",
    async () => {
      const leader = await stage.leader("0.15.0");
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir);
      await follower.kill();
      expect(lstatSync(join(dir, "armdb.sock")).isSocket()).toBe(true);
      const left = { running: false, verdict: "stopped", complete: true };
      expect((await statusOf(dir)).document).toMatchObject(left);
      const next = await stage.follower(leader.address, dir);
      expect((await statusOf(dir)).document.pid).toBe(next.pid);
      await expectGoodStop(next);
    },
    LIMIT_MS,
  );

  test.if(need("linux", process.platform === "linux"))(
    "tells the service manager when it is ready, how it is, and that it stops",
    async () => {
      const leader = await stage.leader("0.1.14");
      await leader.fill(0, 500, 1);
      await using manager = await NoticeReceiver.start(stage.fresh("manager"));
      const env = { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "3000000" };
      const dir = stage.fresh("replica");
      await using follower = Armdb.replicate(leader.address, dir, [], { env });
      await manager.until(() => manager.words.includes("READY=1"));
      const readyAt = manager.words.indexOf("READY=1");
      await follower.ready();
      expect(manager.words.slice(0, readyAt).join()).not.toContain("live: 3 of 3");
      await manager.until(() =>
        manager.words.some((word) => word.startsWith("STATUS=live: 3 of 3")),
      );
      const fed = () => manager.words.filter((word) => word === "WATCHDOG=1").length;
      await manager.until(() => fed() >= 2);
      const { status } = await follower.stop();
      expect(status).toBe(0);
      expect(manager.words).toContain("STOPPING=1");
      expect(manager.words.filter((word) => word === "READY=1")).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test(
    "prints the state of each shard on SIGUSR1, and goes on",
    async () => {
      const leader = await stage.leader("0.15.0");
      const follower = await stage.follower(leader.address, stage.fresh("replica"));
      follower.signal("SIGUSR1");
      const text = await eventually(
        () => follower.stderr,
        (stderr) => stderr.includes("diverged"),
      );
      expect(text).toContain(`following ${leader.address}`);
      expect(text).toMatch(/ {4}2 {2}live/);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );

  test(
    "is watched on a terminal, in place, until Ctrl-C",
    async () => {
      const leader = await stage.leader("0.15.0");
      await leader.fill(0, 30, 1);
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir);
      const terminal = new TerminalProgram(["status", dir, "--watch"], { columns: 80, rows: 24 });
      await terminal.until("live: 3 shards, following");
      // Drawn again: a second may be skipped, ten of them are not.
      await terminal.until("up 1");
      terminal.type("\x03");
      expect(await terminal.ended()).toBe(130);
      expect(terminal.text).toContain("\x1b[?25l");
      expect(terminal.text.lastIndexOf("\x1b[?25h")).toBeGreaterThan(
        terminal.text.lastIndexOf("\x1b[?25l"),
      );
      expect(terminal.plain.trimEnd().split("\n").at(-1)).toMatch(/^ {4}2 {2}live/);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );

  test(
    "works in a directory whose name is longer than a socket's may be",
    async () => {
      const leader = await stage.leader("0.15.0");
      const parent = join(stage.fresh("deep"), "d".repeat(150));
      mkdirSync(parent, { recursive: true });
      const dir = join(parent, "replica");
      const follower = await stage.follower(leader.address, dir);
      expect((await statusOf(dir)).document.pid).toBe(follower.pid);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );
});

describe.if(oracleAvailable())("what lies at the socket's name", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("planted-socket");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

  test(
    "and is no socket ends a follower with 15, and stays as it is",
    async () => {
      const leader = await stage.leader("0.15.0");
      const dir = stage.fresh("replica");
      await stage.once(leader.address, dir);
      const target = stage.fresh("target");
      writeFileSync(target, "precious");
      symlinkSync(target, join(dir, "armdb.sock"));
      const run = await replicateOnce(leader.address, dir);
      expect([run.status, run.error?.["code"]]).toEqual([15, "storage"]);
      expect(run.error?.["message"]).toContain("a symbolic link lies there");
      expect(readFileSync(target, "utf8")).toBe("precious");
    },
    LIMIT_MS,
  );
});
