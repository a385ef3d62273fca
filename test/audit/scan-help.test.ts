// A scan that others help with finds what a scan alone finds, whoever takes which block, and whatever is in it.

import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { readDirectory } from "../../src/audit/look/database-look.ts";
import { BlockClaims } from "../../src/audit/scan/claims.ts";
import { helpScan } from "../../src/audit/scan/help.ts";
import { ScanPool, threadsFor } from "../../src/audit/scan/pool.ts";
import {
  type HelpedBlock,
  type ScanResult,
  type ScanTask,
  SHARD_CELLS_BYTES,
} from "../../src/audit/scan/data.ts";
import { ScanRun, ShardState } from "../../src/audit/scan/run.ts";
import { scanShard, type ScanHelp } from "../../src/audit/scan/shard.ts";
import { scanTaskOf } from "../../src/audit/verify.ts";
import { encodeDbMeta } from "../../src/format/db-meta.ts";
import { encodeShardHeader } from "../../src/format/shard-header.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  type SlotLayout,
  slotLayout,
  STATUS_DELETED,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { encodeSidecar } from "../../src/format/versions-sidecar.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";
import { Dice } from "../support/dice.ts";
import { SampleDatabase } from "./sample-databases.ts";

/** Of who takes which block. */
const seed = Number(process.env["ARMDB_SEED"] ?? 20_261_128);
const DATA = "shard_000/fixed.data";
const LAYOUT = slotLayout(8, 8);
const SLOTS = 5_000;
/** 50 blocks. */
const BLOCK_SLOTS = 100;

const offsetOf = (slot: number, layout: SlotLayout = LAYOUT) => 4096 + slot * layout.slotSize;

/** One shard of sound records of random keys; `change` may alter the slots. */
function write(db: SampleDatabase, change: (slots: Buffer) => void = () => {}): void {
  db.write("db.meta", encodeDbMeta({ shardCount: 1, shardPrefixBits: 0 }));
  db.remove("shard_001");
  const header = encodeShardHeader({
    ...LAYOUT,
    slotCount: SLOTS,
    shardId: 0,
    cleanShutdown: 0,
  });
  const slots = Buffer.alloc(SLOTS * LAYOUT.slotSize);
  for (let slot = 0; slot < SLOTS; slot++) {
    const image = slots.subarray(slot * LAYOUT.slotSize, (slot + 1) * LAYOUT.slotSize);
    const meta = packMeta(STATUS_OCCUPIED, slot + 1);
    encodeOccupiedSlot(image, LAYOUT, meta, randomBytes(8), new Uint8Array(8));
  }
  change(slots);
  db.write(DATA, Buffer.concat([header, slots]));
}

function taskOf(db: SampleDatabase, sidecarPath: string | null = null): ScanTask {
  const directory = readDirectory(realDisk, db.path);
  const [look] = directory.shards;
  if (look === undefined) throw new Error("the fixture has a shard");
  return scanTaskOf(directory, look, { isLive: false, sidecarPath });
}

/** What one thread scans with; `isEnded` of the run is that of all. */
function stageOf(task: ScanTask, disk: Disk = realDisk) {
  const run = new ScanRun(realClock, null);
  const state = ShardState.create(task);
  const tools = { disk, task: run.taskOf(state), state, budget: run.budgetOf(state) };
  const scan = (help?: ScanHelp) =>
    scanShard(task, { ...tools, ...(help === undefined ? {} : { help }) });
  return { run, state, tools, scan };
}

/**
 * A scan with a helper that takes as many blocks as `takes` says whenever the scan has done one of its own, or waits for the
 * helper's. Says also how many blocks were helped, and how much was said to be done at the end.
 */
async function scanHelped(
  task: ScanTask,
  takes: () => number,
): Promise<{ result: ScanResult; helped: number; done: number }> {
  const { run, state, tools, scan } = stageOf(task);
  const helperClaims = new BlockClaims(task, state.cells, BLOCK_SLOTS);
  const seen = { helped: 0, done: 0 };
  let given: HelpedBlock[] = [];
  let helping = false;
  const help = async () => {
    let left = takes();
    const claims = {
      takeLast: () => (left-- > 0 ? helperClaims.takeLast() : null),
      rangeOf: (block: number) => helperClaims.rangeOf(block),
      slotsPerBlock: BLOCK_SLOTS,
      left: helperClaims.left,
    };
    const { blocks } = await helpScan(task, claims, { ...tools, task: run.taskOf(state) });
    seen.helped += blocks.length;
    given.push(...blocks);
    helping = false;
  };
  const collect = (): readonly HelpedBlock[] => {
    if (!helping) {
      helping = true;
      void help();
    }
    const blocks = given;
    given = [];
    return blocks;
  };
  const result = await scan({ claims: new BlockClaims(task, state.cells, BLOCK_SLOTS), collect });
  seen.done = state.progress().bytesDone;
  return { result, ...seen };
}

