// A follower shows itself, with real leaders and the program as a process: `armdb status` while it lives and after, HTTP, the
// service manager, SIGUSR1, a second follower on the same directory, and what somebody plants at the socket's name.

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
import type { StatusDocument } from "../../src/status/status-types.ts";
import { Armdb, replicateOnce, runArmdb } from "../support/armdb.ts";
import {
  BUILD_LIMIT_MS,
  eventually,
  expectGoodStop,
  FollowStage,
} from "../support/follow-stage.ts";
import { buildOracle, oracleAvailable } from "../support/oracle.ts";
import { TerminalProgram } from "../support/program.ts";
import { modeOf, TempRoot } from "../support/temp.ts";
import { NoticeReceiver } from "./notice-receiver.ts";

const LIMIT_MS = 90_000;
const HTTP = ["--http", "0"];

async function statusOf(dir: string): Promise<{ status: number | null; document: StatusDocument }> {
  const run = await runArmdb(["status", dir, "--json"]);
  return { status: run.status, document: JSON.parse(run.stdout) as StatusDocument };
}

async function addressOf(follower: Armdb): Promise<string> {
  return `http://${String((await follower.line({ type: "http" }))["at"])}`;
}

async function get(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(url, { keepalive: false });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** Values of /metrics by name and labels. */
async function metricsOf(address: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${address}/metrics`, { keepalive: false })).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1).replace("+Inf", "Infinity"))];
    }),
  );
}

/** The sum of a series over all shards. */
function sumOf(values: ReadonlyMap<string, number>, name: string): number {
  return [...values].reduce(
    (sum, [key, value]) => (key.startsWith(`${name}{`) ? sum + value : sum),
    0,
  );
}

describe.if(oracleAvailable())("a follower that runs", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-status");
    await buildOracle();
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
      expect(stopped.document.shards.every(({ lagMs }) => lagMs === null)).toBe(true);
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
      expect((await statusOf(dir)).document).toMatchObject({ running: false, verdict: "stopped" });
      const next = await stage.follower(leader.address, dir);
      expect((await statusOf(dir)).document.pid).toBe(next.pid);
      await expectGoodStop(next);
    },
    LIMIT_MS,
  );

  test(
    "serves metrics that move with what the leader writes, health and readiness",
    async () => {
      const leader = await stage.leader("0.1.14");
      await leader.fill(0, 500, 1);
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir, HTTP);
      const address = await addressOf(follower);
      expect(address).toStartWith("http://127.0.0.1:");
      expect(await get(`${address}/ready`)).toMatchObject({ status: 200, body: { ready: true } });
      await eventually(
        () => get(`${address}/status.json`),
        ({ body }) => body["verdict"] === "live",
      );
      expect(await get(`${address}/health`)).toMatchObject({ status: 200, body: { reasons: [] } });
      const before = await metricsOf(address);
      await leader.churn(2000, 3, 1000);
      const wanted = await leader.count();
      const after = await eventually(
        () => metricsOf(address),
        (values) => sumOf(values, "armdb_shard_occupied_slots") === wanted,
      );
      for (const name of [
        "armdb_shard_occupied_slots",
        "armdb_shard_applied_events_total",
        "armdb_shard_received_bytes_total",
        "armdb_shard_max_version",
        "armdb_shard_last_frame_timestamp_seconds",
        "armdb_shard_last_word_timestamp_seconds",
      ]) {
        expect([name, sumOf(after, name)]).not.toEqual([name, sumOf(before, name)]);
      }
      expect(after.get("armdb_uptime_seconds")).toBeGreaterThan(
        before.get("armdb_uptime_seconds") ?? 0,
      );
      expect([after.get("armdb_shards"), after.get("armdb_leader_protocol")]).toEqual([3, 1]);
      expect((await fetch(`${address}/metrics`, { method: "POST" })).status).toBe(405);
      await expectGoodStop(follower);
      await expect(fetch(`${address}/metrics`)).rejects.toThrow();
    },
    LIMIT_MS,
  );

  test(
    "is not healthy once its leader is dead, or holds still",
    async () => {
      const leader = await stage.leader("0.15.0");
      await leader.fill(0, 100, 1);
      const dir = stage.fresh("replica");
      const follower = await stage.follower(leader.address, dir, [...HTTP, "--max-lag", "8s"]);
      const address = await addressOf(follower);
      // An idle leader is no lag: past its next heartbeat all is well.
      const beats = (await metricsOf(address)).get(
        'armdb_shard_last_frame_timestamp_seconds{shard="0"}',
      );
      await eventually(
        () => metricsOf(address),
        (values) =>
          values.get('armdb_shard_last_frame_timestamp_seconds{shard="0"}') !== beats &&
          values.get("armdb_healthy") === 1,
      );
      expect((await get(`${address}/health`)).status).toBe(200);
      leader.signal("SIGSTOP");
      const late = await eventually(
        () => get(`${address}/health`),
        ({ status }) => status === 503,
      );
      expect(JSON.stringify(late.body)).toContain("is above 8000 ms");
      const stalled = await eventually(
        () => statusOf(dir),
        ({ document }) => document.verdict === "stalled",
      );
      expect(stalled.status).toBe(4);
      expect(stalled.document.shards[0]?.lastError).toContain("no heartbeat");
      leader.signal("SIGCONT");
      const again = await eventually(
        () => get(`${address}/health`),
        ({ status }) => status === 200,
        40_000,
      );
      expect(again.status).toBe(200);
      await leader.kill();
      const dead = await eventually(
        () => get(`${address}/health`),
        ({ status }) => status === 503,
      );
      expect(dead.status).toBe(503);
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );

  test.if(process.platform === "linux")(
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
      await terminal.until("up 3");
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

  test(
    "warns when it serves HTTP beyond this machine",
    async () => {
      const leader = await stage.leader("0.15.0");
      const options = ["--http", "0.0.0.0:0"];
      const follower = await stage.follower(leader.address, stage.fresh("replica"), options);
      expect(follower.stderr).toContain("no password and no encryption");
      await expectGoodStop(follower);
    },
    LIMIT_MS,
  );
});

describe("a follower that cannot show itself", () => {
  let temp: TempRoot;
  beforeAll(() => {
    temp = new TempRoot("cannot-show");
  });
  afterAll(() => temp[Symbol.dispose]());

  test("for an --http that is no address: exit 2, nothing made", async () => {
    const dir = temp.fresh("replica");
    const run = await runArmdb(["replicate", "127.0.0.1:1", "--data", dir, "--http", "db1:9"]);
    expect([run.status, existsSync(dir)]).toEqual([2, false]);
  });

  test("for an address that is taken: exit 2, nothing made", async () => {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: () => new Response(),
    });
    const dir = temp.fresh("replica");
    const http = ["--http", String(server.port)];
    const run = await runArmdb(["replicate", "127.0.0.1:1", "--data", dir, ...http]);
    await server.stop(true);
    expect([run.status, existsSync(dir)]).toEqual([2, false]);
    expect(run.stderr).toContain("Cannot listen on");
  });

  test("while its leader cannot be reached it says so over HTTP", async () => {
    const dir = temp.fresh("replica");
    await using follower = Armdb.replicate("127.0.0.1:1", dir, HTTP);
    const address = await addressOf(follower);
    const health = await eventually(
      () => get(`${address}/health`),
      ({ body }) => JSON.stringify(body).includes("ECONNREFUSED"),
    );
    expect(health.status).toBe(503);
    expect(JSON.stringify(health.body)).toContain("never caught up");
    expect((await get(`${address}/ready`)).status).toBe(503);
    const metrics = await metricsOf(address);
    expect(metrics.get('armdb_shard_lag_seconds{shard="0"}')).toBe(Number.POSITIVE_INFINITY);
    expect((await follower.stop()).status).toBe(0);
  });
});

describe.if(oracleAvailable())("what lies at the socket's name", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("planted-socket");
    await buildOracle();
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
