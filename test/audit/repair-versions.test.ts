// A version never goes back: outside a replica no slot leaves a repair with one below its own or the one that the sidecar has, however
// many slots are damaged and however their findings are joined; and the sidecar goes last.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import {
  packMeta,
  slotLayout,
  STATUS_FREE,
  STATUS_OCCUPIED,
  versionOf,
} from "../../src/format/slot.ts";
import { prepareRepair, carryOut } from "../../src/audit/repair/repair.ts";
import { directorySource } from "../../src/audit/repair/source.ts";
import { HEADER_FIELDS, slotOffset } from "../../src/format/shard-header.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { failingDisk } from "./failing-disk.ts";
import { changeBytes } from "../../src/audit/repair/plan/slots.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { MadeDatabase, type MadeShard } from "../support/made-shard.ts";
import { repairOptions, repairTools, runWords, TempDirectory } from "./repair-support.ts";

setDefaultTimeout(60_000);

const LAYOUT = slotLayout(8, 64);
const free = (version: number) => packMeta(STATUS_FREE, version);
const occupied = (version: number) => packMeta(STATUS_OCCUPIED, version);
const zeros = () => new Uint8Array(LAYOUT.slotSize);

function made(temp: TempDirectory, more: Partial<MadeShard>): MadeDatabase {
  const base = { dir: temp.path, layout: LAYOUT, slots: 30_000, version: 5, sidecarVersion: 5 };
  return new MadeDatabase({ ...base, ...more });
}

async function repaired(dir: string): Promise<unknown> {
  const { status, document } = await runWords(repairCommand, [dir, "--apply", "--yes", "--json"]);
  return [status, document["verdict"], document["lostKeysTotal"]];
}

const range = (first: number, end: number, step = 1) =>
  Array.from({ length: Math.ceil((end - first) / step) }, (_, index) => first + index * step);

describe("what the sidecar knows is kept", () => {
  test.each([
    ["one", range(7, 8)],
    ["9,999 in a row", range(0, 9_999)],
    ["10,000 in a row", range(0, 10_000)],
    ["10,001 in a row", range(0, 10_001)],
    ["20,000 in a row", range(0, 20_000)],
    ["every second", range(0, 30_000, 2)],
    ["every third, and 5,000 in a row", [...range(0, 20_000, 3), ...range(25_000, 30_000)]],
  ])("of slots that were overwritten with zeros: %s", async (_, slots) => {
    using temp = new TempDirectory();
    const database = made(temp, {});
    database.harm(slots, zeros);
    expect(await repaired(temp.path)).toEqual([0, "repaired", slots.length]);
    expect(database.metas()).toEqual(
      new Map([
        [free(5), slots.length],
        [occupied(5), 30_000 - slots.length],
      ]),
    );
  });

  test.each([
    ["20,000 in a row", range(0, 20_000)],
    ["every second", range(0, 30_000, 2)],
  ])("of slots with an older version and a wrong crc: %s", async (_, slots) => {
    using temp = new TempDirectory();
    const database = made(temp, { version: 7, sidecarVersion: 7 });
    database.harm(slots, (slot) => {
      const image = database.image(slot, 3);
      image[4] = (image[4] ?? 0) ^ 0xff;
      return image;
    });
    expect(await repaired(temp.path)).toEqual([0, "repaired", slots.length]);
    expect(database.metas().get(free(7))).toBe(slots.length);
  });

  test("of what a report does not name, too: the sidecar goes with any change of a slot", async () => {
    using temp = new TempDirectory();
    using reports = new TempDirectory();
    const database = made(temp, {});
    const report = `${reports.path}/report.json`;
    database.harm([9], (slot) =>
      database.image(slot, 4).map((byte, at) => (at === 4 ? byte ^ 1 : byte)),
    );
    await runWords(verifyCommand, [temp.path, "--report", report]);
    database.harm(range(100, 200), zeros);
    const words = [temp.path, "--plan", report, "--apply", "--yes"];
    expect((await runWords(repairCommand, words)).status).toBe(0);
    expect(database.metas().get(free(5))).toBe(101);
  });
});

