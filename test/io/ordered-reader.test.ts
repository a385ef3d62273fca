// What is asked ahead while a file is read in order: nothing where reads are fast, and each place once where the disk decides.

import { expect, test } from "bun:test";
import { OrderedReader, READ_AHEAD_BYTES } from "../../src/io/ordered-reader.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";

const MIB = 1024 * 1024;
const AHEAD_MIB = READ_AHEAD_BYTES / MIB;
const CACHED_MS = 0.1;
const DISK_MS = 5;

/** A file that is read in order, a MiB at a time, by a clock of its own. */
class Reading implements Disposable {
  /** [from, to] of what was asked ahead, MiB. */
  asked: [from: number, to: number][] = [];
  readonly #file = realDisk.open(import.meta.path, "read");
  readonly #reader: OrderedReader;
  #nowMs = 0;
  #readMs = 0;
  #done = 0;

  constructor() {
    this.#file.willRead = (offset, bytes) =>
      void this.asked.push([offset / MIB, (offset + bytes) / MIB]);
    this.#file.read = (into) => {
      this.#nowMs += this.#readMs;
      return into.length;
    };
    this.#reader = new OrderedReader(this.#file, { ...realClock, nowMs: () => this.#nowMs });
  }

  /** The next reads, each of which takes this long. */
  read(times: number, readMs: number, bytes = MIB): void {
    this.#readMs = readMs;
    const into = new Uint8Array(bytes);
    for (let time = 0; time < times; time++) {
      expect(this.#reader.read(into, this.#done)).toBe(bytes);
      this.#done += bytes;
    }
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
  reading.read(200, CACHED_MS);
  expect(reading.asked).toEqual([]);
});

test("from the first slow read on, each place is asked ahead once", () => {
  using reading = new Reading();
  reading.read(1, CACHED_MS);
  reading.read(4, DISK_MS);
  // The first asks for all between the read and how far it looks, the others for what comes after that.
  expect(reading.asked).toEqual([
    [3, 3 + AHEAD_MIB],
    [3 + AHEAD_MIB, 4 + AHEAD_MIB],
    [4 + AHEAD_MIB, 5 + AHEAD_MIB],
  ]);
});

test("what was asked ahead comes fast, and the asking goes on", () => {
  using reading = new Reading();
  reading.read(1, DISK_MS);
  reading.read(40, CACHED_MS);
  expect(reading.asked).toHaveLength(40);
});

test("when all stays fast, the asking ends until the next slow read", () => {
  using reading = new Reading();
  reading.read(1, DISK_MS);
  reading.read(200, CACHED_MS);
  const once = reading.asked.length;
  expect(once).toBeLessThan(100);
  reading.read(2, DISK_MS);
  expect(reading.asked).toHaveLength(once + 1);
});

test("a range that is read again in halves asks for nothing again", () => {
  using reading = new Reading();
  reading.read(3, DISK_MS);
  const asked = [...reading.asked];
  reading.rewind(MIB);
  reading.read(2, DISK_MS, MIB / 2);
  expect(reading.asked).toEqual(asked);
});

test("small reads say nothing of the disk", () => {
  using reading = new Reading();
  reading.read(20, CACHED_MS, 4096);
  expect(reading.asked).toEqual([]);
});
