// Doctor, shown machines, places, directories and leaders of every kind.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Check, exitStatusOf, verdictOf } from "../../src/cli/doctor/check.ts";
import { checkLeaderBefore, lookInside } from "../../src/cli/doctor/content-checks.ts";
import { examine } from "../../src/cli/doctor/examine.ts";
import { leaderChecks } from "../../src/cli/doctor/leader-checks.ts";
import { checkKind, checkSpace, type Place } from "../../src/cli/doctor/place-checks.ts";
import { checkClock, checkMemory, checkSystemCalls } from "../../src/cli/doctor/process-checks.ts";
import type { FileSystemFacts, SystemFacts } from "../../src/cli/doctor/system.ts";
import { ArmdbError } from "../../src/errors.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import type { ProcessTable } from "../../src/store/holders.ts";
import { encodeErrorFrame, encodeHeartbeat, versionMismatchText } from "../../src/wire/messages.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { ScriptedLeader } from "../support/scripted-leader.ts";

const GIB = 2 ** 30;

const EXT4: FileSystemFacts = {
  magic: 0xef53,
  freeBytes: 100 * GIB,
  inodes: 1e6,
  freeInodes: 1e6,
};

/** A machine on which nothing is wrong, but for `more`. */
function system(more: Partial<SystemFacts> = {}, files: Record<string, string> = {}): SystemFacts {
  return {
    platform: "linux",
    uid: 1000,
    pid: 4242,
    wallMs: () => 1_800_000_000_000,
    fileSystem: () => EXT4,
    writeRefusal: () => null,
    text: (path) => files[path] ?? null,
    probeSystemCalls: () => {},
    ...more,
  };
}

/** Nobody else runs. */
const ALONE: ProcessTable = {
  ownPid: 4242,
  locks: () => "",
  pids: () => [1, 4242],
  descriptors: () => [],
  descriptorFile: () => null,
  descriptorInfo: () => null,
  file: () => null,
  text: () => null,
  list: () => [],
};

function named(checks: readonly Check[], name: string): Check {
  const check = checks.find((candidate) => candidate.name === name);
  if (check === undefined) throw new Error(`no check ${name} in ${JSON.stringify(checks)}`);
  return check;
}

describe("the process", () => {
  test("a JIT that is not allowed is a failure with the remedy", () => {
    const refused = system({
      probeSystemCalls: () => {
        throw new ArmdbError("unexpected", "no JIT", { hint: "no MemoryDenyWriteExecute=" });
      },
    });
    expect(checkSystemCalls(refused)).toEqual({
      name: "system-calls",
      result: "fail",
      code: "unexpected",
      message: "no JIT",
      hint: "no MemoryDenyWriteExecute=",
    });
  });

  test.each([
    [{ "/proc/meminfo": "MemAvailable:    8000000 kB\n" }, "ok"],
    [{ "/proc/meminfo": "MemAvailable:     100000 kB\n" }, "warn"],
    [
      {
        "/proc/meminfo": "MemAvailable:    8000000 kB\n",
        "/proc/self/cgroup": "0::/system.slice/armdb.service\n",
        "/sys/fs/cgroup/system.slice/armdb.service/memory.max": "134217728\n",
      },
      "warn",
    ],
    [
      { "/proc/meminfo": "MemAvailable:    8000000 kB\n", "/sys/fs/cgroup/memory.max": "max\n" },
      "ok",
    ],
    [{}, "warn"],
  ] satisfies [Record<string, string>, string][])("memory in %j is %s", (files, result) => {
    expect(checkMemory(system({}, files)).result).toBe(result as never);
  });

  test("a clock that was never set is named", () => {
    expect(checkClock(system({ wallMs: () => 1000 })).result).toBe("warn");
    expect(checkClock(system()).result).toBe("ok");
  });
});

describe("the place", () => {
  test.each([
    [0xef53, "ok", "ext4"],
    [0x58465342, "ok", "xfs"],
    [0x01021994, "warn", "tmpfs: in memory"],
    [0x6969, "warn", "nfs: a network file system"],
    [0x9123683e, "warn", "btrfs: copy-on-write"],
    [0x2fc12fc1, "warn", "zfs: copy-on-write"],
    [0x794c7630, "warn", "overlayfs: the inside of a container"],
    [0x4d44, "fail", "vfat"],
    [0x12345, "warn", "does not know (0x12345)"],
    [null, "warn", "does not know"],
  ] as const)("of magic %p is %s: %s", (magic, result, message) => {
    const check = checkKind({ ...EXT4, magic });
    expect(check.result).toBe(result);
    expect(check.message).toContain(message);
    if (result !== "ok") expect(check.hint).not.toBe("");
  });

  const place: Place = { path: "/srv/db", exists: true, base: "/srv/db", facts: null };

  test.each([
    [100 * GIB, 0, "ok"],
    [GIB / 2, 0, "warn"],
    [1024, 0, "fail"],
    [10 * GIB, 20 * GIB, "warn"],
    [30 * GIB, 20 * GIB, "ok"],
  ] as const)("with %d bytes free and %d for the next step is %s", (freeBytes, growth, result) => {
    expect(checkSpace({ ...EXT4, freeBytes }, place, growth).result).toBe(result);
  });
});

