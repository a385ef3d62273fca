// The benchmark: `sh scripts/bench [--quick] [--rounds N] [--only catch-up,live,...] [--write]`. Prints a row per goal; with
// --write puts them and the charts into README.md and docs/. --quick is what CI runs: fewer slots and rounds, the ratio rows
// only, and it fails below two thirds of a goal.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildOracle } from "../../test/support/oracle.ts";
import {
  memoryRows,
  type Point,
  roundTripRows,
  type Scale,
  shardRows,
  sizeRows,
} from "./catch-up-rows.ts";
import { chart } from "./chart.ts";
import type { Row } from "./figures.ts";
import { liveRows } from "./live-rows.ts";
import { startRows, verifyRows } from "./local-rows.ts";

/** CI's machine is shared: below this share of a goal a fast path is taken to be broken. */
const QUICK_SHARE_MIN = 2 / 3;
const GROUPS = ["shards", "sizes", "network", "memory", "verify", "live", "start"] as const;
type Group = (typeof GROUPS)[number];

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const quick = values.quick;
const quickGroups: readonly Group[] = ["shards", "network", "verify"];
const wanted = new Set<string>(values.only?.split(",") ?? (quick ? quickGroups : GROUPS));
const rounds = Number(values.rounds ?? (quick ? 3 : 5));
const scale: Scale = quick
  ? { rounds, slots: 600_000, largeSlots: 100_000 }
  : { rounds, slots: 2_000_000, largeSlots: 200_000 };

await buildOracle(["0.1.14"]);
const root = mkdtempSync(join(tmpdir(), "armdb-bench-"));
const rows: Row[] = [];
let byShards: readonly Point[] = [];
let byRoundTrip: readonly Point[] = [];
try {
  await group("shards", async () => {
    const measured = await shardRows(root, scale);
    byShards = measured.points;
    return measured.rows;
  });
  await group("sizes", () => sizeRows(root, scale));
  await group("network", async () => {
    const roundTrips = quick ? [5] : [0, 1, 5, 20, 50];
    // The crate's follower takes a round trip a batch: at 20 ms 2 M slots are minutes of waiting.
    const network = { ...scale, rounds: Math.min(rounds, 3), slots: quick ? 600_000 : 1_000_000 };
    const measured = await roundTripRows(root, network, roundTrips);
    byRoundTrip = measured.points;
    return measured.rows;
  });
  await group("memory", () => memoryRows(root, scale));
  await group("verify", () => verifyRows(root, rounds, quick ? 200e6 : 800e6));
  await group("live", () => liveRows(root, Math.min(rounds, 3), 5));
  await group("start", () => startRows(root, 15));
} finally {
  rmSync(root, { recursive: true, force: true });
}
if (values.write) write();
const broken = rows.filter(
  (row) => row.ofGoal !== null && row.ofGoal < (quick ? QUICK_SHARE_MIN : 1),
);
for (const row of broken)
  console.log(
    `below ${quick ? "two thirds of " : ""}the goal: ${row.what}: ${row.measured}, ${row.goal}`,
  );
process.exit(quick && broken.length > 0 ? 1 : 0);

async function group(name: Group, measure: () => Promise<Row[]>): Promise<void> {
  if (!wanted.has(name)) return;
  for (const row of await measure()) {
    rows.push(row);
    const share = row.ofGoal === null ? "" : ` (${(row.ofGoal * 100).toFixed(0)} % of the goal)`;
    console.log(`${row.what}: ${row.measured}, ${row.goal}${share}\n    ${row.detail}`);
  }
}

/** Replaces what stands between the markers of the README, and the charts. */
function write(): void {
  const table = [
    `Measured on ${cpus().length} cores of ${cpus()[0]?.model ?? "unknown"}, leader and follower on the same machine; medians of ${rounds} interleaved rounds.`,
    "",
    "| what | measured | goal |",
    "| --- | --- | --- |",
    ...rows.map((row) => `| ${row.what} | ${row.measured} | ${row.goal} |`),
  ].join("\n");
  const readme = readFileSync("README.md", "utf8");
  const marked = /<!-- bench -->[\s\S]*<!-- \/bench -->/;
  const charts =
    "![Slots a second by shards](docs/bench-shards.svg)\n![Slots a second by round trip](docs/bench-round-trip.svg)";
  writeFileSync(
    "README.md",
    readme.replace(marked, `<!-- bench -->\n\n${table}\n\n${charts}\n\n<!-- /bench -->`),
  );
  if (byShards.length > 0) {
    writeFileSync(
      "docs/bench-shards.svg",
      chart("Catch-up, 8-byte keys, 64-byte values", "shards", byShards),
    );
  }
  if (byRoundTrip.length > 0) {
    const svg = chart("Catch-up over a network, 2 shards", "round trip, ms", byRoundTrip);
    writeFileSync("docs/bench-round-trip.svg", svg);
  }
}
