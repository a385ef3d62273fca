// /metrics: the text format, and that each series of the table moves when what it is about moves.

import { describe, expect, test } from "bun:test";
import type { ProcessSaid } from "../../src/status/metrics.ts";
import { METRICS, metricsText } from "../../src/status/metrics.ts";
import { SHARD_STATES, type StatusDocument } from "../../src/status/status-types.ts";
import { documentOf, NOW_MS, viewOf } from "./facts.ts";

const FIGURES = { residentBytes: 80_000_000, cpuSeconds: 1.5, droppedLines: 0 };

const IDENTITY = { version: "0.1.0", commit: "ea0b3a441de1", directory: "/var/lib/armdb" };
const STATE = "armdb_shard_state";
const OF_SHARD = METRICS.filter(({ name }) => name.startsWith("armdb_shard_") && name !== STATE);
const OF_FOLLOWER = METRICS.filter(({ name }) => !/^armdb_shard_|_info$/.test(name));

/** Values by name and labels. */
function valuesOf(document: StatusDocument, figures: ProcessSaid = FIGURES): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of metricsText(document, figures, IDENTITY, 30_000).split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    values.set(line.slice(0, space), line.slice(space + 1));
  }
  return values;
}

const OWED = { why: "loss", sinceMs: 5_000, heldUntilMs: null } as const;
const before = documentOf([viewOf({ owed: OWED }), viewOf({ shard: 1, owed: OWED })]);
const after = documentOf(
  [
    viewOf(
      {
        state: "diverged",
        slots: 2000,
        occupied: 601,
        scanned: 651,
        scansDone: 2,
        bytesReceived: 20_001,
        appliedTotal: 651n,
        skippedTotal: 11n,
        healedTotal: 1,
        rescannedTotal: 1,
        replacedTotal: 1,
        resetsSaved: 1,
        tornLoaded: 1,
        divergedSlots: 1,
        reconnects: 1,
        connections: 2,
        lastFrameAtMs: NOW_MS - 1_000,
        lastFullScanAtMs: NOW_MS - 50_000,
        lastFullScanTookMs: 501,
        oldestUnsyncedAtMs: NOW_MS - 540,
        ready: false,
        maxVersionSeen: 8,
        slowWrites: 1,
        slowestWriteMs: 101,
        scanningShare: 0.02,
        complete: false,
        suspectSlots: 1,
        owed: { ...OWED, sinceMs: 6_000 },
      },
      { heardAtMs: NOW_MS - 400, restarts: 1 },
    ),
    viewOf({ shard: 1, owed: OWED }),
    viewOf({ shard: 2 }),
  ],
  { protocol: 2, connectionsToday: 4, startedAtMs: NOW_MS - 121_000 },
);

