// verify and verify-cursor as a user drives them: exit statuses, JSON as cli.md has it, reports, Ctrl-C.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findingFromJson } from "../../src/audit/finding-json.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { verifyCursorCommand } from "../../src/cli/commands/verify-cursor.ts";
import { runCommand } from "../support/run-command.ts";
import { SampleDatabase } from "./sample-databases.ts";

const DATA = "shard_000/fixed.data";
const SLOT_OFFSET = 4096 + 5 * 32;
const EMPTY_SLOT_OFFSET = 4096 + 127 * 32;

describe("verify", () => {
  test("prints JSON as cli.md has it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"]);
    expect(status).toBe(3);
    const shard = {
      deleted: expect.any(Number),
      free: expect.any(Number),
      unread: 0,
      bytesRead: "8192",
      cleanShutdown: true,
    };
    expect(documents).toMatchObject([
      {
        schema: 1,
        command: "verify",
        verdict: "damaged",
        live: false,
        shards: [
          { shard: 0, slots: 128, occupied: 96, damaged: 1, ...shard },
          { shard: 1, slots: 128, occupied: 101, damaged: 0, ...shard },
        ],
        findings: [
          {
            kind: "slot-crc",
            severity: "damage",
            shard: 0,
            slot: 5,
            offset: "4256",
            count: 1,
            message: expect.any(String),
            key: "000000000000003a",
          },
        ],
        checked: { slots: "256", bytes: "16384" },
        ms: expect.any(Number),
      },
    ]);
  });

  test("--shard checks one shard, and refuses one that is not there", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    expect((await runCommand(verifyCommand, [db.path, "--shard", "1"])).status).toBe(0);
    const refused = await runCommand(verifyCommand, [db.path, "--shard", "2"]);
    expect(refused.status).toBe(2);
    expect(refused.error?.message).toContain("its shards are 0 to 1");
  });

  test("--quick reads no slot and says so", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--quick", "--json"]);
    expect(status).toBe(0);
    expect(documents).toMatchObject([
      { verdict: "ok", shards: [{ unread: 128 }, { unread: 128 }], checked: { slots: "0" } },
    ]);
    const { lines } = await runCommand(verifyCommand, [db.path, "--quick"]);
    expect(lines.at(-1)).toContain("Only sizes and headers were looked at (--quick)");
  });

  test("--report writes the findings once, for its owner alone, and never over a file", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    const directory = mkdtempSync(join(tmpdir(), "armdb-report-"));
    try {
      const path = join(directory, "report.json");
      const first = await runCommand(verifyCommand, [db.path, "--report", path]);
      expect(first.status).toBe(3);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const report = JSON.parse(readFileSync(path, "utf8"));
      expect(report).toMatchObject({ schema: 1, command: "verify", verdict: "damaged" });
      expect(report.findings.map(findingFromJson)).toMatchObject([
        { kind: "slot-crc", slot: 5, offset: 4256 },
      ]);

      const taken = join(directory, "taken");
      writeFileSync(taken, "mine");
      const second = await runCommand(verifyCommand, [db.path, "--report", taken]);
      expect(second.status).toBe(2);
      expect(second.lines).toEqual([]);
      expect(readFileSync(taken, "utf8")).toBe("mine");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("stopped by Ctrl-C prints what was found and ends with 130", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    db.flipBit("db.meta", 8, 0);
    const stop = new AbortController();
    // The first shard's last chunk is done: the second one is not begun.
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"], {
      stop: stop.signal,
      disk: { ...(await import("../../src/io/real-disk.ts")).realDisk },
      onProgress: () => stop.abort("SIGINT"),
    });
    expect(status).toBe(130);
    expect(documents).toMatchObject([
      {
        verdict: "unknown",
        shards: [{ unread: 0 }, { unread: 128 }],
        findings: [{ kind: "unreadable" }, { kind: "meta-reserved" }],
      },
    ]);
  });

  test("progress knows sidecar, slots and tail before they begin, and its end is the end", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const bytes = db.read("shard_001/fixed.data");
    db.write("shard_001/fixed.data", Buffer.concat([bytes, Buffer.alloc(32 * 100, 1)]));
    const parts = new Set<string | undefined>();
    const totals = new Set<string>();
    let last: readonly (readonly [number, number])[] = [];
    await runCommand(verifyCommand, [db.path, "--json"], {
      disk: { ...(await import("../../src/io/real-disk.ts")).realDisk },
      onProgress: (rows) => {
        for (const { part } of rows) parts.add(part);
        last = rows.map(({ done, total }) => [done, total]);
        totals.add(rows.map(({ total }) => total).join());
      },
    });
    const sidecar = 128 * 4 + 8;
    expect([...totals]).toEqual([`${sidecar + 128 * 32},${sidecar + 228 * 32}`]);
    expect(last.every(([done, total]) => done === total)).toBe(true);
    expect(["sidecar", "slots", "tail"].every((part) => parts.has(part))).toBe(true);
  });

  test("--report into a directory that is not there fails before the scan", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const path = join(tmpdir(), "armdb-no-such-directory", "report.json");
    const { lines, error } = await runCommand(verifyCommand, [db.path, "--report", path]);
    expect(error).not.toBeNull();
    expect(lines).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });
});

describe("verify-cursor", () => {
  const CURSOR = "shard_000/fixed_repl.cursor";

  test("prints JSON as cli.md has it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    const { status, documents } = await runCommand(verifyCursorCommand, [db.path, "0", "--json"]);
    expect(status).toBe(0);
    expect(documents).toMatchObject([
      {
        schema: 1,
        command: "verify-cursor",
        verdict: "ok",
        shards: [
          {
            shard: 0,
            cursor: { shard: 0, appliedTotal: "97", maxVersionSeen: 7 },
            maxVersionInData: 7,
            findings: [],
          },
        ],
      },
    ]);
  });

  test("calls a cursor behind its data normal and one ahead of it damage", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    db.change(CURSOR, (bytes) => bytes.writeUInt32LE(3, 12));
    const behind = await runCommand(verifyCursorCommand, [db.path]);
    expect(behind.status).toBe(0);
    expect(behind.lines.join("\n")).toContain("behind its data, which is normal");
    db.change(CURSOR, (bytes) => bytes.writeUInt32LE(9, 12));
    expect((await runCommand(verifyCursorCommand, [db.path])).status).toBe(3);
  });

  test("does not call a cursor ahead when versions have wrapped since", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    // Versions 1 to 7 lie within 2^29 past 2^30 - 1.
    db.change(CURSOR, (bytes) => bytes.writeUInt32LE(2 ** 30 - 1, 12));
    expect((await runCommand(verifyCursorCommand, [db.path])).status).toBe(0);
  });

  test("cannot tell when slots are missing", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    db.write(DATA, db.read(DATA).subarray(0, 4096 + 64));
    const { status, documents } = await runCommand(verifyCursorCommand, [db.path, "0", "--json"]);
    expect(status).toBe(5);
    expect(documents).toMatchObject([{ verdict: "unknown" }]);
  });
});
