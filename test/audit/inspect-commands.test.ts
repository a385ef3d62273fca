// The inspect commands as a user drives them: JSON as cli.md has it, damage shown and told, values kept back.

import { describe, expect, test } from "bun:test";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectKeyCommand } from "../../src/cli/commands/inspect-key.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { inspectSlotCommand } from "../../src/cli/commands/inspect-slot.ts";
import { packMeta } from "../../src/format/slot.ts";
import { runCommand } from "../support/run-command.ts";
import { SampleDatabase } from "./sample-databases.ts";

const DATA = "shard_000/fixed.data";
const SLOT_OFFSET = 4096 + 5 * 32;
const EMPTY_SLOT_OFFSET = 4096 + 127 * 32;

describe("inspect", () => {
  test("prints JSON as cli.md has it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    const { status, documents } = await runCommand(inspectCommand, [db.path, "--json"]);
    expect(status).toBe(0);
    expect(documents).toMatchObject([
      {
        schema: 1,
        command: "inspect",
        shardCount: 2,
        shardPrefixBits: 0,
        keyLen: 8,
        valueLen: 16,
        slotSize: 32,
        shards: [
          {
            shard: 0,
            slots: 128,
            occupied: 97,
            deleted: 0,
            free: 31,
            damaged: 0,
            fileBytes: "8192",
            cleanShutdown: true,
            sidecar: "valid",
            cursor: {
              shard: 0,
              appliedTotal: "97",
              maxVersionSeen: 7,
              lastAckAtMs: expect.any(String),
            },
          },
          { shard: 1, sidecar: "valid" },
        ],
      },
    ]);
  });

  test("shows a half-copied directory as far as it goes, the damage last", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.remove("db.meta");
    db.remove("shard_001");
    const { status, lines } = await runCommand(inspectCommand, [db.path]);
    expect(status).toBe(3);
    expect(lines[0]).toContain("1 shard, keys 8 B, values 16 B");
    expect(lines.findIndex((line) => line.startsWith("DAMAGE meta-missing"))).toBeGreaterThan(4);
  });

  test.each([
    ["valid", () => {}],
    ["none", (db: SampleDatabase) => db.remove("shard_000/fixed.versions")],
    ["stale", (db: SampleDatabase) => db.flipBit(DATA, 17, 0)],
    ["invalid", (db: SampleDatabase) => db.flipBit("shard_000/fixed.versions", 3, 3)],
  ])("calls a sidecar %s", async (state, prepare) => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    prepare(db);
    const { documents } = await runCommand(inspectCommand, [db.path, "--json"]);
    expect(documents).toMatchObject([{ shards: [{ sidecar: state }, { sidecar: "valid" }] }]);
  });
});

describe("inspect shard", () => {
  test("prints JSON as cli.md has it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const { status, documents } = await runCommand(inspectShardCommand, [
      db.path,
      "0",
      "--json",
      "--slots",
      "5..6",
    ]);
    expect(status).toBe(0);
    const [document] = documents as [{ occupancy: number[] }];
    expect(document).toMatchObject({
      schema: 1,
      command: "inspect-shard",
      shard: 0,
      header: {
        magic: "FIXD",
        version: 2,
        slotSize: 32,
        slotCount: 128,
        keyLen: 8,
        valueLen: 16,
        shardId: 0,
        cleanShutdown: 1,
      },
      counts: { slots: 128, occupied: 97, deleted: 6, free: 25, damaged: 0, unread: 0 },
      versions: { min: 1, max: 7, median: 2 },
      findings: [],
      slots: [{ slot: 5, status: "occupied" }, { slot: 6 }],
    });
    expect(document.occupancy).toHaveLength(64);
    expect(document.occupancy.reduce((sum, count) => sum + count, 0)).toBe(97);
  });

  test("says the header before it reads a slot", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const { realDisk } = await import("../../src/io/real-disk.ts");
    let linesAtFirstScan = -1;
    const run = runCommand(inspectShardCommand, [db.path, "0"], {
      onProgress: () => void (linesAtFirstScan = 1),
      disk: realDisk,
    });
    const { lines } = await run;
    expect(linesAtFirstScan).toBe(1);
    expect(lines[0]).toStartWith("shard_000/fixed.data: 8,192 bytes");
    expect(lines[2]).toContain("46495844");
  });

  test("lists only what --only asks for, at most --limit", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    const slotsOf = async (...words: string[]) => {
      const { documents } = await runCommand(inspectShardCommand, [
        db.path,
        "0",
        "--json",
        ...words,
      ]);
      return (documents as [{ slots: { slot: number; status: string }[] }])[0].slots;
    };
    expect((await slotsOf("--only", "damaged")).map(({ slot }) => slot)).toEqual([5]);
    expect(await slotsOf("--only", "deleted")).toHaveLength(6);
    expect((await slotsOf("--only", "occupied", "--limit", "6")).map(({ slot }) => slot)).toEqual([
      0, 1, 2, 3, 4, 6,
    ]);
    expect(await slotsOf("--only", "free", "--slots", "120..500")).toHaveLength(8);
  });
});

