// Metrics of a follower in simulated time: a gauge without a value is absent, and a counter never goes back in a run.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { METRICS, metricsText } from "../../src/status/metrics.ts";
import type { SimFollower } from "../support/sim-follower.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { sourceOf } from "./lag-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const FIGURES = { residentBytes: 1, cpuSeconds: 1, droppedLines: 0 };
const IDENTITY = { version: "0.1.0", commit: "unknown", directory: "/replica" };

/** Values of the series of shard 0, by name. */
function metricsOf(stage: SimStage, follower: SimFollower): ReadonlyMap<string, string> {
  const document = sourceOf(stage, follower).document();
  const lines = metricsText(document, FIGURES, IDENTITY, 30_000).split("\n");
  const pairs = lines.flatMap((line) => {
    const found = /^(armdb_shard_\w+)\{shard="0"\} (\S+)$/.exec(line);
    return found === null ? [] : [[found[1] ?? "", found[2] ?? ""] as const];
  });
  return new Map(pairs);
}

describe("before the leader was ever reached", () => {
  test("gauges of files that are not there, and of a scan that never was, are absent", () => {
    const stage = new SimStage();
    stage.leader.stop();
    const follower = stage.follow();
    stage.until("waiting", () => follower.states().at(-1) === "waiting", 10_000);
    const values = metricsOf(stage, follower);
    const names = [
      ...["slots", "occupied_slots", "scanned_events", "max_version", "durable_lag_seconds"],
      ...["torn_slots_loaded", "slowest_write_seconds", "last_full_scan_timestamp_seconds"],
      ...["last_full_scan_duration_seconds", "last_frame_timestamp_seconds", "scan_owed_seconds"],
    ];
    const given = names.filter((name) => values.has(`armdb_shard_${name}`));
    expect(given).toEqual([]);
    expect(values.has("armdb_shard_applied_events_total")).toBe(false);
    expect(values.get("armdb_shard_reconnects_total")).toBe("1");
  });

  test("all of them are there once it was", () => {
    const stage = new SimStage();
    stage.leader.put(0, 1, 1);
    const follower = stage.follow();
    stage.until("live", () => follower.states().at(-1) === "live", 10_000);
    const values = metricsOf(stage, follower);
    const shard = METRICS.filter(({ name }) => /^armdb_shard_(?!state)/.test(name));
    const missing = shard.filter(({ name }) => !values.has(name)).map(({ name }) => name);
    expect(missing).toEqual(["armdb_shard_scan_owed_seconds"]);
  });
});

const COUNTERS = METRICS.filter(({ name, type }) => type === "counter" && /_shard_/.test(name));

describe("a thread that dies and is started again", () => {
  for (const generation of GENERATIONS) {
    test(`takes no counter back, and counts on (generation ${generation})`, () => {
      const stage = new SimStage({ generation });
      const { leader } = stage;
      for (let slot = 0; slot < 50; slot++) leader.put(0, slot, 1);
      const follower = stage.follow({
        settings: { resyncMs: 20_000, pollMs: 20_000, sync: "off" },
      });
      stage.until("live", () => follower.states().at(-1) === "live", 10_000);
      for (let slot = 0; slot < 30; slot++) leader.put(0, slot, 2);
      stage.clock.advance(50_000);
      let before: ReadonlyMap<string, string>;
      for (let death = 0; death < 3; death++) {
        for (let slot = 0; slot < 10; slot++) leader.put(0, slot, death + 3);
        // Told, and newer than the cursor on disk.
        stage.clock.advance(1_500);
        before = metricsOf(stage, follower);
        follower.killThread(0, "of a bug");
        for (let look = 0; look < 200; look++) {
          stage.clock.advance(100);
          const now = metricsOf(stage, follower);
          for (const { name } of COUNTERS) {
            const [was, is] = [Number(before.get(name)), Number(now.get(name))];
            expect({ name, isBack: is < was }).toEqual({ name, isBack: false });
          }
          before = now;
        }
        stage.clock.advance(30_000);
      }
      const after = metricsOf(stage, follower);
      const count = (name: string) => Number(after.get(`armdb_shard_${name}_total`));
      expect([count("thread_restarts"), count("applied_events")]).toEqual([3, 110]);
      expect(count("scans")).toBeGreaterThan(5);
    });
  }
});
