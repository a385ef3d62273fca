// Which directories are served, and with which words the others are refused.

import { describe, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ArmdbError, type ErrorCode } from "../../src/errors.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { ChangeWatch, type DirectoryChange } from "../../src/serve/change-watch.ts";
import { ServedDirectory } from "../../src/serve/served-database.ts";
import { fileStamp } from "../../src/store/holders.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FIXTURES, fixtureDirectory, fixtureExpected } from "./fixtures.ts";
import { TempDirectory } from "./holding.ts";

for (const name of FIXTURES) {
  test(`${name} is opened with the geometry that the crate says`, () => {
    const expected = fixtureExpected(name);
    const directory = ServedDirectory.open(realDisk, fixtureDirectory(name, "leader-clean"));
    const first = expected.leaderClean[0];
    expect(directory.shardCount).toBe(expected.shards);
    expect(directory.shardPrefixBits).toBe(expected.shardPrefixBits);
    expect(directory.layout as object).toEqual({
      keyLen: first?.keyLen,
      valueLen: first?.valueLen,
      slotSize: first?.slotSize,
    });
    expected.leaderClean.forEach((shard, number) => {
      expect(directory.slotCount(number)).toBe(shard.slotCount);
    });
    directory.close();
  });
}

/** Writes bytes into a file at an offset. */
function patch(path: string, offset: number, bytes: number[]): void {
  const contents = readFileSync(path);
  contents.set(bytes, offset);
  writeFileSync(path, contents);
}

describe("a directory is refused", () => {
  const data = (dir: string, shard = 0) => join(dir, `shard_00${shard}/fixed.data`);
  const meta = (dir: string) => join(dir, "db.meta");
  const cases: [string, ErrorCode, string, (dir: string) => void][] = [
    [
      "that is not there",
      "no-database",
      "no such directory",
      (dir) => rmSync(dir, { recursive: true }),
    ],
    ["without db.meta", "no-database", "no db.meta", (dir) => rmSync(meta(dir))],
    ["with a short db.meta", "damaged", "16 bytes", (dir) => truncateSync(meta(dir), 15)],
    ["with a long db.meta", "damaged", "16 bytes", (dir) => truncateSync(meta(dir), 17)],
    ["with another magic", "damaged", "magic", (dir) => patch(meta(dir), 0, [0])],
    ["of another version", "incompatible", "version", (dir) => patch(meta(dir), 4, [3])],
    ["of another backend", "incompatible", "backend", (dir) => patch(meta(dir), 5, [2])],
    ["with no shards", "damaged", "shard-count", (dir) => patch(meta(dir), 6, [0])],
    [
      "with a shard missing",
      "damaged",
      "shard_001",
      (dir) => rmSync(join(dir, "shard_001"), { recursive: true }),
    ],
    [
      "with a file shorter than a header",
      "damaged",
      "shorter",
      (dir) => truncateSync(data(dir), 4095),
    ],
    ["with a zeroed header", "damaged", "magic", (dir) => patch(data(dir), 0, Array(4096).fill(0))],
    ["with files of version 1", "incompatible", "version 1", (dir) => patch(data(dir), 4, [1, 0])],
    ["with a wrong slot size", "damaged", "slot-size", (dir) => patch(data(dir), 6, [40, 0])],
    [
      "with a shard in another's place",
      "damaged",
      "shard 0",
      (dir) => cpSync(data(dir, 0), data(dir, 1)),
    ],
    [
      "with other lengths in one shard",
      "damaged",
      "unlike shard 0",
      (dir) => patch(data(dir, 1), 12, [9, 0, 15, 0]),
    ],
    [
      "with a file shorter than its header says",
      "damaged",
      "cannot hold",
      (dir) => truncateSync(data(dir), 4096 + 32),
    ],
    [
      "with a directory in a file's place",
      "storage",
      "EISDIR",
      (dir) => {
        rmSync(data(dir));
        mkdirSync(data(dir));
      },
    ],
  ];
  for (const [name, code, words, spoil] of cases) {
    test(name, () => {
      using temp = new TempDirectory();
      const dir = temp.fixture("8x16-2-shards", "leader-clean");
      spoil(dir);
      let thrown: unknown = null;
      try {
        ServedDirectory.open(realDisk, dir).close();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(ArmdbError);
      const error = thrown as ArmdbError;
      expect(error.code).toBe(code);
      expect(error.message).toContain(words);
      expect(error.details.hint).toBeString();
    });
  }
});

test("a file longer than its header says is served", () => {
  using temp = new TempDirectory();
  const dir = temp.fixture("8x16-2-shards", "leader-clean");
  truncateSync(join(dir, "shard_000/fixed.data"), 100_000);
  const directory = ServedDirectory.open(realDisk, dir);
  expect(directory.slotCount(0)).toBe(128);
  directory.close();
});

test("a file that was cut while it is served fails the read, and is not taken for zeros", () => {
  using temp = new TempDirectory();
  const dir = temp.fixture("8x16-2-shards", "leader-clean");
  const directory = ServedDirectory.open(realDisk, dir);
  truncateSync(join(dir, "shard_000/fixed.data"), 4096 + 64);
  expect(() => directory.readSlots(0, 0, new Uint8Array(128 * 32))).toThrow("cannot hold");
  directory.close();
});

describe("the watch over a directory at rest", () => {
  function watched() {
    const temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-clean");
    const clock = new ManualClock();
    const changes: DirectoryChange[] = [];
    const directory = ServedDirectory.open(realDisk, dir);
    const changed = (change: DirectoryChange) => void changes.push(change);
    const watch = new ChangeWatch({ directory, clock, stampOf: fileStamp, changed });
    watch.start();
    const done = () => {
      watch.stop();
      directory.close();
      temp[Symbol.dispose]();
    };
    return { dir, clock, changes, done, data: join(dir, "shard_001/fixed.data") };
  }

  const cases: [string, string, (data: string) => void][] = [
    ["a slot that was written", "was written to", (data) => patch(data, 4096 + 8, [1])],
    ["a growth", "grew from 128 to 256 slots", (data) => patch(data, 8, [0, 1, 0, 0])],
    ["an open", "was opened or closed by a program", (data) => patch(data, 17, [0])],
    ["a lost header", "has lost its header", (data) => truncateSync(data, 100)],
    ["a new time alone", "was written to", (data) => utimesSync(data, 1, 1)],
    ["a file that is gone", "is gone", (data) => rmSync(data)],
  ];
  for (const [name, what, change] of cases) {
    test(`reports ${name}`, () => {
      const { clock, changes, done, data } = watched();
      clock.advance(10_000);
      expect(changes).toEqual([]);
      change(data);
      clock.advance(2_000);
      expect(changes).toEqual([{ shard: 1, path: data, what }]);
      done();
      expect(clock.pendingTimers).toBe(0);
    });
  }

  test("reports a shard that keeps changing once a minute", () => {
    const { clock, changes, done, data } = watched();
    for (let second = 0; second < 120; second += 2) {
      patch(data, 4096 + 8, [second]);
      clock.advance(2_000);
    }
    expect(changes).toHaveLength(2);
    done();
  });
});
