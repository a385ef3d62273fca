// A follower that has used up the day's connections to a leader of protocol 1, in simulated time: status, STATUS= and the log say the
// limit and the time of the next connection, and the log says it once.

import { expect, test } from "bun:test";
import { limitText } from "../../src/replica/machine/connections.ts";
import { statusLine } from "../../src/status/status-line.ts";
import { StatusSource } from "../../src/status/status-source.ts";
import { SimStage } from "../support/sim-stage.ts";

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
