// The lock of a directory and the sight of who else uses it, with real processes and with made-up /proc tables.

import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ArmdbError } from "../../src/errors.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import {
  fileStamp,
  lockHolder,
  type ProcessTable,
  systemTable,
  writersOf,
  writtenPid,
} from "../../src/store/holders.ts";
import { takeLock } from "../../src/store/lock.ts";
import { Holder, TempDirectory } from "./holding.ts";
import { need } from "../support/needs.ts";

const LIMIT_MS = 30_000;
const onLinux = process.platform === "linux";

function thrownBy(run: () => unknown): ArmdbError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

describe("an exclusive lock", () => {
  test("creates db.lock with our pid, mode 0600, and never removes it", () => {
    using temp = new TempDirectory();
    const path = join(temp.path, "db.lock");
    const lock = takeLock(realDisk, temp.path, "exclusive");
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    lock.release();
    expect(existsSync(path)).toBe(true);
  });

  test("gives a new db.lock the mode of db.meta", () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-clean");
    chmodSync(join(dir, "db.meta"), 0o640);
    takeLock(realDisk, dir, "exclusive").release();
    expect(statSync(join(dir, "db.lock")).mode & 0o777).toBe(0o640);
  });

  test("replaces a longer pid of an earlier holder", () => {
    using temp = new TempDirectory();
    const path = join(temp.path, "db.lock");
    writeFileSync(path, "4294967295\nand more\n");
    takeLock(realDisk, temp.path, "exclusive").release();
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
  });

  test("is refused a second time in the same process, and free after release", () => {
    using temp = new TempDirectory();
    const lock = takeLock(realDisk, temp.path, "exclusive");
    const error = thrownBy(() => takeLock(realDisk, temp.path, "exclusive"));
    expect(error.code).toBe("locked");
    expect(error.exitStatus).toBe(11);
    lock.release();
    takeLock(realDisk, temp.path, "exclusive").release();
  });

  test("does not follow a link that was planted as db.lock", () => {
    using temp = new TempDirectory();
    const target = join(temp.path, "target");
    writeFileSync(target, "precious");
    mkdirSync(join(temp.path, "db"));
    symlinkSync(target, join(temp.path, "db/db.lock"));
    expect(thrownBy(() => takeLock(realDisk, join(temp.path, "db"), "exclusive")).code).toBe(
      "storage",
    );
    expect(readFileSync(target, "utf8")).toBe("precious");
  });
});

test("a shared lock without db.lock creates nothing", () => {
  using temp = new TempDirectory();
  const lock = takeLock(realDisk, temp.path, "shared");
  expect(lock.kind).toBe("none");
  expect(existsSync(join(temp.path, "db.lock"))).toBe(false);
  lock.release();
});

test("two shared locks go together", () => {
  using temp = new TempDirectory();
  takeLock(realDisk, temp.path, "exclusive").release();
  const first = takeLock(realDisk, temp.path, "shared");
  const second = takeLock(realDisk, temp.path, "shared");
  expect([first.kind, second.kind]).toEqual(["shared", "shared"]);
  first.release();
  second.release();
});

describe.if(need("linux", onLinux))("another process", () => {
  test(
    "that writes is named with its pid, and free at once when it is killed",
    async () => {
      using temp = new TempDirectory();
      await using holder = await Holder.start("exclusive", temp.path);
      expect(lockHolder(temp.path)).toEqual({ pid: holder.pid, kind: "exclusive" });
      for (const kind of ["exclusive", "shared"] as const) {
        const error = thrownBy(() => takeLock(realDisk, temp.path, kind));
        expect(error.code).toBe("locked");
        expect(error.message).toContain(`changed by process ${holder.pid}`);
        expect(error.details.hint).toContain(`ps -p ${holder.pid}`);
      }
      await holder.kill();
      expect(lockHolder(temp.path)).toBeNull();
      takeLock(realDisk, temp.path, "exclusive").release();
    },
    LIMIT_MS,
  );

  test(
    "that serves keeps writers out, not other readers",
    async () => {
      using temp = new TempDirectory();
      takeLock(realDisk, temp.path, "exclusive").release();
      await using holder = await Holder.start("shared", temp.path);
      expect(lockHolder(temp.path)).toEqual({ pid: holder.pid, kind: "shared" });
      const error = thrownBy(() => takeLock(realDisk, temp.path, "exclusive"));
      expect(error.message).toContain(`served or read by process ${holder.pid}`);
      takeLock(realDisk, temp.path, "shared").release();
    },
    LIMIT_MS,
  );

  test(
    "with a file open for writing is found, one that reads is not",
    async () => {
      using temp = new TempDirectory();
      const dir = temp.fixture("8x16-2-shards", "leader-clean");
      expect(writersOf(dir).pids).toEqual([]);
      await using reading = await Holder.start("reading", dir);
      expect(writersOf(dir).pids).not.toContain(reading.pid);
      await using writing = await Holder.start("writing", dir);
      expect(writersOf(dir).pids).toEqual([writing.pid]);
    },
    LIMIT_MS,
  );
});

