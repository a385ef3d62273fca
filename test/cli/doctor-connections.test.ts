// Doctor on the day's connections to a leader of protocol 1: how many are used up, and when the next one may be made.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkConnections, lookInside } from "../../src/cli/doctor/content-checks.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { FixtureCopy } from "../audit/repair-support.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;

/** What doctor says with so many connections, the oldest of them 23 h ago. */
function checked(connections: number, protocol: number, asked: string | null) {
  using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
  const clock = new ManualClock();
  const oldestMs = clock.wallMs() - 23 * HOUR_MS;
  const connectionsAtMs = Array.from(
    { length: connections },
    (_, index) => oldestMs + index * 1_000,
  );
  const state = { schema: 1, leader: "db:7400", protocol, shards: [], connectionsAtMs };
  writeFileSync(join(copy.path, "armdb.state.json"), JSON.stringify(state));
  return { clock, checks: checkConnections(lookInside(realDisk, copy.path), asked, clock) };
}

describe("doctor on connections", () => {
  test("says how many of the day are used up", () => {
    expect(checked(999, 1, "db:7400").checks).toEqual([
      {
        name: "connections",
        result: "ok",
        message: "999 connections of 1000 in the last 24 hours",
      },
    ]);
  });

  test("at the limit says so, and when the next one may be made", () => {
    const { clock, checks } = checked(1_000, 1, null);
    const next = new Date(clock.wallMs() + HOUR_MS);
    const at = [next.getHours(), next.getMinutes()].map((part) => `${part}`.padStart(2, "0"));
    const text = `at the limit of --leader-connections (1000 a day); next try at ${at.join(":")}`;
    expect(checks).toMatchObject([{ name: "connections", result: "warn", message: text }]);
    expect(checks[0]?.hint).toBeString();
  });

  test("has nothing to say of protocol 2, or of another leader", () => {
    expect(checked(2_000, 2, null).checks).toEqual([]);
    expect(checked(2_000, 1, "other:7400").checks).toEqual([]);
  });
});
