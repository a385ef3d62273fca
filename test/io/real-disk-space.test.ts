// What the real disk says of space: holes, what is free, and a reservation that the disk cannot keep, on a small ext4 of its own. And
// that a descriptor is closed once.

import { describe, expect, test } from "bun:test";
import { ftruncateSync, openSync, readFileSync, closeSync, statfsSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { LoopImage } from "../support/loop-image.ts";
import { has, need } from "../support/needs.ts";
import { TempRoot } from "../support/temp.ts";

const MIB = 1024 * 1024;

describe("the next data of a file", () => {
  test("lies behind a hole, is where it is asked in the middle of it, and none past the last", () => {
    using root = new TempRoot("holes");
    const path = join(root.path, "sparse");
    const fd = openSync(path, "w");
    writeSync(fd, new Uint8Array(4096).fill(7), 0, 4096, 8 * MIB);
    ftruncateSync(fd, 64 * MIB);
    closeSync(fd);
    const file = realDisk.open(path, "read");
    const found = [0, 8 * MIB, 8 * MIB + 10, 9 * MIB, 64 * MIB, 65 * MIB].map((offset) =>
      file.nextData(offset),
    );
    file.close();
    // A file system may round to its own blocks, which are larger here and there.
    expect(found[0]).toBeGreaterThan(7 * MIB);
    expect(found[0]).toBeLessThanOrEqual(8 * MIB);
    expect(found.slice(1)).toEqual([8 * MIB, 8 * MIB + 10, null, null, null]);
  });
});

describe("free bytes", () => {
  test("are what others than root may use, and unknown where nothing is", () => {
    using root = new TempRoot("free");
    const { bavail, bsize } = statfsSync(root.path);
    const free = realDisk.freeBytes(root.path) ?? 0;
    // Others write meanwhile.
    expect(Math.abs(free - bavail * bsize)).toBeLessThan(2 ** 30);
    expect(realDisk.freeBytes(join(root.path, "missing"))).toBe(null);
  });
});

const hasLoops = need("loop devices", LoopImage.available());

describe.if(hasLoops)("a reservation that a full ext4 cannot keep", () => {
  test("leaves the file as long as it was, and all that was free", async () => {
    using root = new TempRoot("reserve");
    await using image = await LoopImage.create(join(root.path, "image"), 48);
    const path = join(image.reach(image.root), "fixed.data");
    const file = realDisk.open(path, "create");
    expect(file.preallocate(84_096)).toBe("allocated");
    file.sync();
    const before = realDisk.freeBytes(path) ?? 0;
    const refused = () => file.preallocate(100 * MIB);
    expect(refused).toThrow(DiskError);
    expect(refused).toThrow("ENOSPC");
    expect(file.size()).toBe(84_096);
    // But for a block of ext4's own.
    expect(before - (realDisk.freeBytes(path) ?? 0)).toBeLessThan(64 * 1024);
    // Half of it is there to be had.
    expect(file.preallocate(before / 2)).toBe("allocated");
    file.close();
  });
});

/** Opens and closes a file, then looks whether it may be closed once more. */
const CLOSES = `
  const { realDisk } = await import(process.argv[1]);
  const file = realDisk.open(process.argv[2], "read");
  file.close();
  file.close();
  realDisk.syncDirectory(process.argv[3]);`;

test.if(has("strace"))("a close that was interrupted is not made again", () => {
  using root = new TempRoot("close");
  const [path, log] = [join(root.path, "file"), join(root.path, "log")];
  realDisk.open(path, "create").close();
  const { exitCode, stderr } = Bun.spawnSync([
    ...["strace", "-f", "-qq", "-o", log, "-P", path, "-P", root.path],
    ...["-e", "trace=close", "-e", "inject=close:error=EINTR"],
    ...[process.execPath, "-e", CLOSES, resolve("src/io/real-disk.ts"), path, root.path],
  ]);
  expect({ exitCode, said: stderr.toString() }).toEqual({ exitCode: 0, said: "" });
  const closes = readFileSync(log, "utf8").match(/close\(/g);
  // Of the file and of the directory.
  expect(closes).toHaveLength(2);
});