describe("the directory", () => {
  const FIXTURE = "test/fixtures/8x16-2-shards";
  let root = "";
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "armdb-doctor-"));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  async function look(data: string, more: Partial<SystemFacts> = {}, processes = ALONE) {
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const stop = new AbortController().signal;
    return await examine({
      leader: null,
      data,
      disk: realDisk,
      net,
      clock,
      stop,
      system: system(more),
      processes,
    });
  }

  function copy(name: string, fixture: string): string {
    const path = join(root, name);
    cpSync(join(FIXTURE, fixture), path, { recursive: true });
    chmodSync(path, 0o755);
    return path;
  }

  test("that does not exist can be created", async () => {
    const checks = await look(join(root, "a"));
    expect(named(checks, "permission").message).toContain(`can be created in ${root}`);
    expect(named(checks, "contents").message).toBe("a follower will create the directory");
    expect(checks.some((check) => check.name === "lock")).toBe(false);
  });

  test("whose parent does not exist cannot be made, and the parent is named", async () => {
    const { message, hint } = named(await look(join(root, "a", "b")), "contents");
    expect(message).toContain(`there is no "${join(root, "a")}"`);
    expect(hint).toContain("mkdir -p");
  });

  test("that is empty will be filled", async () => {
    mkdirSync(join(root, "empty"));
    expect(named(await look(join(root, "empty")), "contents").result).toBe("ok");
  });

  test("that holds other things is refused", async () => {
    mkdirSync(join(root, "other"));
    writeFileSync(join(root, "other", "\x1b[2J"), "");
    const checks = await look(join(root, "other"));
    expect(named(checks, "contents")).toMatchObject({ result: "fail", code: "no-database" });
    expect(exitStatusOf(checks)).toBe(10);
  });

  test("that is a replica is said to be one, and is not changed", async () => {
    const path = copy("replica", "follower-clean");
    const before = readdirSync(path, { recursive: true }).sort();
    const checks = await look(path);
    expect(named(checks, "contents")).toMatchObject({ result: "ok" });
    expect(named(checks, "contents").message).toStartWith(
      "a replica: 2 shards, keys of 8 and values of 16 bytes",
    );
    expect(named(checks, "open-files").message).toContain("is not known here");
    expect(verdictOf(checks)).toBe("warn");
    expect(readdirSync(path, { recursive: true }).sort()).toEqual(before);
  });

  test("that followed another leader is named", () => {
    const path = copy("moved", "follower-clean");
    const state = { schema: 1, leader: "old:7400", protocol: 1, shards: [], connectionsAtMs: [] };
    writeFileSync(join(path, "armdb.state.json"), JSON.stringify(state));
    const content = lookInside(realDisk, path);
    expect(checkLeaderBefore(content, "new:7400")[0]).toMatchObject({
      name: "leader-before",
      result: "warn",
      message: "it has followed old:7400 so far",
    });
    expect(checkLeaderBefore(content, "old:7400")).toEqual([]);
    expect(checkLeaderBefore(content, null)).toEqual([]);
  });

  test("with data but no cursor needs --adopt", async () => {
    const check = named(await look(copy("leader", "leader-clean")), "contents");
    expect(check.result).toBe("warn");
    expect(check.hint).toContain("--adopt");
  });

  test("with a broken db.meta is damaged", async () => {
    const path = copy("broken", "follower-clean");
    writeFileSync(join(path, "db.meta"), "ARMX");
    const checks = await look(path);
    expect(named(checks, "contents")).toMatchObject({ result: "fail", code: "damaged" });
    expect(exitStatusOf(checks)).toBe(3);
  });

  test("with a cursor from the future names the clock", async () => {
    const checks = await look(copy("future", "follower-clean"), {
      wallMs: () => 1_710_000_000_000,
    });
    expect(named(checks, "cursor-time").result).toBe("warn");
  });

  test("that cannot be written names its owner", async () => {
    const checks = await look(copy("foreign", "follower-clean"), { writeRefusal: () => "EACCES" });
    const check = named(checks, "permission");
    expect(check).toMatchObject({ result: "fail", code: "storage" });
    expect(check.hint).toStartWith("sudo -u '#");
    const readOnly = await look(join(root, "foreign"), { writeRefusal: () => "EROFS" });
    expect(named(readOnly, "permission").message).toContain("read-only file system");
  });

  test("that everybody may write is named", async () => {
    const path = copy("open", "follower-clean");
    chmodSync(path, 0o777);
    expect(named(await look(path), "permission")).toMatchObject({ result: "warn" });
  });

  test("that is a file is refused", async () => {
    writeFileSync(join(root, "file"), "");
    const checks = await look(join(root, "file"));
    expect(named(checks, "permission").message).toContain("is not a directory");
    const below = await look(join(root, "file", "below"));
    expect(verdictOf(below)).toBe("fail");
  });

  test("that somebody writes without the lock is in use", async () => {
    const path = copy("written", "leader-dirty");
    const processes: ProcessTable = {
      ...ALONE,
      pids: () => [1, 77, 4242],
      list: (given) => (given === path ? ["shard_000"] : ["fixed.data"]),
      file: (given) => (given.endsWith("fixed.data") ? "1/2" : null),
      descriptors: (pid) => (pid === 77 ? ["3"] : []),
      descriptorFile: () => "1/2",
      descriptorInfo: () => "pos:\t0\nflags:\t0100002\n",
    };
    const checks = await look(path, {}, processes);
    expect(named(checks, "writers")).toMatchObject({ result: "fail", code: "locked" });
    expect(named(checks, "writers").message).toContain("77");
    expect(exitStatusOf(checks)).toBe(11);
  });

  test("whose users cannot all be seen is not said to be free", async () => {
    const checks = await look(
      copy("hidden", "follower-clean"),
      {},
      { ...ALONE, pids: () => [4242] },
    );
    expect(named(checks, "writers").result).toBe("warn");
  });

  test("is not looked into where system calls are not allowed", async () => {
    const checks = await look(copy("nojit", "follower-clean"), {
      probeSystemCalls: () => {
        throw new ArmdbError("unexpected", "no JIT", {});
      },
    });
    expect(named(checks, "contents").result).toBe("warn");
    expect(exitStatusOf(checks)).toBe(1);
  });
});

