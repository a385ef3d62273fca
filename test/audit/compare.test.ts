// armdb compare DIR DIR2: every kind, in its place; what cannot be compared; rounds over a directory that is written.

import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { compareDatabases } from "../../src/audit/compare/compare.ts";
import { readDirectory } from "../../src/audit/look/database-look.ts";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { STATUS_DELETED, STATUS_FREE, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import type { Disk, DiskFile } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { contentsOf, FixtureCopy, FIXTURES, runWords } from "./repair-support.ts";

const WORDS = ["--json", "--wait", "0"] as const;

function compare(here: FixtureCopy, there: FixtureCopy, ...words: string[]) {
  return runWords(compareCommand, [here.path, there.path, ...WORDS, ...words]);
}

/** A file whose slots come torn in each large read, and whole when one is read alone. */
function torn(file: DiskFile): DiskFile {
  return {
    path: file.path,
    size: () => file.size(),
    read: (into, offset) => {
      const read = file.read(into, offset);
      if (offset >= 4096 && read > 1000) into[20] = (into[20] ?? 0) ^ 0xff;
      return read;
    },
    willRead: () => {},
    nextData: (offset) => offset,
    blocksFetched: () => 0,
    write: () => {},
    writePart: () => {},
    preallocate: () => "allocated",
    truncate: () => {},
    syncData: () => {},
    sync: () => {},
    dropCache: () => {},
    lock: () => false,
    facts: () => file.facts(),
    own: () => {},
    close: () => file.close(),
  };
}

describe("compare of two directories", () => {
  for (const name of FIXTURES) {
    test(`a directory is the same as its copy and keeps its bytes: ${name}`, async () => {
      using here = new FixtureCopy(name, "leader-clean");
      using there = new FixtureCopy(name, "leader-clean");
      const before = contentsOf(here.path);
      const { status, document } = await compare(here, there);
      expect(status).toBe(0);
      expect(document).toMatchObject({ verdict: "same", healed: false, differences: [] });
      expect(contentsOf(here.path)).toEqual(before);
    });

    test(`a follower of the crate is the same as its leader: ${name}`, async () => {
      using here = new FixtureCopy(name, "follower-clean");
      using there = new FixtureCopy(name, "leader-clean");
      const { status, document } = await compare(here, there);
      expect({ status, differences: document["differences"] }).toEqual({
        status: 0,
        differences: [],
      });
    });
  }

  test("each kind is told of its slot, said of DIR", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const slots = here.slotsOf(0, STATUS_OCCUPIED);
    const [missing, older, newer, value, status, extra, torn, zeroed] = slots as number[] as [
      ...number[],
    ] as [number, number, number, number, number, number, number, number];
    here.setMeta(0, missing, STATUS_FREE, 0);
    there.rewrite(0, older, 1000, 1);
    here.rewrite(0, newer, 1000, 2);
    here.rewrite(0, value, 50, 3);
    there.rewrite(0, value, 50, 4);
    here.rewrite(0, status, 60, 5);
    here.setMeta(0, status, STATUS_DELETED, 60);
    there.rewrite(0, status, 60, 5);
    there.setMeta(0, extra, STATUS_FREE, 0);
    here.setSlot(
      0,
      torn,
      here.slotBytes(0, torn).map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
    );
    here.setSlot(0, zeroed, new Uint8Array(here.layout.slotSize));
    const { status: exit, document } = await compare(here, there);
    const found = document["differences"] as { slot: number; kind: string }[];
    expect(exit).toBe(4);
    expect(found.map(({ slot, kind }) => [slot, kind])).toEqual(
      [
        [missing, "missing"],
        [older, "older"],
        [newer, "newer"],
        [value, "value"],
        [status, "status"],
        [extra, "extra"],
        [torn, "missing"],
        [zeroed, "missing"],
      ].sort((left, right) => (left[0] as number) - (right[0] as number)),
    );
    expect(found.find(({ slot }) => slot === torn)).toMatchObject({
      here: { status: "damaged" },
      there: { status: "occupied" },
    });
    expect(document["shards"]).toEqual([
      { shard: 0, compared: 128, whole: true, differs: 8 },
      { shard: 1, compared: expect.any(Number), whole: true, differs: 0 },
    ]);
  });

  test("deleted here and never used there is no difference, nor are a deleted slot's bytes", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const [first = 0, second = 0] = here.slotsOf(1, STATUS_OCCUPIED);
    for (const copy of [here, there]) {
      for (const slot of [first, second]) copy.setMeta(1, slot, STATUS_DELETED, 70);
    }
    there.setSlot(1, first, new Uint8Array(here.layout.slotSize));
    here.setSlot(
      1,
      second,
      here.slotBytes(1, second).map((byte, at) => (at > 8 ? ~byte : byte)),
    );
    expect((await compare(here, there)).status).toBe(0);
    expect((await compare(there, here)).status).toBe(0);
  });

  test("--shard looks at one shard only, and refuses one that is not there", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    here.rewrite(0, here.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0, 999, 1);
    expect((await compare(here, there, "--shard", "1")).status).toBe(0);
    expect((await compare(here, there, "--shard", "0")).status).toBe(4);
    expect((await compare(here, there, "--shard", "2")).status).toBe(2);
  });

  test("another geometry is incompatible, a damaged header is unknown, no database is 10", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using other = new FixtureCopy("4x3-3-shards-padded", "leader-clean");
    using broken = new FixtureCopy("8x16-2-shards", "leader-clean");
    expect((await compare(here, other)).status).toBe(13);
    broken.poke(broken.file(1), 0, [0]);
    const { status, document } = await compare(here, broken);
    expect(status).toBe(5);
    expect(document["shards"]).toMatchObject([
      { shard: 0, differs: 0 },
      { reason: expect.stringContaining("header") },
    ]);
    broken.rewrite(0, broken.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0, 999, 1);
    expect((await compare(here, broken)).status).toBe(4);
    rmSync(broken.path, { recursive: true });
    expect((await compare(here, broken)).status).toBe(10);
  });

  test("more differences than the limit are counted, and it is said", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const slots = here.slotsOf(0, STATUS_OCCUPIED);
    for (const slot of slots.slice(0, 5)) here.rewrite(0, slot, 999, 1);
    const report = await compareDatabases(
      { disk: realDisk, net: realNet, clock: new ManualClock() },
      {
        directory: readDirectory(realDisk, here.path),
        target: { kind: "directory", directory: readDirectory(realDisk, there.path) },
        rounds: 1,
        waitMs: 0,
        shard: null,
        stop: new AbortController().signal,
        bytesPerSecond: null,
        timeoutMs: null,
        differencesMax: 3,
        progress: () => {},
      },
    );
    expect(report.truncated).toBe(true);
    expect(report.shards.map((shard) => shard.differs)).toEqual([5, 0]);
    expect([...report.differences()].map(({ slot }) => slot)).toEqual(slots.slice(0, 3));
  });

  test("a write in flight is no difference, whatever the slots before it have become", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const [first = 0, second = 0, third = 0] = here.slotsOf(0, STATUS_OCCUPIED).slice(2);
    const put = (slot: number, hereAt: number, thereAt: number) => {
      here.rewrite(0, slot, hereAt, hereAt);
      there.rewrite(0, slot, thereAt, thereAt);
    };
    for (const slot of [first, second, third]) put(slot, 10, 11);
    const clock = new ManualClock();
    const compared = runWords(
      compareCommand,
      [here.path, there.path, "--json", "--wait", "3s", "--rounds", "2"],
      { clock },
    );
    await clock.advanceAsync(1_000, 100);
    put(first, 11, 11);
    put(second, 12, 13);
    await clock.advanceAsync(10_000, 100);
    const { status, document } = await compared;
    // The third stood still; the second was written on both sides meanwhile.
    expect(document["differences"]).toMatchObject([{ slot: third, kind: "older" }]);
    expect(status).toBe(4);
  });

  test("stopped between two shards says how far it came, and that none differs so far", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const stop = new AbortController();
    const disk: Disk = {
      ...realDisk,
      open: (path, mode) => {
        if (path === there.file(0)) stop.abort("SIGTERM");
        return realDisk.open(path, mode);
      },
    };
    const words = [here.path, there.path, "--rounds", "1"];
    const json = await runWords(compareCommand, [...words, "--json"], { disk, stop: stop.signal });
    expect(json.status).toBe(143);
    expect(json.document).toMatchObject({ verdict: "unknown", stopped: true });
    const shards = json.document["shards"] as { compared: number; whole: boolean }[];
    expect(shards.map(({ whole }) => whole)).toContain(false);
    for (const { compared, whole } of shards) expect(compared === 128).toBe(whole);
    const text = await runWords(compareCommand, words, { stop: stop.signal });
    expect(text.lines).toEqual([
      "shard 0: 0 slots compared, not all of it; none of them differs",
      "shard 1: 0 slots compared, not all of it; none of them differs",
      "unknown: not all was compared (stopped before the end)",
    ]);
  });

  test("a slot that is read in the middle of a write is read again", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const disk: Disk = {
      ...realDisk,
      open: (path, mode) =>
        path.startsWith(here.path) ? torn(realDisk.open(path, mode)) : realDisk.open(path, mode),
    };
    const words = [here.path, there.path, "--rounds", "1", "--json"];
    expect((await runWords(compareCommand, words, { disk })).document["differences"]).toEqual([]);
  });

  test("lines say place, kind and both sides", async () => {
    using here = new FixtureCopy("8x16-2-shards", "leader-clean");
    using there = new FixtureCopy("8x16-2-shards", "leader-clean");
    const slot = here.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0;
    there.rewrite(0, slot, 77, 1);
    here.rewrite(0, slot, 76, 1);
    const { lines, said } = await runWords(compareCommand, [here.path, there.path, "--wait", "0"]);
    expect(lines[0]).toBe(
      `${`shard 0 slot ${slot}`.padEnd(20)} older    here occupied v76, there occupied v77`,
    );
    expect(lines.at(-1)).toBe("differs: 1 slot");
    expect(said.join()).toContain(`armdb inspect slot ${here.path} 0 ${slot}`);
  });
});
