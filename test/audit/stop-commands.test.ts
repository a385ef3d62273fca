// Every command that reads a database is gone within a second of a signal, with the signal's own exit code, however much there
// is to read. The files are sparse, so that they are long and cost nothing.

import { afterAll, describe, expect, test } from "bun:test";
import { ftruncateSync, mkdirSync, openSync, closeSync, readFileSync, writeSync } from "node:fs";
import { CURSOR_FILE, encodeCursor } from "../../src/format/cursor.ts";
import { encodeDbMeta } from "../../src/format/db-meta.ts";
import { encodeShardHeader, shardFileBytes } from "../../src/format/shard-header.ts";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { programEnv, programWords, runProgram } from "../support/program.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 60_000;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const LAYOUT = slotLayout(8, 64);
const temp = new TempRoot("stop-commands");
afterAll(() => temp[Symbol.dispose]());

interface Shape {
  readonly shards: number;
  readonly slotCount: number;
  /** More than the header counts. */
  readonly fileBytes?: number;
  /** Slots whose crc is wrong. */
  readonly damaged?: readonly number[];
  /** Says that it was closed well, with a sidecar of zeros. */
  readonly hasSidecar?: boolean;
}

/** A database of slots that were never used. */
function directoryOf(shape: Shape): string {
  const { shards, slotCount, fileBytes, damaged = [], hasSidecar = false } = shape;
  const path = temp.fresh("db");
  mkdirSync(path);
  write(`${path}/db.meta`, encodeDbMeta({ shardCount: shards, shardPrefixBits: 0 }), 16);
  for (let shardId = 0; shardId < shards; shardId++) {
    const shard = `${path}/shard_00${shardId}`;
    mkdirSync(shard);
    const cleanShutdown = hasSidecar ? 1 : 0;
    const header = encodeShardHeader({ ...LAYOUT, slotCount, shardId, cleanShutdown });
    const length = fileBytes ?? shardFileBytes(slotCount, LAYOUT.slotSize);
    write(`${shard}/fixed.data`, header, length);
    for (const slot of damaged) writeMeta(`${shard}/fixed.data`, slot);
    const cursor = { shardId, maxVersionSeen: 0, appliedTotal: 0n, lastAckAtMs: 0n };
    write(`${shard}/${CURSOR_FILE}`, encodeCursor(cursor), 40);
    if (hasSidecar) writeSidecar(`${shard}/fixed.versions`, slotCount);
  }
  return path;
}

function write(path: string, bytes: Uint8Array, length: number): void {
  const file = openSync(path, "w");
  writeSync(file, bytes, 0, bytes.length, 0);
  ftruncateSync(file, length);
  closeSync(file);
}

function writeMeta(path: string, slot: number): void {
  const file = openSync(path, "r+");
  const word = new Uint8Array(Uint32Array.of(packMeta(STATUS_OCCUPIED, 1)).buffer);
  writeSync(file, word, 0, 4, shardFileBytes(slot, LAYOUT.slotSize));
  closeSync(file);
}

function writeSidecar(path: string, slotCount: number): void {
  const file = openSync(path, "w");
  writeSync(file, new Uint8Array(Uint32Array.of(slotCount).buffer), 0, 4, 4 * slotCount);
  ftruncateSync(file, 4 * slotCount + 8);
  closeSync(file);
}

/** What a process has read so far. */
function bytesRead(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}

