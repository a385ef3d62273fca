// The scan itself: what it does while a writer is at work, with little memory, under a rate limit and when it is stopped.

import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { ScanTask } from "../../src/audit/scan/data.ts";
import { ScanPool } from "../../src/audit/scan/pool.ts";
import { slotsPerChunk } from "../../src/format/slot-scanner.ts";
import { slotLayout } from "../../src/format/slot.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import { JUDGED_BYTES } from "../../src/io/ordered-reader.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";
import { places, SampleDatabase, verify } from "./sample-databases.ts";
import { DATA, scan, taskOf, writeKeys, writeNeverUsed } from "./scan-cases.ts";

const SLOT = 5;
const SLOT_OFFSET = 4096 + SLOT * 32;

/** Hands out torn bytes for one slot until `tornReads` reads have seen it. */
function tearingDisk(tornReads: number): Disk {
  let left = tornReads;
  return {
    ...realDisk,
    open(path, mode, permissions) {
      const file = realDisk.open(path, mode, permissions);
      if (!path.endsWith(DATA)) return file;
      const read = file.read.bind(file);
      file.read = (into, offset) => {
        const got = read(into, offset);
        const at = SLOT_OFFSET + 24 - offset;
        // The header page is read on its own: slots come in later reads.
        if (offset >= 4096 && at >= 0 && at < got && left > 0) {
          left -= 1;
          into[at] = (into[at] ?? 0) ^ (left + 1);
        }
        return got;
      };
      return file;
    },
  };
}

describe("a directory that is being written", () => {
  test("has a torn read taken for what it is", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    // One read samples keys, the next is the scan's, two more are its second looks.
    const report = await verify(db.path, { disk: tearingDisk(4) });
    expect(report).toMatchObject({ verdict: "ok", live: true, findings: [] });
    expect(report.shards[0]).toMatchObject({ occupied: 78, damaged: 0, unread: 0 });
  });

  test("has damage that stays called damage", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const lock = realDisk.open(db.file("db.lock"), "create");
    expect(lock.lock("exclusive")).toBe(true);
    db.flipBit(DATA, SLOT_OFFSET + 24, 0);
    const report = await verify(db.path);
    lock.close();
    expect(report).toMatchObject({ verdict: "damaged", live: true });
    expect(places(report)).toEqual([
      `slot-crc 0 ${SLOT} ${SLOT_OFFSET}`,
      "lock-held null null null",
    ]);
    expect(report.findings.at(-1)?.message).toContain(`process ${process.pid}`);
  });

  test("may have a key twice for a while: that is unknown, not damage", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    db.change(DATA, (bytes) => bytes.copy(bytes, 4096 + 127 * 32, SLOT_OFFSET, SLOT_OFFSET + 32));
    db.change(DATA, (bytes) => bytes.writeUInt8(0, 17));
    const lock = realDisk.open(db.file("db.lock"), "create");
    lock.lock("exclusive");
    const report = await verify(db.path);
    lock.close();
    expect(report).toMatchObject({ verdict: "unknown", live: true });
    expect(report.findings[0]).toMatchObject({
      kind: "key-duplicate",
      severity: "unknown",
      slots: [SLOT, 127],
    });
  });

  test("that grew after its header was read is not called damaged", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const task = taskOf(db);
    db.change(DATA, (bytes) => bytes.writeUInt32LE(129, 8));
    const record = db.read(DATA).subarray(SLOT_OFFSET, SLOT_OFFSET + 32);
    db.write(DATA, Buffer.concat([db.read(DATA), record]));
    const result = await scan({
      ...task,
      fileBytes: task.fileBytes + 32,
      duplicateBytesMax: 0,
    });
    expect(result).toMatchObject({ changed: true, findings: [] });
  });
});

/** A clock on which only pauses pass, at once. */
function jumpingClock(): Clock & { passedMs(): number } {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after(delayMs, run) {
      nowMs += delayMs;
      queueMicrotask(run);
      return { cancel: () => {} };
    },
    passedMs: () => nowMs,
  };
}