/** The same findings in the order that reports have, as helpers may see doubled keys in another one. */
function sorted(result: ScanResult): ScanResult {
  const order = (slot: number | null) => slot ?? -1;
  const findings = [...result.findings].sort(
    (left, right) => left.kind.localeCompare(right.kind) || order(left.slot) - order(right.slot),
  );
  return { ...result, findings };
}

async function expectSame(task: ScanTask, takes: () => number) {
  const alone = await stageOf(task).scan();
  const { result, ...seen } = await scanHelped(task, takes);
  expect(sorted(result)).toEqual(sorted(alone));
  expect(seen.done).toBeGreaterThanOrEqual(task.slotCount * LAYOUT.slotSize);
  expect(seen.helped).toBeGreaterThan(0);
  return { ...seen, findings: sorted(alone).findings };
}

describe("claims", () => {
  test("give each block out once, from both ends", () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db);
    const task = taskOf(db);
    const dice = new Dice(seed);
    for (let round = 0; round < 50; round++) {
      const cells = new Int32Array(new SharedArrayBuffer(SHARD_CELLS_BYTES));
      const [owner, ...helpers] = Array.from(
        { length: 3 },
        () => new BlockClaims(task, cells, BLOCK_SLOTS),
      ) as [BlockClaims, ...BlockClaims[]];
      const taken: number[] = [];
      const own: number[] = [];
      while (owner.left > 0) {
        const who = dice.below(3);
        const block = who === 0 ? owner.takeFirst() : (helpers[who - 1]?.takeLast() ?? null);
        if (block === null) throw new Error("a block was left");
        taken.push(block);
        if (who === 0) own.push(block);
      }
      expect([owner.takeFirst(), helpers[0]?.takeLast(), owner.left]).toEqual([null, null, 0]);
      expect(taken.toSorted((left, right) => left - right)).toEqual(
        Array.from({ length: owner.count }, (_, block) => block),
      );
      expect(own).toEqual(Array.from({ length: own.length }, (_, block) => block));
    }
  });

  test("are kept from helpers while the owner has not got what they are done with", () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db);
    // Blocks of two million slots: two may be on their way.
    const task = { ...taskOf(db), slotCount: 2 ** 24, fileBytes: offsetOf(2 ** 24) };
    const cells = new Int32Array(new SharedArrayBuffer(SHARD_CELLS_BYTES));
    const owner = new BlockClaims(task, cells, 2 ** 21);
    const helper = new BlockClaims(task, cells, 2 ** 21);
    expect([helper.takeLast(), helper.takeLast(), helper.takeLast()]).toEqual([7, 6, null]);
    expect([helper.isBehind, helper.left]).toEqual([true, 6]);
    owner.noteCollected();
    expect([helper.isBehind, helper.takeLast(), helper.takeLast()]).toEqual([false, 5, null]);
    expect(owner.takeFirst()).toBe(0);
  });

  test("cover every slot that can be read", () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db);
    const task = taskOf(db);
    const cells = new Int32Array(new SharedArrayBuffer(SHARD_CELLS_BYTES));
    const claims = new BlockClaims(task, cells, 300);
    const ranges = Array.from({ length: claims.count }, (_, block) => claims.rangeOf(block));
    expect(ranges.at(-1)).toEqual({ first: 4_800, slots: 200 });
    expect(ranges.reduce((sum, { slots }) => sum + slots, 0)).toBe(SLOTS);
    const cut = { ...task, fileBytes: offsetOf(1_000) + 5 };
    expect(new BlockClaims(cut, cells, 300).count).toBe(4);
    expect(new BlockClaims({ ...task, fileBytes: 4_000 }, cells, 300).count).toBe(0);
  });
});