describe("/metrics", () => {
  const valuesBefore = valuesOf(before);
  const valuesAfter = valuesOf(after, {
    residentBytes: 90_000_000,
    cpuSeconds: 1.6,
    droppedLines: 1,
  });

  for (const { name } of OF_FOLLOWER) {
    test(`${name} moves`, () => {
      expect(valuesBefore.get(name)).toMatch(/^[0-9.]+$/);
      expect(valuesAfter.get(name)).not.toBe(valuesBefore.get(name) as string);
    });
  }

  for (const { name, type } of OF_SHARD) {
    test(`${name} moves, for its shard alone`, () => {
      const place = `${name}{shard="0"}`;
      expect(valuesBefore.get(place)).toMatch(/^[0-9.]+$/);
      expect(valuesAfter.get(place)).not.toBe(valuesBefore.get(place) as string);
      expect(valuesAfter.get(`${name}{shard="1"}`)).toBe(valuesBefore.get(place) as string);
      if (type === "counter") {
        expect(Number(valuesAfter.get(place))).toBeGreaterThan(Number(valuesBefore.get(place)));
      }
    });
  }

  test("the durable lag grows with a call of the disk that has not come back", () => {
    const call = { call: "pwrite", sinceMs: NOW_MS - 12_000 } as const;
    const values = valuesOf(documentOf([viewOf({ call })]));
    expect(values.get('armdb_shard_durable_lag_seconds{shard="0"}')).toBe("12");
  });

  test("the state series is 1 for one state of a shard", () => {
    for (const state of SHARD_STATES) {
      const values = valuesOf(documentOf([viewOf({ state })]));
      const on = SHARD_STATES.filter(
        (each) => values.get(`${STATE}{shard="0",state="${each}"}`) === "1",
      );
      expect(on).toEqual([state]);
    }
  });

  test("a shard that never caught up has an infinite lag, and no time of what never was", () => {
    const values = valuesOf(
      documentOf([
        viewOf({
          lastFullScanAtMs: null,
          complete: false,
          lastFrameAtMs: null,
          state: "connecting",
        }),
      ]),
    );
    expect(values.get('armdb_shard_lag_seconds{shard="0"}')).toBe("+Inf");
    expect(values.has('armdb_shard_last_frame_timestamp_seconds{shard="0"}')).toBe(false);
    expect(values.has('armdb_shard_last_full_scan_timestamp_seconds{shard="0"}')).toBe(false);
  });

  test("a shard of which nothing is known has counters of 0 for this run, and no gauge", () => {
    const values = valuesOf(documentOf([viewOf(null)]));
    const gauges = OF_SHARD.filter(({ name, type }) => {
      return type === "gauge" && values.has(`${name}{shard="0"}`);
    });
    expect(gauges.map(({ name }) => name)).toEqual([
      "armdb_shard_lag_seconds",
      "armdb_shard_ready",
      "armdb_shard_last_word_timestamp_seconds",
    ]);
    for (const { name, type, unit } of OF_SHARD) {
      if (type !== "counter") continue;
      // Over all runs: from 0 to all of them would be an increase.
      expect(values.get(`${name}{shard="0"}`)).toBe(unit === "lifetime" ? undefined : "0");
    }
  });

  test("labels say which armdb this is, and which leader and directory it has", () => {
    const text = metricsText(before, FIGURES, IDENTITY, 30_000);
    expect(text).toContain('\narmdb_build_info{version="0.1.0",commit="ea0b3a441de1"} 1\n');
    const leader = 'leader="10.0.0.5:7400"';
    expect(text).toContain(`\narmdb_follower_info{${leader},directory="/var/lib/armdb"} 1\n`);
    const odd = { ...IDENTITY, directory: 'a "b"\\\nc' };
    expect(metricsText(before, FIGURES, odd, 30_000)).toContain(
      'directory="a \\"b\\"\\\\\\nc"} 1\n',
    );
  });

  test("a memory figure that there is not is absent", () => {
    const values = valuesOf(before, { ...FIGURES, residentBytes: null });
    expect(values.has("process_resident_memory_bytes")).toBe(false);
    expect(values.get("process_cpu_seconds_total")).toBe("1.5");
  });

  test("a whole scan that is due has an age, and none of it where none is", () => {
    const name = "armdb_shard_scan_owed_seconds";
    expect(valuesBefore.get(`${name}{shard="0"}`)).toBe("5");
    expect(valuesAfter.has(`${name}{shard="2"}`)).toBe(false);
  });

  test("every series has HELP and TYPE once, before its values, and a name in good form", () => {
    const seen = new Set<string>();
    let current = "";
    for (const line of metricsText(after, FIGURES, IDENTITY, 30_000).trimEnd().split("\n")) {
      const help = /^# HELP ([a-z_]+) \S.*\.$/.exec(line);
      const type = /^# TYPE ([a-z_]+) (gauge|counter)$/.exec(line);
      if (help !== null) {
        current = help[1] ?? "";
        expect(seen.has(current)).toBe(false);
        seen.add(current);
      } else if (type !== null) {
        expect(type[1]).toBe(current);
        expect(current.endsWith("_total")).toBe(type[2] === "counter");
      } else {
        expect(line).toMatch(
          /^([a-z_]+(\{shard="\d+"(,state="[a-z]+")?\})? (\d+(\.\d+)?|\+Inf)|[a-z_]+_info\{.+\} 1)$/,
        );
        expect(line.startsWith(current)).toBe(true);
      }
    }
    expect([...seen].sort()).toEqual(METRICS.map(({ name }) => name).sort());
  });
});