describe("the leader", () => {
  /** What doctor says of a leader that sends `answer`, and the leader. */
  async function ask(answer: Uint8Array | "silence" | "close" | "nobody") {
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const leader = new ScriptedLeader(
      net,
      clock,
      () =>
        function* (peer) {
          yield* peer.request();
          if (answer === "close") peer.close();
          else if (answer instanceof Uint8Array) peer.send(answer);
        },
    );
    const port = answer === "nobody" ? 1 : leader.port;
    const asked = leaderChecks(
      net,
      clock,
      { host: "127.0.0.1", port },
      new AbortController().signal,
    );
    clock.advance(20_000);
    return { checks: await asked, leader, net, clock };
  }

  test("of protocol 1 is warned about, over one connection that takes no stream", async () => {
    const { checks, leader, net, clock } = await ask(encodeErrorFrame(versionMismatchText(1, 0)));
    expect(checks.map((check) => [check.name, check.result])).toEqual([
      ["leader", "ok"],
      ["protocol", "warn"],
      ["ring", "warn"],
      ["wire", "ok"],
    ]);
    expect(named(checks, "ring").message).toContain("this very connection");
    expect(leader.requests).toEqual([{ shardId: 255, protocolVersion: 0, flags: 0 }]);
    expect(net.connects).toBe(1);
    expect(net.open).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("of protocol 2 is fine", async () => {
    const { checks } = await ask(encodeErrorFrame(versionMismatchText(2, 0)));
    expect(verdictOf(checks)).toBe("ok");
    expect(named(checks, "protocol").message).toStartWith("protocol 2");
    expect(named(checks, "ring").message).toContain("before 0.7.0");
  });

  test.each([
    ["another version", encodeErrorFrame(versionMismatchText(3, 0)), 13],
    ["another Error", encodeErrorFrame("\x1b[2J"), 13],
    ["another frame", encodeHeartbeat(), 13],
    ["no frame", Buffer.from("HTTP/1.1 400 Bad Request\r\n"), 13],
    ["silence", "silence", 13],
    ["a hang-up", "close", 13],
    ["nobody", "nobody", 12],
  ] as const)("that answers with %s fails", async (_name, answer, status) => {
    const { checks } = await ask(answer);
    expect(checks).toHaveLength(1);
    expect(checks[0]).toMatchObject({ name: "leader", result: "fail" });
    expect(checks[0]?.hint ?? "").not.toBe("");
    expect(exitStatusOf(checks)).toBe(status);
  });

  test("is not asked when it is no address", async () => {
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const asked = examine({
      leader: "db.example",
      data: null,
      disk: realDisk,
      net,
      clock,
      stop: new AbortController().signal,
      system: system(),
    });
    await expect(asked).rejects.toMatchObject({ code: "usage" });
    expect(net.connects).toBe(0);
  });
});