describe("a scan that is helped finds what it finds alone", () => {
  const dice = new Dice(seed);
  const paces: [string, () => number][] = [
    ["by a helper that takes a block now and then", () => (dice.oneIn(3) ? 1 : 0)],
    ["by a helper as fast as it", () => 1],
    ["by a fast helper", () => 7],
    ["by one that takes all", () => Infinity],
  ];

  test.each(paces)("in sound slots, %s", async (_, takes) => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db);
    const { findings } = await expectSame(taskOf(db), takes);
    expect(findings).toEqual([]);
  });

  test.each(paces)("in keys that are live twice, %s", async (_, takes) => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db, (slots) => {
      for (const [from, to] of [
        [3, 4_999],
        [3, 2_500],
        [4_950, 4_951],
      ] as const)
        slots.copy(
          slots,
          to * LAYOUT.slotSize,
          from * LAYOUT.slotSize,
          (from + 1) * LAYOUT.slotSize,
        );
    });
    const { findings } = await expectSame(taskOf(db), takes);
    expect(findings.map(({ slots }) => slots)).toEqual([
      [3, 2_500, 4_999],
      [4_950, 4_951],
    ]);
  });

  test.each(paces)("in notes, which are counted, %s", async (_, takes) => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db, (slots) => {
      for (let slot = 10; slot < SLOTS; slot += 100) {
        slots.fill(0, slot * LAYOUT.slotSize, slot * LAYOUT.slotSize + 4);
        const deleted = (slot + 1) * LAYOUT.slotSize;
        slots.writeUInt32LE(packMeta(STATUS_DELETED, 9), deleted);
      }
    });
    const { findings } = await expectSame(taskOf(db), takes);
    expect(findings).toMatchObject([
      { kind: "slot-deleted-crc", slot: 11, count: 50 },
      { kind: "slot-free-not-empty", slot: 10, count: 50 },
    ]);
  });

  test.each(paces)("in damage everywhere, %s", async (_, takes) => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db, (slots) => {
      for (let slot = 0; slot < SLOTS; slot += 33)
        slots[slot * LAYOUT.slotSize + 20] = (slots[slot * LAYOUT.slotSize + 20] ?? 0) ^ 1;
    });
    const { findings } = await expectSame(taskOf(db), takes);
    expect(findings).toHaveLength(Math.ceil(SLOTS / 33));
  });

  test("in a sidecar that is not as the slots are", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    write(db);
    const words = Uint32Array.from({ length: SLOTS }, (_, slot) =>
      packMeta(STATUS_OCCUPIED, slot === 4_321 ? 1 : slot + 1),
    );
    db.write("shard_000/fixed.versions", encodeSidecar(words));
    const { findings } = await expectSame(taskOf(db, db.file("shard_000/fixed.versions")), () => 1);
    expect(findings).toMatchObject([{ kind: "sidecar-hides-slot", slot: 4_321 }]);
  });
});

test("a scan that is stopped while a helper has blocks does not wait for them", async () => {
  using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
  write(db);
  const task = taskOf(db);
  const { run, state, scan } = stageOf(task);
  const claims = new BlockClaims(task, state.cells, BLOCK_SLOTS);
  const helper = new BlockClaims(task, state.cells, BLOCK_SLOTS);
  for (let block = 0; block < 20; block++) helper.takeLast();
  let looks = 0;
  const result = await scan({
    claims,
    collect: () => {
      looks += 1;
      if (looks > 35) run.end();
      return [];
    },
  });
  expect(result).toMatchObject({ stopped: true, counts: { occupied: 3_000, unread: 2_000 } });
});

describe("threads", () => {
  test("more of them than shards scan one large shard, and find what one thread finds", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const layout = slotLayout(8, 1000);
    const slotCount = 600_000;
    write(db);
    const header = encodeShardHeader({ ...layout, slotCount, shardId: 0, cleanShutdown: 0 });
    const file = openSync(db.file(DATA), "w");
    ftruncateSync(file, offsetOf(slotCount, layout));
    writeSync(file, header, 0, header.length, 0);
    const image = Buffer.alloc(layout.slotSize);
    encodeOccupiedSlot(
      image,
      layout,
      packMeta(STATUS_OCCUPIED, 5),
      randomBytes(8),
      Buffer.alloc(1000),
    );
    // The key of the first slot in the last one too, and damage between.
    for (const slot of [0, 300_000, 599_999])
      writeSync(file, image, 0, image.length, offsetOf(slot, layout));
    writeSync(file, Buffer.from([1]), 0, 1, offsetOf(300_000, layout) + 100);
    closeSync(file);
    const task = taskOf(db);
    const stop = new AbortController().signal;
    const tools = { clock: realClock, stop, bytesPerSecond: null, progress: () => {} };
    using one = new ScanPool(realDisk, task.fileBytes, 1);
    using three = new ScanPool(realDisk, task.fileBytes, 3);
    const [alone] = (await one.scan([task], tools)).results;
    const [helped] = (await three.scan([task], tools)).results;
    expect(helped).toEqual(alone as ScanResult);
    expect(helped?.counts).toMatchObject({ occupied: 2, damaged: 1, free: 599_997, unread: 0 });
    expect(helped?.findings.map(({ kind, slot }) => [kind, slot])).toEqual([
      ["slot-crc", 300_000],
      ["key-duplicate", 0],
    ]);
  });

  test("are one a shard, and more where there is much to do", () => {
    const gib = 1024 ** 3;
    expect(threadsFor(1, 10_000, 8)).toBe(1);
    expect(threadsFor(4, 10_000, 8)).toBe(4);
    expect(threadsFor(1, gib, 8)).toBe(4);
    expect(threadsFor(1, 100 * gib, 8)).toBe(8);
    expect(threadsFor(255, gib, 8)).toBe(8);
  });
});
