// What is asked ahead while a file is read in order: nothing where all is cached or the disk is fast, and each place once where
// the disk decides.

import { expect, test } from "bun:test";
import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { JUDGED_BYTES, OrderedReader, READ_AHEAD_BYTES } from "../../src/io/ordered-reader.ts";
import type { Clock } from "../../src/io/clock.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { TempRoot } from "../support/temp.ts";

const MIB = 1024 * 1024;
const AHEAD_MIB = READ_AHEAD_BYTES / MIB;
const JUDGED_MIB = JUDGED_BYTES / MIB;
type Source = "cache" | "disk";
/** ms for a MiB. */
const FAST = 0.9;
const SLOW = 1.1;

/** A file that is read in order, a MiB at a time. */
class Reading implements Disposable {
  /** [from, to] of what was asked ahead, MiB. */
  asked: [from: number, to: number][] = [];
  readonly #file = realDisk.open(import.meta.path, "read");
  readonly #reader: OrderedReader;
  #source: Source = "cache";
  #nowMs = 1000;
  #extraMs = 0;
  #fetched = 8;
  #done = 0;

  /** Reads take so many ms for each MiB; without this no clock is given. */
  constructor(msAMib?: number) {
    const clock: Clock = {
      nowMs: () => this.#nowMs,
      wallMs: () => 0,
      after: () => ({ cancel: () => {} }),
    };
    this.#reader = new OrderedReader(this.#file, msAMib === undefined ? null : clock);
    this.#file.willRead = (offset, bytes) =>
      void this.asked.push([offset / MIB, (offset + bytes) / MIB]);
    this.#file.blocksFetched = () => this.#fetched;
    this.#file.read = (into) => {
      if (this.#source === "disk") this.#fetched += 2048;
      this.#nowMs += (msAMib ?? 0) * (into.length / MIB) + this.#extraMs;
      this.#extraMs = 0;
      return into.length;
    };
  }

  /** The next reads, all of them from there. Between two of them the thread reads something else from the disk. */
  read(times: number, source: Source, bytes = MIB): void {
    this.#source = source;
    const into = new Uint8Array(bytes);
    for (let time = 0; time < times; time++) {
      expect(this.#reader.read(into, this.#done)).toBe(bytes);
      this.#done += bytes;
      this.#fetched += 8;
    }
  }

  /** The next read takes so many ms more. */
  slowDown(ms: number): void {
    this.#extraMs = ms;
  }

  /** The next read begins this much before the end of the last. */
  rewind(bytes: number): void {
    this.#done -= bytes;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

test("nothing is asked ahead of what is in the cache", () => {
  using reading = new Reading();
  reading.read(200, "cache");
  expect(reading.asked).toEqual([]);
});

test("from the first read from the disk on, each place is asked ahead once", () => {
  using reading = new Reading();
  reading.read(1, "cache");
  reading.read(4, "disk");
  // The first asks for all between the read and how far it looks, the others for what comes after that.
  expect(reading.asked).toEqual([
    [3, 3 + AHEAD_MIB],
    [3 + AHEAD_MIB, 4 + AHEAD_MIB],
    [4 + AHEAD_MIB, 5 + AHEAD_MIB],
  ]);
});

test("what was asked ahead is cached, and the asking goes on", () => {
  using reading = new Reading();
  reading.read(1, "disk");
  reading.read(40, "cache");
  expect(reading.asked).toHaveLength(40);
});

test("when all is cached, the asking ends until the next read from the disk", () => {
  using reading = new Reading();
  reading.read(1, "disk");
  reading.read(200, "cache");
  const once = reading.asked.length;
  expect(once).toBeLessThan(100);
  reading.read(2, "disk");
  expect(reading.asked).toHaveLength(once + 1);
});

test("a range that is read again in halves asks for nothing again", () => {
  using reading = new Reading();
  reading.read(3, "disk");
  const asked = [...reading.asked];
  reading.rewind(MIB);
  reading.read(2, "disk", MIB / 2);
  expect(reading.asked).toEqual(asked);
});

test("a fast disk is left to the system", () => {
  using reading = new Reading(FAST);
  reading.read(200, "disk");
  expect(reading.asked).toEqual([]);
});

test("a disk that many reads have shown to be slow is helped from then on", () => {
  using reading = new Reading(SLOW);
  reading.read(JUDGED_MIB, "disk");
  expect(reading.asked).toEqual([]);
  reading.read(1, "disk");
  expect(reading.asked).toEqual([[JUDGED_MIB + 1, JUDGED_MIB + 1 + AHEAD_MIB]]);
  reading.read(200, "cache");
  const before = reading.asked.length;
  reading.read(2, "disk");
  expect(reading.asked).toHaveLength(before + 1);
});

test("slow reads of what is cached, for want of a processor, say nothing of the disk", () => {
  using reading = new Reading(SLOW);
  reading.read(2 * JUDGED_MIB, "cache");
  reading.read(2, "disk");
  expect(reading.asked).toEqual([]);
});

test("one slow stretch among fast ones is enough, a single slow read is not", () => {
  using single = new Reading(FAST);
  single.read(JUDGED_MIB - 1, "disk");
  single.slowDown(0.5);
  single.read(1 + JUDGED_MIB, "disk");
  expect(single.asked).toEqual([]);
  using stretch = new Reading(FAST);
  stretch.read(JUDGED_MIB, "disk");
  stretch.slowDown(JUDGED_MIB);
  stretch.read(JUDGED_MIB + 1, "disk");
  expect(stretch.asked).toHaveLength(1);
});

/** statfs types of ext4 and xfs. */
const ON_DISKS = [0xef53, 0x58465342];

test("the system tells what it fetched from the disk from what was cached", () => {
  using temp = new TempRoot("fetched");
  const dir = temp.fresh("files");
  mkdirSync(dir);
  const file = realDisk.open(join(dir, "file"), "create");
  file.write(new Uint8Array(4 * MIB), 0);
  file.sync();
  const blocks = (4 * MIB) / 512;
  const fetched = () => {
    const before = file.blocksFetched();
    file.read(new Uint8Array(4 * MIB), 0);
    return file.blocksFetched() - before;
  };
  // The thread may fetch some of its own code meanwhile.
  expect(fetched()).toBeLessThan(blocks);
  file.dropCache();
  if (process.platform === "linux" && ON_DISKS.includes(statfsSync(dir).type))
    expect(fetched()).toBeGreaterThanOrEqual(blocks);
  file.close();
});