describe("doubled keys", () => {
  const keys = Array.from({ length: 30_000 }, (_, index) => {
    const key = Buffer.alloc(8);
    key.writeUInt32BE(index, 4);
    return key;
  });
  /** Slot that holds the key of another one as well. */
  const doubles = new Map([
    [9_000, 3],
    [29_999, 3],
    [20_001, 20_000],
    [17_000, 12_345],
  ]);
  const doubled = keys.map((key, slot) => keys[doubles.get(slot) ?? slot] ?? key);

  test.each([256 * 1024 * 1024, 200_000, 64 * 1024])(
    "are all found, and only they, in %p bytes",
    async (bytesMax) => {
      using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
      writeKeys(db, doubled);
      const result = await scan({ ...taskOf(db), duplicateBytesMax: bytesMax });
      const found = result.findings.map(({ kind, slots }) => [kind, slots]);
      expect(found.sort((left, right) => Number(left[1]?.[0]) - Number(right[1]?.[0]))).toEqual([
        ["key-duplicate", [3, 9_000, 29_999]],
        ["key-duplicate", [12_345, 17_000]],
        ["key-duplicate", [20_000, 20_001]],
      ]);
      expect(result.counts).toMatchObject({ occupied: 30_000, damaged: 0 });
    },
  );

  test("share one row of pauses where somebody writes", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    writeKeys(db, [...keys.slice(0, 200), ...keys.slice(0, 200)]);
    const clock = jumpingClock();
    const { findings } = await scan({ ...taskOf(db), isLive: true }, { clock });
    expect(findings).toHaveLength(200);
    expect(findings.every(({ severity }) => severity === "unknown")).toBe(true);
    expect(clock.passedMs()).toBeLessThan(200);
  });

  test("are none where keys are random", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    writeKeys(
      db,
      Array.from({ length: 30_000 }, () => randomBytes(8)),
    );
    const result = await scan(taskOf(db));
    expect(result.findings).toEqual([]);
  });
});

describe("long runs of damage", () => {
  test("are one finding a run past the first 10,000, and none is left out", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    writeKeys(
      db,
      Array.from({ length: 25_000 }, () => randomBytes(8)),
    );
    db.change(DATA, (bytes) => {
      for (let slot = 0; slot < 25_000; slot++)
        bytes.writeUInt8(bytes.readUInt8(4096 + slot * 24 + 20) ^ 1, 4096 + slot * 24 + 20);
    });
    const result = await scan(taskOf(db));
    expect(result.counts).toMatchObject({ occupied: 0, damaged: 25_000 });
    expect(result.findings.length).toBeLessThan(10_010);
    expect(result.findings.reduce((sum, { count }) => sum + count, 0)).toBe(25_000);
    expect(result.findings.at(-1)).toMatchObject({ kind: "slot-crc", slot: 9_999, count: 15_001 });
  });
});

describe("pacing", () => {
  test("a rate limit makes a scan take as long as it says", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const clock = jumpingClock();
    await scan(taskOf(db), { clock, bytesPerSecond: 1024 });
    // 128 slots of 32 bytes are 4096 bytes: four seconds.
    expect(clock.passedMs()).toBeCloseTo(4000, 0);
  });

  test("a rate limit is kept by sidecar, tail and second readings too", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const bytes = db.read(DATA);
    db.write(DATA, Buffer.concat([bytes, bytes.subarray(4096)]));
    const task = taskOf(db, db.file("shard_000/fixed.versions"));
    const clock = jumpingClock();
    const { sidecar } = await scan(task, { clock, bytesPerSecond: 1024 });
    // The crc of the sidecar, its words, the slots, as many past the count.
    const read = 4 * 128 + 4 + 4 * 128 + 2 * 128 * 32;
    expect(sidecar).toBe("valid");
    expect(clock.passedMs()).toBeGreaterThanOrEqual((read / 1024) * 1000 - 10);
    expect(clock.passedMs()).toBeLessThan((read / 1024) * 1050);
  });

  test("a scan that is stopped counts the rest as unread", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    writeKeys(
      db,
      Array.from({ length: 100_000 }, () => randomBytes(8)),
    );
    const result = await scan(taskOf(db), { moved: (run) => run.end() });
    expect(result.stopped).toBe(true);
    expect(result.counts.unread).toBeGreaterThan(0);
    expect(result.counts.occupied + result.counts.unread).toBe(100_000);
  });
});

