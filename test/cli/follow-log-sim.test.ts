// The log of a follower off a terminal, over an hour and more of simulated time: it says what happens, and is silent else. Days
// of it are in follow-log-day.slow.test.ts.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ERROR_EVENTS_DROPPED } from "../../src/wire/messages.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { shownFollower } from "./shown-follower.ts";

setDefaultTimeout(60_000);

const MINUTE_MS = 60_000;

describe.each(GENERATIONS)("a follower of generation %d", (generation) => {
  test("says nothing in an hour of live stream", () => {
    const stage = new SimStage({ generation, shards: 4 });
    for (let shard = 0; shard < 4; shard++) stage.leader.put(shard, 1, 1);
    const shown = shownFollower(stage);
    stage.until("ready", () => shown.follower.ready, MINUTE_MS);
    stage.clock.advance(MINUTE_MS);
    shown.news();
    // With the rescan that comes each hour.
    for (let minute = 0; minute < 60; minute++) {
      stage.leader.put(1, 1, minute);
      stage.clock.advance(MINUTE_MS);
    }
    expect(shown.follower.shard().scansDone).toBeGreaterThan(1);
    expect(shown.news()).toEqual([]);
  });

  test("says that its leader went, why it waits, and that all is well again: each once", () => {
    const stage = new SimStage({ generation, shards: 4 });
    const shown = shownFollower(stage);
    stage.until("ready", () => shown.follower.ready, MINUTE_MS);
    stage.clock.advance(2 * MINUTE_MS);
    shown.news();
    stage.leader.stop();
    stage.clock.advance(30 * MINUTE_MS);
    const away = shown.news();
    expect(away).toHaveLength(3);
    expect(away[0]).toStartWith("warning: shards 0 to 3: ");
    expect(away[1]).toStartWith("0 of 4 shards live, 4 waiting (");
    expect(away[2]).toMatch(/^warning: shards 0 to 3: .*ECONNREFUSED/);
    stage.leader.start();
    stage.clock.advance(30 * MINUTE_MS);
    const back = shown.news();
    expect(back.filter((line) => line.includes("live"))).toEqual(["4 of 4 shards live"]);
    expect(back.length).toBeLessThanOrEqual(generation === 1 ? 4 : 7);
    expect(back.every((line) => line.includes("live") || line.includes(": rescan, "))).toBe(true);
  });
});

describe("a leader of 32 shards that ends each connection 250 ms after CaughtUp", () => {
  function complaining(text: () => string, seconds: number) {
    const stage = new SimStage({ generation: 3, shards: 32 });
    stage.leader.complains = { afterMs: 250, text };
    const shown = shownFollower(stage);
    stage.clock.advance(seconds * 1_000);
    return { connections: stage.leader.connectionsEver, shown };
  }

  test.each([
    ["saying that it dropped events", () => ERROR_EVENTS_DROPPED],
    ["with 512 characters of its own", () => Math.random().toString(36).repeat(60).slice(0, 512)],
  ])("%s, sets neither the rate of connections nor that of lines", (_what, text) => {
    const { connections, shown } = complaining(text, 15);
    // Four almost at once, then after 1, 2, 4 and 8 s.
    expect(connections).toBeLessThan(32 * 9);
    expect(shown.said().length).toBeLessThanOrEqual(8);
    expect(shown.stderr.text.length).toBeLessThan(4_000);
  });

  test("is told of once and for all, for as long as it goes on", () => {
    const { connections, shown } = complaining(() => ERROR_EVENTS_DROPPED, 600);
    expect(connections).toBeLessThan(32 * 30);
    expect(shown.said().length).toBeLessThanOrEqual(8);
  });
});