describe("with a source", () => {
  /** A source that never had some of the slots, or has them in an older version. */
  function sourceOf(temp: TempDirectory, slots: number, lacks: readonly number[]): MadeDatabase {
    const source = made(temp, { slots, version: 3, sidecarVersion: null });
    source.harm(lacks, zeros);
    return source;
  }

  test.each([
    ["zeroed slots", (database: MadeDatabase) => database.harm(range(100, 300), zeros)],
    ["slots that are cut off", (database: MadeDatabase) => database.cut(100)],
  ])("what the source does not have keeps the sidecar's version: %s", async (_, harm) => {
    using temp = new TempDirectory();
    using other = new TempDirectory();
    const database = made(temp, { slots: 300 });
    harm(database);
    sourceOf(other, 300, range(200, 300));
    const words = [temp.path, "--from", other.path, "--apply", "--yes", "--json"];
    const { status, document } = await runWords(repairCommand, words);
    expect([status, document["verdict"]]).toEqual([0, "repaired"]);
    expect(database.metas()).toEqual(
      new Map([
        [occupied(5), 100],
        // The source's record, newer than what any follower has of the slot.
        [occupied(6), 100],
        [free(5), 100],
      ]),
    );
  });

  test("a plan that is cut makes no slot newer than its word", async () => {
    using temp = new TempDirectory();
    using other = new TempDirectory();
    const database = made(temp, { slots: 3_000 });
    database.harm(range(0, 2_000), zeros);
    sourceOf(other, 3_000, []);
    const options = {
      ...repairOptions(temp.path, 1_000 * changeBytes(4)),
      openSource: () => Promise.resolve(directorySource(realDisk, other.path, () => {})),
    };
    const planned = await prepareRepair(repairTools(), options);
    expect(planned.plan.truncated).toBe(true);
    await carryOut(repairTools(), options, planned);
    expect(existsSync(database.sidecar)).toBe(true);
    expect(Math.max(...[...database.metas().keys()].map(versionOf))).toBe(5);
  });
});

describe("with slots that cannot be read", () => {
  test("the sidecar, which alone knows their versions, is not given up", async () => {
    using temp = new TempDirectory();
    const database = made(temp, { slots: 300 });
    database.harm([9], zeros);
    const at = slotOffset(200, LAYOUT.slotSize);
    const disk = failingDisk(realDisk, (path, start, end) => {
      const isHit = path === database.data && start < at + LAYOUT.slotSize && end > at;
      return isHit ? new DiskError("read", path, "EIO") : null;
    });
    const words = [temp.path, "--apply", "--yes", "--json"];
    const { status, document } = await runWords(repairCommand, words, { disk });
    expect([status, document["verdict"], document["stepsTotal"]]).toEqual([3, "incomplete", 0]);
    expect(existsSync(database.sidecar)).toBe(true);
    expect(JSON.stringify(document["left"])).toContain("the sidecar alone knows");
  });
});

describe("a report that names nothing of a shard's slots", () => {
  test("leaves them and the sidecar alone", async () => {
    using temp = new TempDirectory();
    using reports = new TempDirectory();
    const database = made(temp, { slots: 300 });
    const report = `${reports.path}/report.json`;
    database.poke(HEADER_FIELDS.shardId.offset, 7);
    await runWords(verifyCommand, [temp.path, "--report", report]);
    database.harm([9], zeros);
    const { document } = await runWords(repairCommand, [temp.path, "--plan", report, "--json"]);
    expect((document["steps"] as { kind: string }[]).map(({ kind }) => kind)).toEqual([
      "header-field",
    ]);
  });
});

describe("a plan that is cut", () => {
  const SMALL = slotLayout(4, 4);

  test("keeps the sidecar until the last slot that it knows better has its version", async () => {
    using temp = new TempDirectory();
    const slots = 3_000;
    const more = { layout: SMALL, slots, version: 7, sidecarVersion: 7 };
    const database = made(temp, more);
    database.cut(100);
    const options = repairOptions(temp.path, 1_000 * changeBytes(4));
    const seen: unknown[] = [];
    for (let run = 0; run < 5; run++) {
      const planned = await prepareRepair(repairTools(), options);
      const { plan } = planned;
      if (plan.steps.length === 0) break;
      await carryOut(repairTools(), options, planned);
      const newest = Math.max(...[...database.metas().keys()].map(versionOf));
      seen.push([plan.truncated, existsSync(database.sidecar), newest]);
    }
    expect(seen).toEqual([
      [true, true, 7],
      [true, true, 7],
      [false, false, 7],
    ]);
    expect([...database.metas()]).toEqual([
      [occupied(7), 100],
      [free(7), slots - 100],
    ]);
    expect((await runWords(verifyCommand, [temp.path])).status).toBe(0);
  });

  test("says so and ends with 3; what else is damaged waits for what the sidecar knows", async () => {
    using temp = new TempDirectory();
    const more = { layout: SMALL, slots: 3_000, version: 7, sidecarVersion: 7 };
    const database = made(temp, more);
    // Newer than its word: it would be hidden if the sidecar stayed.
    database.harm([2_999], (slot) =>
      database.image(slot, 9).map((byte, at) => (at === 4 ? byte ^ 1 : byte)),
    );
    database.harm(range(0, 1_500), () => new Uint8Array(SMALL.slotSize));
    const options = repairOptions(temp.path, 1_000 * changeBytes(4));
    const planned = await prepareRepair(repairTools(), options);
    expect(planned.plan.truncated).toBe(true);
    expect(planned.plan.steps.every(({ kind }) => kind === "slot-free")).toBe(true);
    expect(planned.plan.steps.some(({ slot }) => slot === 2_999)).toBe(false);
    await carryOut(repairTools(), options, planned);
    const second = await prepareRepair(repairTools(), options);
    await carryOut(repairTools(), options, second);
    expect(database.metas()).toEqual(
      new Map([
        [free(7), 1_500],
        [occupied(7), 1_499],
        [free(9), 1],
      ]),
    );
  });
});