test("a scan has a slow disk read ahead of its checks", async () => {
  using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
  const chunkSlots = slotsPerChunk(slotLayout(8, 8));
  const judgedChunks = Math.ceil(JUDGED_BYTES / (chunkSlots * 24));
  writeNeverUsed(db, (judgedChunks + 2) * chunkSlots);
  const calls: ("ahead" | "read")[] = [];
  let fetched = 0;
  const disk: Disk = {
    ...realDisk,
    open(path, mode, permissions) {
      const file = realDisk.open(path, mode, permissions);
      const read = file.read.bind(file);
      file.willRead = () => void calls.push("ahead");
      file.blocksFetched = () => fetched;
      file.read = (into, offset) => {
        calls.push("read");
        fetched += 8;
        return read(into, offset);
      };
      return file;
    },
  };
  const clock: Clock = { ...realClock, nowMs: () => calls.length * 1000 };
  await scan({ ...taskOf(db), duplicateBytesMax: 0 }, { disk, clock });
  const judged = Array.from({ length: judgedChunks }, () => "read" as const);
  expect(calls).toEqual([...judged, "ahead", "read", "ahead", "read"]);
});

describe("threads", () => {
  /** Shards one after another in one thread, and what no thread found. */
  async function inOneThread(tasks: readonly ScanTask[]) {
    const stop = new AbortController().signal;
    const tools = { clock: realClock, stop, bytesPerSecond: null, progress: () => {} };
    const bytes = tasks.reduce((sum, task) => sum + task.fileBytes, 0);
    using threads = new ScanPool(realDisk, bytes, 1);
    using none = new ScanPool({ ...realDisk }, bytes, 1);
    expect([threads.threadCount, none.threadCount]).toEqual([1, 0]);
    const { results: inThread } = await threads.scan(tasks, tools);
    return { inThread, here: (await none.scan(tasks, tools)).results };
  }

  /** Tasks for four shards, of which the third cannot be read; together more than threads are used from. */
  function fourTasks(db: SampleDatabase): ScanTask[] {
    writeKeys(
      db,
      Array.from({ length: 150_000 }, () => randomBytes(8)),
    );
    const task = taskOf(db);
    return [0, 1, 2, 3].map((shard) => {
      const path = shard === 2 ? db.file("shard_009/fixed.data") : task.path;
      return { ...task, shard, path };
    });
  }

  test("scan one shard after another, and answer for each", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const { inThread, here } = await inOneThread(fourTasks(db));
    expect(inThread).toEqual(here);
    const read = inThread.map(({ shard, counts }) => [shard, counts.occupied, counts.unread]);
    expect(read).toEqual([
      [0, 150_000, 0],
      [1, 150_000, 0],
      [2, 0, 150_000],
      [3, 150_000, 0],
    ]);
  });

  test("that a bug ends in the middle end the whole scan with its reason", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const [first, second, ...rest] = fourTasks(db) as [ScanTask, ScanTask, ...ScanTask[]];
    const routing = { shard: 0, shardCount: 2n as unknown as number, shardPrefixBits: 0 };
    const broken = { ...second, routing };
    await expect(inOneThread([first, broken, ...rest])).rejects.toThrow("BigInt");
  });

  test("find what the same scan finds without them", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const keys = Array.from({ length: 400_000 }, () => randomBytes(8));
    keys[399_999] = keys[7] ?? randomBytes(8);
    writeKeys(db, keys);
    db.flipBit(DATA, 4096 + 200_000 * 24 + 17, 3);
    // More than the 8 MiB from which on threads are used.
    const inThreads = await verify(db.path, { disk: realDisk, jobs: 2 });
    const here = await verify(db.path);
    expect(places(inThreads)).toEqual([
      `key-duplicate 0 7 ${4096 + 7 * 24}`,
      `slot-crc 0 200000 ${4096 + 200_000 * 24}`,
    ]);
    expect(inThreads.findings).toEqual([...here.findings]);
    expect(inThreads.shards).toEqual([...here.shards]);
  });

  test("stop when they are told to, and say so", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    writeKeys(
      db,
      Array.from({ length: 400_000 }, () => randomBytes(8)),
    );
    const report = await verify(db.path, { disk: realDisk, stop: AbortSignal.abort("SIGINT") });
    expect(report).toMatchObject({ verdict: "unknown", stopped: true, slotsChecked: 0 });
  });
});
