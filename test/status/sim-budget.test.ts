// A follower that has used up the day's connections to a leader of protocol 1, in simulated time: status, STATUS= and the log say the
// limit and the time of the next connection, and the log says it once.

import { expect, setDefaultTimeout, test } from "bun:test";
import { healthReasons } from "../../src/status/health.ts";
import { limitText } from "../../src/replica/machine/connections.ts";
import { statusLine } from "../../src/status/status-line.ts";
import { StatusSource } from "../../src/status/status-source.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

test("a wait for --leader-connections says the limit and the time of the next one, once a wait", () => {
  const stage = new SimStage({ generation: 1 });
  stage.leader.put(0, 1, 1);
  const follower = stage.follow({ connectionsPerDay: 3 });
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  const source = new StatusSource({
    ...{ supervisor: follower.supervisor, clock: stage.clock, host: "db", port: 7400, pid: 1 },
    ...{ connectionsPerDay: 3, sync: "group", found: null },
  });
  expect(source.document().connectionsNextAtMs).toBeNull();
  for (let lost = 0; lost < 5 && source.document().connectionsNextAtMs === null; lost++) {
    stage.connectionOf(0).reset();
    stage.clock.advance(10_000);
  }
  stage.clock.advance(3_600_000);
  const { connectionsNextAtMs, shards, verdict } = source.document();
  const nextAtMs = connectionsNextAtMs ?? 0;
  expect(nextAtMs).toBeGreaterThan(stage.clock.wallMs() + 22 * 3_600_000);
  expect(nextAtMs).toBeLessThan(stage.clock.wallMs() + 24 * 3_600_000);
  const text = limitText({ untilMs: nextAtMs, limit: 3 });
  expect(text).toMatch(/^at the limit of --leader-connections \(3 a day\); next try at \d\d:\d\d$/);
  expect([verdict, shards[0]?.state, shards[0]?.activity]).toEqual(["behind", "waiting", text]);
  expect(shards[0]?.owed?.heldUntilMs ?? nextAtMs).toBe(nextAtMs);
  expect(statusLine(source.document())).toBe(`waiting: ${text}`);
  expect(follower.log.filter((line) => line.includes("at the limit"))).toEqual([text]);
});

test("a scan that a loss owes and the limit holds back shows: until when, with a lag that grows and no health", () => {
  const stage = new SimStage({ generation: 1, slots: 400 });
  stage.leader.put(0, 1, 1);
  // All of them are used when it is live.
  const follower = stage.follow({ connectionsPerDay: 2, settings: { resyncMs: null } });
  stage.until("live", () => follower.states().at(-1) === "live", 20_000);
  const source = new StatusSource({
    ...{ supervisor: follower.supervisor, clock: stage.clock, host: "db", port: 7400, pid: 1 },
    ...{ connectionsPerDay: 2, sync: "group", found: null },
  });
  const lostAtMs = stage.clock.nowMs();
  for (let write = 0; write < 20_000; write++) stage.leader.put(0, write % 400, write);
  stage.clock.advance(40_000);
  const { connectionsNextAtMs, shards } = source.document();
  expect(connectionsNextAtMs).toBeGreaterThan(stage.clock.wallMs() + 23 * 3_600_000);
  expect(shards[0]).toMatchObject({
    state: "live",
    owed: { why: "loss", heldUntilMs: connectionsNextAtMs },
  });
  expect(shards[0]?.lagMs).toBeGreaterThanOrEqual(stage.clock.nowMs() - lostAtMs);
  expect(healthReasons(source.document(), 30_000).map(({ reason }) => reason)).toEqual([
    expect.stringMatching(/^lag \d+ ms is above 30000 ms/),
  ]);
  expect(stage.leader.connectionsEver).toBeLessThanOrEqual(2);
  // A day later one is free, and pays.
  stage.clock.advance(24 * 3_600_000);
  stage.expectEqual();
  expect(source.document().shards[0]?.owed).toBeNull();
});