const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Sends the signal when so much was read. Says how the command ended and after how long. */
async function stopped(words: readonly string[], signal: keyof typeof CODES, readBytes: number) {
  const child = Bun.spawn([...programWords(), ...words], {
    env: programEnv(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = Promise.all([child.stdout.text(), child.stderr.text()]);
  try {
    while (child.exitCode === null && bytesRead(child.pid) < readBytes) await Bun.sleep(5);
    expect(child.exitCode).toBeNull();
    const sentMs = performance.now();
    child.kill(signal);
    await child.exited;
    const tookMs = performance.now() - sentMs;
    const [stdout] = await said;
    return { status: child.exitCode, tookMs, stdout };
  } finally {
    child.kill("SIGKILL");
  }
}

// 25 GB a shard, and as many slots as a header can count.
const large = directoryOf({ shards: 4, slotCount: 312_500_000 });
const twin = directoryOf({ shards: 4, slotCount: 312_500_000 });
const damaged = directoryOf({ shards: 1, slotCount: 60_000_000, damaged: [3] });
const sound = directoryOf({ shards: 1, slotCount: 60_000_000 });
const sidecar = directoryOf({
  shards: 1,
  slotCount: 4_294_967_295,
  fileBytes: 4096,
  hasSidecar: true,
});

/** Random bytes: nearly half of the slots are damaged, and few are neighbours. */
const spoilt = spoiltDirectory(2_000_000);

function spoiltDirectory(slotCount: number): string {
  const layout = slotLayout(4, 4);
  const path = temp.fresh("db");
  mkdirSync(`${path}/shard_000`, { recursive: true });
  write(`${path}/db.meta`, encodeDbMeta({ shardCount: 1, shardPrefixBits: 0 }), 16);
  const header = encodeShardHeader({ ...layout, slotCount, shardId: 0, cleanShutdown: 0 });
  const bytes = new Uint8Array(shardFileBytes(slotCount, layout.slotSize));
  for (let at = header.length; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(bytes.length, at + 65_536)));
  }
  bytes.set(header);
  write(`${path}/shard_000/fixed.data`, bytes, bytes.length);
  return path;
}

const COMMANDS: readonly (readonly [name: string, words: readonly string[], readBytes: number])[] =
  [
    ["verify", ["verify", large], GIB],
    ["verify in one thread", ["verify", large, "--jobs", "1"], GIB],
    ["verify at a rate", ["verify", large, "--limit-rate", "1MiB"], 2 * MIB],
    ["inspect", ["inspect", large], GIB],
    ["inspect shard", ["inspect", "shard", large, "0"], GIB],
    ["inspect key", ["inspect", "key", large, "u64be:7"], GIB],
    ["verify-cursor", ["verify-cursor", large], GIB],
    ["compare", ["compare", large, twin], GIB],
    ["repair", ["repair", large], GIB],
    // What the verify before it reads is known: then it compares.
    ["repair --from", ["repair", damaged, "--from", sound], 5.5 * GIB],
    ["verify in a sidecar", ["verify", sidecar], GIB],
    ["verify of much damage", ["verify", spoilt], 20 * MIB],
    // Verified once, it plans.
    ["repair of much damage", ["repair", spoilt], 45 * MIB],
  ];

describe.each(COMMANDS)("%s", (_, words, readBytes) => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "is gone within a second of %s",
    async (signal) => {
      const { status, tookMs } = await stopped(words, signal, readBytes);
      expect(status).toBe(CODES[signal]);
      expect(tookMs).toBeLessThan(1_000);
    },
    LIMIT_MS,
  );
});

describe.each([
  ["compare", (leader: string) => ["compare", sound, leader, "--yes"]],
  ["repair --from", (leader: string) => ["repair", damaged, "--from", leader]],
])("%s with a leader that says nothing", (_, wordsFor) => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "is gone within a second of %s",
    async (signal) => {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      const socket = { open: () => resolve(), data: () => {} };
      using leader = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
      const child = Bun.spawn([...programWords(), ...wordsFor(`127.0.0.1:${leader.port}`)], {
        env: programEnv(),
        ...{ stdin: "ignore", stdout: "ignore", stderr: "ignore" },
      });
      try {
        await asked;
        const sentMs = performance.now();
        child.kill(signal);
        expect(await child.exited).toBe(CODES[signal]);
        expect(performance.now() - sentMs).toBeLessThan(1_000);
      } finally {
        child.kill("SIGKILL");
      }
    },
    LIMIT_MS,
  );
});

describe("what need not be read is not", () => {
  test("status of a sidecar of 16 GiB answers without its words", async () => {
    const { stdout, status } = await runProgram(["status", sidecar, "--json"]);
    expect([status, JSON.parse(stdout).shards[0].occupied]).toEqual([5, null]);
  });

  test("verify --quick reads sizes and headers of it", async () => {
    const { stdout } = await runProgram(["inspect", sidecar, "--quick", "--json"]);
    expect(JSON.parse(stdout).shards[0]).toMatchObject({ occupied: null, sidecar: "unchecked" });
  });

  test("a hole of a TiB past the last slot is verified in no time", async () => {
    const tail = directoryOf({ shards: 1, slotCount: 1_000, fileBytes: 1024 ** 4 });
    const { stdout, status } = await runProgram(["verify", tail, "--json"], { timeoutMs: 10_000 });
    expect(status).toBe(0);
    const { bytesRead: read, findings } = JSON.parse(stdout);
    expect(Number(read)).toBeLessThan(MIB);
    expect(findings).toMatchObject([{ kind: "file-long" }]);
  });
});
