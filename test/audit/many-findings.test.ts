// More damage than anybody reads: what is kept and printed is bounded, counts are exact, and a repair still finds all of it.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { VERIFY_ALL, verifyDirectory } from "../../src/audit/verify.ts";
import { slotLayout } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";
import { runProgram } from "../support/program.ts";
import { makeRecordDirectory } from "../support/record-directory.ts";
import { TempRoot } from "../support/temp.ts";

const { slotSize } = slotLayout(8, 16);
const RECORDS = 60_000;
const LIMIT_MS = 60_000;

/** A shard of which every second slot has a byte of its value changed: no two of them are neighbours. */
function damagedDirectory(temp: TempRoot): string {
  const path = temp.fresh("db");
  makeRecordDirectory(path, RECORDS);
  const file = `${path}/shard_000/fixed.data`;
  const bytes = readFileSync(file);
  for (let slot = 1; slot < RECORDS; slot += 2) {
    const at = 4096 + slot * slotSize + 20;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
  }
  writeFileSync(file, bytes);
  return path;
}

test(
  "past 20,000 findings of slots the rest of a kind is one range, and all are counted",
  async () => {
    using temp = new TempRoot("findings");
    const { findings, shards } = await verifyDirectory(damagedDirectory(temp), VERIFY_ALL, {
      disk: { ...realDisk },
      clock: realClock,
      stop: new AbortController().signal,
      progress: () => {},
    });
    expect(shards[0]).toMatchObject({ occupied: 30_000, damaged: 30_000 });
    expect(findings).toHaveLength(20_001);
    expect(findings.reduce((sum, { count }) => sum + count, 0)).toBe(30_000);
    expect(findings.filter(({ lastSlot }) => lastSlot !== null)).toMatchObject([
      { kind: "slot-crc", slot: 40_001, lastSlot: 59_999, count: 10_000, key: null },
    ]);
  },
  LIMIT_MS,
);

test(
  "as text a kind has a thousand places, and its report is one that repair takes",
  async () => {
    using temp = new TempRoot("findings");
    const path = damagedDirectory(temp);
    const report = temp.fresh("report");
    const { stdout, status } = await runProgram(["verify", path, "--report", report]);
    expect(status).toBe(3);
    expect(stdout).toContain("and 19,001 more (--json lists them)");
    expect(stdout).toContain("DAMAGED: 30,000 places damaged");
    expect(stdout.length).toBeLessThan(400_000);
    const repair = ["repair", path, "--plan", report, "--apply", "--yes"];
    expect((await runProgram(repair, { timeoutMs: LIMIT_MS })).status).toBe(0);
    expect((await runProgram(["verify", path])).status).toBe(0);
  },
  LIMIT_MS,
);

test("a key in more slots than anybody reads is listed a thousand times, and counted", async () => {
  using temp = new TempRoot("findings");
  const path = temp.fresh("db");
  makeRecordDirectory(path, RECORDS);
  const file = `${path}/shard_000/fixed.data`;
  const bytes = readFileSync(file);
  for (let slot = 1; slot < RECORDS; slot++)
    bytes.copyWithin(4096 + slot * slotSize, 4096, 4096 + slotSize);
  writeFileSync(file, bytes);
  const { stdout, status } = await runProgram(["inspect", "key", path, "u64be:0", "--json"]);
  const found = JSON.parse(stdout);
  expect([status, found.isWhole, found.slotsTotal, found.slots.length]).toEqual([
    3,
    true,
    RECORDS,
    1_000,
  ]);
  expect(found.live.slot).toBe(RECORDS - 1);
});