describe("inspect slot", () => {
  test("prints JSON as cli.md has it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const { status, documents } = await runCommand(inspectSlotCommand, [
      db.path,
      "0",
      "5",
      "--json",
    ]);
    expect(status).toBe(0);
    expect(documents).toMatchObject([
      {
        schema: 1,
        command: "inspect-slot",
        shard: 0,
        slot: 5,
        offset: "4256",
        status: "occupied",
        version: 6,
        crcStored: "855e1c24",
        crcComputed: "855e1c24",
        crcMatches: true,
        key: "000000000000003a",
        value: "34751ddd541969f0de82e0984b3f00d9",
        shardByKey: 0,
      },
    ]);
  });

  test("never shows a redacted value", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const words = [db.path, "0", "5", "--format", "redacted"];
    const text = (await runCommand(inspectSlotCommand, words)).lines.join("\n");
    expect(text).toContain("(16 bytes)");
    for (const part of ["34751ddd", "541969f0"]) expect(text).not.toContain(part);
    const { documents } = await runCommand(inspectSlotCommand, [...words, "--json"]);
    expect(documents).toMatchObject([{ key: "000000000000003a", value: null }]);
  });

  test("shows a damaged slot and ends with 3", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    db.flipBit(DATA, SLOT_OFFSET + 20, 6);
    const { status, lines } = await runCommand(inspectSlotCommand, [db.path, "0", "5"], {
      columns: 132,
    });
    expect(status).toBe(3);
    expect(lines.join("\n")).toContain("THE RECORD CANNOT BE TRUSTED");
  });

  test("tells a slot that is not there from one that is cut off", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    expect((await runCommand(inspectSlotCommand, [db.path, "0", "128"])).status).toBe(2);
    db.write(DATA, db.read(DATA).subarray(0, 5000));
    expect((await runCommand(inspectSlotCommand, [db.path, "0", "127"])).status).toBe(3);
  });
});

