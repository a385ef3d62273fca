// A follower over HTTP, with real leaders and the program as a process: metrics that move, health that a dead leader ends, readiness,
// and addresses that cannot be had.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Armdb, runArmdb } from "../support/armdb.ts";
import { BUILD_LIMIT_MS, expectGoodStop, FollowStage } from "../support/follow-stage.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { TempRoot } from "../support/temp.ts";
import {
  addressOf,
  get,
  HTTP,
  LIMIT_MS,
  metricsOf,
  statusOf,
  sumOf,
  eventually,
} from "./follow-questions.ts";

describe.if(oracleAvailable())("a follower over HTTP", () => {
  let stage: FollowStage;
  beforeAll(async () => {
    stage = new FollowStage("follow-http");
  }, BUILD_LIMIT_MS);
  afterAll(() => stage[Symbol.asyncDispose]());

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
      const named = stalled.document.shards.find(({ state }) => state === "stalled");
      expect(named?.lastError).toContain("no heartbeat");
      leader.signal("SIGCONT");
      const again = await eventually(
        () => get(`${address}/health`),
        ({ status }) => status === 200,
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