describe("a /proc", () => {
  /** A machine with one database file `7/42` and its lock file `7/43`. */
  const machine = (parts: Partial<ProcessTable>): ProcessTable => ({
    ownPid: 1000,
    locks: () => "",
    pids: () => [1, 500, 1000],
    descriptors: () => ["0", "5"],
    descriptorFile: (pid, descriptor) => (pid === 500 && descriptor === "5" ? "7/42" : "7/1"),
    descriptorInfo: () => "pos:\t0\nflags:\t0100002\nmnt_id:\t24\n",
    file: (path) => (path.endsWith("db.lock") ? "7/43" : path.endsWith("db.meta") ? "7/42" : null),
    text: () => "500\n",
    list: () => ["db.lock", "db.meta"],
    ...parts,
  });
  const line = (pid: number, mode: string, device: string) =>
    `2: FLOCK  ADVISORY  ${mode} ${pid} ${device}:43 0 EOF\n`;

  const holders: [string, Partial<ProcessTable>, ReturnType<typeof lockHolder>][] = [
    ["without locks names nobody", {}, null],
    ["that may not be read names nobody", { locks: () => null }, null],
    [
      "with a write lock names its holder",
      { locks: () => line(500, "WRITE", "00:07") },
      { pid: 500, kind: "exclusive" },
    ],
    [
      "with a read lock names its holder",
      { locks: () => line(500, "READ ", "00:07") },
      { pid: 500, kind: "shared" },
    ],
    [
      "names the exclusive holder before shared ones",
      { locks: () => line(400, "READ ", "00:07") + line(500, "WRITE", "00:07") },
      { pid: 500, kind: "exclusive" },
    ],
    [
      "with a waiter only names nobody",
      { locks: () => `2: -> ${line(500, "WRITE", "00:07").slice(3)}` },
      null,
    ],
    [
      "with a POSIX lock only names nobody",
      { locks: () => line(500, "WRITE", "00:07").replace("FLOCK", "POSIX") },
      null,
    ],
    [
      "with a lock on another inode names nobody",
      { locks: () => line(500, "WRITE", "00:07").replace(":43 ", ":44 ") },
      null,
    ],
    [
      "of another device names nobody who has not the file open",
      { locks: () => line(500, "WRITE", "00:2a") },
      null,
    ],
    [
      "of another device (btrfs, overlay) names who has the file open",
      { locks: () => line(500, "WRITE", "00:2a"), descriptorFile: () => "7/43" },
      { pid: 500, kind: "exclusive" },
    ],
    [
      "of another pid namespace takes the pid from the file",
      { locks: () => line(0, "WRITE", "00:07") },
      { pid: 500, kind: "exclusive" },
    ],
    [
      "of another pid namespace does not know a shared holder",
      { locks: () => line(-1, "READ ", "00:07") },
      { pid: null, kind: "shared" },
    ],
  ];
  for (const [name, parts, expected] of holders) {
    test(name, () => expect(lockHolder("/db", machine(parts))).toEqual(expected));
  }

  test("is not asked for its locks where there is no lock file: the kernel takes long for them", () => {
    const locks = () => expect.unreachable("asked for all locks of the machine");
    expect(lockHolder("/db", machine({ file: () => null, locks }))).toBeNull();
  });

  const writers: [string, Partial<ProcessTable>, ReturnType<typeof writersOf>][] = [
    ["with a writer lists it", {}, { pids: [500], unseen: false }],
    ["does not list ourselves", { ownPid: 500 }, { pids: [], unseen: false }],
    [
      "lists a write-only descriptor",
      { descriptorInfo: () => "flags:\t02100001\n" },
      { pids: [500], unseen: false },
    ],
    [
      "does not list a reader",
      { descriptorInfo: () => "flags:\t02100000\n" },
      { pids: [], unseen: false },
    ],
    ["that is not there leaves it open", { pids: () => null }, { pids: [], unseen: true }],
    [
      "that hides process 1 leaves it open",
      { pids: () => [500, 1000] },
      { pids: [500], unseen: true },
    ],
    [
      "with closed processes leaves it open",
      { descriptors: () => null },
      { pids: [], unseen: true },
    ],
    [
      "with processes that ended meanwhile does not",
      { descriptors: () => "gone" },
      { pids: [], unseen: false },
    ],
  ];
  for (const [name, parts, expected] of writers) {
    test(name, () => expect(writersOf("/db", machine(parts))).toEqual(expected));
  }

  test("of this machine can be read", () => {
    if (!onLinux) return;
    expect(systemTable.pids()).toContain(process.pid);
    expect(systemTable.locks()).not.toBeNull();
    expect(systemTable.descriptors(process.pid)?.length).toBeGreaterThan(0);
    expect(systemTable.descriptors(2 ** 22 + 1)).toBe("gone");
  });
});

test("writtenPid takes a pid and nothing else", () => {
  expect(["123\n", "123", "", "12x", "-3", "123456789012\n", null].map(writtenPid)).toEqual([
    123,
    123,
    null,
    null,
    null,
    null,
    null,
  ]);
});

test("fileStamp changes with contents, is stable without, and null for nothing", () => {
  using temp = new TempDirectory();
  const path = join(temp.path, "file");
  expect(fileStamp(path)).toBeNull();
  writeFileSync(path, "a");
  const before = fileStamp(path);
  expect(fileStamp(path)).toBe(before);
  writeFileSync(path, "ab");
  expect(fileStamp(path)).not.toBe(before);
});