describe("inspect key", () => {
  test("prints JSON as cli.md has it, with the slots it was deleted from", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    // As if the key had lived in the last slot before.
    db.change(DATA, (bytes) => {
      bytes.copy(bytes, EMPTY_SLOT_OFFSET, SLOT_OFFSET, SLOT_OFFSET + 32);
      bytes.writeUInt32LE(packMeta(2, 7), EMPTY_SLOT_OFFSET);
    });
    const { status, documents } = await runCommand(inspectKeyCommand, [
      db.path,
      "u64be:58",
      "--json",
    ]);
    expect(status).toBe(0);
    expect(documents).toMatchObject([
      {
        schema: 1,
        command: "inspect-key",
        key: "000000000000003a",
        shard: 0,
        live: { slot: 5, version: 6, value: "34751ddd541969f0de82e0984b3f00d9" },
        slots: [
          { slot: 5, status: "occupied" },
          { slot: 127, status: "deleted", version: 7 },
        ],
      },
    ]);
  });

  test("finds every live key of a shard in its slot", async () => {
    using db = new SampleDatabase("16x100-4-shards-prefix-12", "leader-clean");
    const { documents } = await runCommand(inspectShardCommand, [
      db.path,
      "2",
      "--only",
      "occupied",
      "--json",
    ]);
    const [{ slots }] = documents as [{ slots: { slot: number; key: string }[] }];
    expect(slots.length).toBeGreaterThan(10);
    for (const { slot, key } of slots) {
      const found = await runCommand(inspectKeyCommand, [db.path, `0x${key}`, "--json"]);
      expect(found.documents).toMatchObject([{ shard: 2, live: { slot } }]);
    }
  });

  test("says when a key is nowhere, and when it is in two slots", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const nowhere = await runCommand(inspectKeyCommand, [db.path, "nobody"]);
    expect(nowhere).toMatchObject({ status: 0 });
    expect(nowhere.lines.join("\n")).toContain("no slot has it");
    db.change(DATA, (bytes) => bytes.copy(bytes, EMPTY_SLOT_OFFSET, SLOT_OFFSET, SLOT_OFFSET + 32));
    const twice = await runCommand(inspectKeyCommand, [db.path, "u64be:58"]);
    expect(twice.status).toBe(3);
    expect(twice.lines.join("\n")).toContain("live in 2 slots");
  });

  test("does not take never-used slots for a key of zeros", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-clean");
    const { documents } = await runCommand(inspectKeyCommand, [db.path, "u64be:0", "--json"]);
    expect(
      (documents as [{ slots: { status: string }[] }])[0].slots.every(
        ({ status }) => status !== "free",
      ),
    ).toBe(true);
  });

  test("lists the first 1,000 slots of a key and counts them all", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    const words = [db.path, "u64be:2", "--json"];
    const [before] = (await runCommand(inspectKeyCommand, words)).documents as [KeyAnswer];
    const { shard, slot } = before.slots[0] as { shard: number; slot: number };
    db.change(`shard_00${shard}/fixed.data`, (bytes) => bytes.writeUInt32LE(128 + 1_500, 8));
    const bytes = db.read(`shard_00${shard}/fixed.data`);
    const one = bytes.subarray(4096 + slot * 32, 4096 + (slot + 1) * 32);
    const all = [bytes.subarray(0, 4096 + 128 * 32), ...Array.from({ length: 1_500 }, () => one)];
    db.write(`shard_00${shard}/fixed.data`, Buffer.concat(all));
    const { status, documents } = await runCommand(inspectKeyCommand, words);
    const [answer] = documents as [KeyAnswer];
    expect([status, answer.slots.length, answer.slotsTotal, answer.isWhole]).toEqual([
      ...[3, 1_000, 1_501, true],
    ]);
    const { lines } = await runCommand(inspectKeyCommand, words.slice(0, 2));
    expect(lines.join("\n")).toContain("and 501 more slots with this key");
    expect(lines.join("\n")).toContain("live in 1,501 slots");
  });

  test("says how far it came where the file ends early, and not that the key is nowhere", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    for (const shard of [0, 1]) {
      db.write(
        `shard_00${shard}/fixed.data`,
        db.read(`shard_00${shard}/fixed.data`).subarray(0, 4096 + 3 * 32),
      );
    }
    const words = [db.path, "u64be:99999999"];
    const { status, lines } = await runCommand(inspectKeyCommand, words);
    expect(status).toBe(5);
    expect(lines.at(-1)).toMatch(
      /^not found so far: 3 of 128 slots searched, shard_00[01]\/fixed.data cannot be read: it ends before its last slot$/,
    );
    const { documents } = await runCommand(inspectKeyCommand, [...words, "--json"]);
    expect(documents).toMatchObject([
      { isWhole: false, live: null, searched: { slots: "3", of: "128" } },
    ]);
  });
});

interface KeyAnswer {
  readonly slots: readonly { readonly shard: number; readonly slot: number }[];
  readonly slotsTotal: number;
  readonly isWhole: boolean;
}
