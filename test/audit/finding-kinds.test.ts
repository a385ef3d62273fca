// Every kind of finding that cli.md names, produced on a copy of a directory that the real crate wrote, and found in the
// right place. The last test holds the table against the list of kinds: a kind without a test fails.

import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, symlinkSync, truncateSync } from "node:fs";
import { crc32 } from "node:zlib";
import { FINDING_KINDS, type FindingKind } from "../../src/audit/findings.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { failingDisk } from "./failing-disk.ts";
import { places, SampleDatabase, type Shape, type State, verify } from "./sample-databases.ts";

const DATA = "shard_000/fixed.data";
const DATA_1 = "shard_001/fixed.data";
const SIDECAR = "shard_000/fixed.versions";
const CURSOR = "shard_000/fixed_repl.cursor";
/** Geometry of 8x16-2-shards, the shape of most cases. */
const LAYOUT = slotLayout(8, 16);
const SLOT_COUNT = 128;
/** Occupied in all three states of shard 0. */
const SLOT = 5;
const SLOT_OFFSET = 4096 + SLOT * 32;
/** The last slot was never used in any state. */
const NEVER_USED = SLOT_COUNT - 1;
const NEVER_USED_OFFSET = 4096 + NEVER_USED * 32;

interface Case {
  readonly kind: FindingKind;
  readonly what: string;
  readonly shape?: Shape;
  readonly state: State;
  damage(db: SampleDatabase): void;
  /** `shard slot offset` of the finding of this kind. */
  readonly at: string;
  /** Other damage that necessarily comes with it. */
  readonly with?: readonly string[];
}

/** A meta word of a slot in fixed.data. */
function setMeta(db: SampleDatabase, slot: number, status: 0 | 1 | 2, version: number): void {
  db.change(DATA, (bytes) => bytes.writeUInt32LE(packMeta(status, version), 4096 + slot * 32));
}

/** A word of the sidecar, its crc made right again. */
function setSidecarWord(db: SampleDatabase, slot: number, word: number): void {
  db.change(SIDECAR, (bytes) => {
    bytes.writeUInt32LE(word, slot * 4);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  });
}

function metaOf(db: SampleDatabase, slot: number): number {
  return db.read(DATA).readUInt32LE(4096 + slot * 32);
}

function setCursor(db: SampleDatabase, change: (bytes: Buffer) => void): void {
  db.change(CURSOR, change);
}

const CASES: readonly Case[] = [
  {
    kind: "meta-missing",
    what: "db.meta removed",
    state: "leader-dirty",
    damage: (db) => db.remove("db.meta"),
    at: "null null null",
  },
  {
    kind: "meta-size",
    what: "db.meta of 17 bytes",
    state: "leader-dirty",
    damage: (db) => db.write("db.meta", Buffer.concat([db.read("db.meta"), Buffer.alloc(1)])),
    at: "null null null",
  },
  {
    kind: "meta-magic",
    what: "another magic",
    state: "leader-dirty",
    damage: (db) => db.flipBit("db.meta", 2, 4),
    at: "null null 0",
  },
  {
    kind: "meta-version",
    what: "another version",
    state: "leader-dirty",
    damage: (db) => db.flipBit("db.meta", 4, 3),
    at: "null null 4",
  },
  {
    kind: "meta-backend",
    what: "another backend beside a damaged header",
    state: "leader-dirty",
    damage: (db) => {
      db.flipBit("db.meta", 5, 1);
      db.flipBit(DATA, 0, 0);
    },
    at: "null null 5",
    with: ["header-magic 0 null 0"],
  },
  {
    kind: "meta-shard-count",
    what: "3 shards where keys are spread over 2",
    state: "leader-dirty",
    damage: (db) => db.flipBit("db.meta", 6, 0),
    at: "null null 6",
  },
  {
    kind: "meta-shard-count",
    what: "no shards",
    state: "leader-dirty",
    damage: (db) => db.flipBit("db.meta", 6, 1),
    at: "null null 6",
  },
  {
    kind: "meta-prefix-bits",
    what: "13 bits where keys are routed by 12",
    shape: "16x100-4-shards-prefix-12",
    state: "leader-dirty",
    damage: (db) => db.flipBit("db.meta", 7, 0),
    at: "null null 7",
  },
  {
    kind: "meta-reserved",
    what: "flags set",
    state: "leader-dirty",
    damage: (db) => db.flipBit("db.meta", 8, 0),
    at: "null null 8",
  },
  {
    kind: "shard-missing",
    what: "a shard directory removed",
    state: "leader-dirty",
    damage: (db) => db.remove("shard_001"),
    at: "1 null null",
  },
  {
    kind: "shard-missing",
    what: "a data file removed",
    state: "leader-dirty",
    damage: (db) => db.remove(DATA_1),
    at: "1 null null",
  },
  {
    kind: "header-magic",
    what: "another magic",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, 3, 0),
    at: "0 null 0",
  },
  {
    kind: "header-magic",
    what: "a header of zeros",
    state: "leader-dirty",
    damage: (db) => db.change(DATA, (bytes) => bytes.fill(0, 0, 4096)),
    at: "0 null 0",
  },
  {
    kind: "header-version",
    what: "another version",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, 4, 4),
    at: "0 null 4",
  },
  {
    kind: "header-slot-size",
    what: "a slot size that the lengths do not make",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, 6, 4),
    at: "0 null 6",
    with: ["header-geometry 0 null 6"],
  },
  {
    kind: "header-geometry",
    what: "key and value length exchanged",
    state: "leader-dirty",
    damage: (db) =>
      db.change(DATA, (bytes) => {
        bytes.writeUInt16LE(16, 12);
        bytes.writeUInt16LE(8, 14);
      }),
    at: "0 null 12",
    with: ["header-geometry 0 null 14"],
  },
  {
    kind: "header-geometry",
    what: "a count below the last live slot",
    state: "leader-dirty",
    damage: (db) => db.change(DATA, (bytes) => bytes.writeUInt32LE(8, 8)),
    at: "0 null 8",
  },
  {
    kind: "header-shard-id",
    what: "another shard's number",
    state: "leader-dirty",
    damage: (db) => db.change(DATA, (bytes) => bytes.writeUInt8(7, 16)),
    at: "0 null 16",
  },
  {
    kind: "header-reserved",
    what: "a reserved byte set",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, 2000, 1),
    at: "0 null 2000",
  },
  {
    kind: "header-reserved",
    what: "a clean flag of 2",
    state: "leader-dirty",
    damage: (db) => db.change(DATA, (bytes) => bytes.writeUInt8(2, 17)),
    at: "0 null 17",
  },
  {
    kind: "file-short",
    what: "the last two slots cut off",
    state: "leader-dirty",
    damage: (db) => truncateSync(db.file(DATA), 4096 + 126 * 32 + 5),
    at: `0 null ${4096 + 126 * 32 + 5}`,
  },
  {
    kind: "file-short",
    what: "an empty file",
    state: "leader-dirty",
    damage: (db) => truncateSync(db.file(DATA), 0),
    at: "0 null 0",
  },
  {
    kind: "file-short",
    what: "half a header",
    state: "leader-dirty",
    damage: (db) => truncateSync(db.file(DATA), 2000),
    at: "0 null 2000",
  },
  {
    kind: "file-long",
    what: "three slots of zeros past the count",
    state: "leader-dirty",
    damage: (db) => truncateSync(db.file(DATA), 8192 + 96),
    at: "0 null 8192",
  },
  {
    kind: "file-type",
    what: "a link in place of the data file",
    state: "leader-dirty",
    damage: (db) => {
      renameSync(db.file(DATA), db.file("moved"));
      symlinkSync("../moved", db.file(DATA));
    },
    at: "0 null null",
  },
  {
    kind: "file-type",
    what: "a directory in place of the sidecar",
    state: "leader-clean",
    damage: (db) => {
      db.remove(SIDECAR);
      mkdirSync(db.file(SIDECAR));
    },
    at: "0 null null",
  },
  {
    kind: "slot-crc",
    what: "a bit of a value flipped",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, SLOT_OFFSET + 20, 6),
    at: `0 ${SLOT} ${SLOT_OFFSET}`,
  },
  {
    kind: "slot-status",
    what: "status 3",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, SLOT_OFFSET, 1),
    at: `0 ${SLOT} ${SLOT_OFFSET}`,
  },
  {
    kind: "slot-padding",
    what: "a byte of the padding set",
    shape: "4x3-3-shards-padded",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, 4096 + 15, 2),
    at: "0 0 4096",
  },
  {
    kind: "slot-free-not-empty",
    what: "bytes in a never-used slot",
    state: "leader-dirty",
    damage: (db) => db.flipBit(DATA, NEVER_USED_OFFSET + 12, 0),
    at: `0 ${NEVER_USED} ${NEVER_USED_OFFSET}`,
  },
  {
    kind: "slot-free-version",
    what: "a version in a never-used slot",
    state: "leader-dirty",
    damage: (db) => setMeta(db, NEVER_USED, STATUS_FREE, 4),
    at: `0 ${NEVER_USED} ${NEVER_USED_OFFSET}`,
  },
  {
    kind: "slot-deleted-crc",
    what: "a delete of a slot that was never held",
    state: "leader-dirty",
    damage: (db) => setMeta(db, NEVER_USED, STATUS_DELETED, 4),
    at: `0 ${NEVER_USED} ${NEVER_USED_OFFSET}`,
  },
  {
    kind: "key-misrouted",
    what: "a record copied from shard 1",
    state: "leader-dirty",
    damage: (db) =>
      db.change(DATA, (bytes) => db.read(DATA_1).copy(bytes, NEVER_USED_OFFSET, 4096, 4128)),
    at: `0 ${NEVER_USED} ${NEVER_USED_OFFSET}`,
  },
  {
    kind: "key-duplicate",
    what: "a record copied within its shard",
    state: "leader-dirty",
    damage: (db) =>
      db.change(DATA, (bytes) =>
        bytes.copy(bytes, NEVER_USED_OFFSET, SLOT_OFFSET, SLOT_OFFSET + 32),
      ),
    at: `0 ${SLOT} ${SLOT_OFFSET}`,
  },
  {
    kind: "version-near-wrap",
    what: "the greatest version of all",
    state: "leader-dirty",
    damage: (db) =>
      db.change(DATA, (bytes) => {
        const slot = bytes.subarray(SLOT_OFFSET, SLOT_OFFSET + 32);
        encodeOccupiedSlot(
          slot,
          LAYOUT,
          packMeta(STATUS_OCCUPIED, 2 ** 30 - 1),
          slot.subarray(8, 16),
          slot.subarray(16, 32),
        );
      }),
    at: "0 null null",
  },
  {
    kind: "sidecar-hides-slot",
    what: "a sidecar word older than its slot",
    state: "leader-clean",
    damage: (db) => setSidecarWord(db, SLOT, metaOf(db, SLOT) - 4),
    at: `0 ${SLOT} ${SLOT * 4}`,
  },
  {
    kind: "sidecar-hides-slot",
    what: "a slot older than its sidecar word",
    state: "leader-clean",
    damage: (db) => setSidecarWord(db, SLOT, metaOf(db, SLOT) + 8),
    at: `0 ${SLOT} ${SLOT * 4}`,
  },
  {
    kind: "sidecar-stale",
    what: "a sidecar without the clean flag",
    state: "leader-clean",
    damage: (db) => db.flipBit(DATA, 17, 0),
    at: "0 null null",
  },
  {
    kind: "sidecar-stale",
    what: "a slot that the sidecar let go",
    state: "leader-clean",
    damage: (db) => setSidecarWord(db, SLOT, metaOf(db, SLOT) - STATUS_OCCUPIED),
    at: `0 ${SLOT} ${SLOT * 4}`,
  },
  {
    kind: "sidecar-invalid",
    what: "a flipped bit",
    state: "leader-clean",
    damage: (db) => db.flipBit(SIDECAR, 9, 0),
    at: "0 null null",
  },
  {
    kind: "sidecar-invalid",
    what: "a word too many",
    state: "leader-clean",
    damage: (db) => db.write(SIDECAR, Buffer.concat([db.read(SIDECAR), Buffer.alloc(4)])),
    at: "0 null null",
  },
  {
    kind: "clean-flag-without-sidecar",
    what: "the sidecar removed",
    state: "leader-clean",
    damage: (db) => db.remove(SIDECAR),
    at: "0 null null",
  },
  {
    kind: "cursor-shard",
    what: "another shard's cursor",
    state: "follower-clean",
    damage: (db) => setCursor(db, (bytes) => bytes.writeUInt8(1, 0)),
    at: "0 null 0",
  },
  {
    kind: "cursor-ahead",
    what: "a version that no slot has",
    state: "follower-clean",
    damage: (db) => setCursor(db, (bytes) => bytes.writeUInt32LE(8, 12)),
    at: "0 null 12",
  },
  {
    kind: "cursor-ahead",
    what: "a version that cannot be",
    state: "follower-clean",
    damage: (db) => setCursor(db, (bytes) => bytes.writeUInt32LE(2 ** 31, 12)),
    at: "0 null 12",
  },
  {
    kind: "cursor-totals",
    what: "nothing applied, but a version",
    state: "follower-clean",
    damage: (db) => setCursor(db, (bytes) => bytes.writeBigUInt64LE(0n, 4)),
    at: "0 null 4",
  },
  {
    kind: "cursor-short",
    what: "39 bytes",
    state: "follower-clean",
    damage: (db) => truncateSync(db.file(CURSOR), 39),
    at: "0 null 39",
  },
  {
    kind: "cursor-long",
    what: "44 bytes",
    state: "follower-clean",
    damage: (db) => truncateSync(db.file(CURSOR), 44),
    at: "0 null 40",
  },
  {
    kind: "cursor-reserved",
    what: "a reserved byte set",
    state: "follower-clean",
    damage: (db) => setCursor(db, (bytes) => bytes.writeUInt8(1, 30)),
    at: "0 null 1",
  },
  {
    kind: "cursor-future",
    what: "a save in the year 5138",
    state: "follower-clean",
    damage: (db) => setCursor(db, (bytes) => bytes.writeBigUInt64LE(100_000_000_000_000n, 20)),
    at: "0 null 20",
  },
  {
    kind: "cursor-missing",
    what: "one of two cursors removed",
    state: "follower-clean",
    damage: (db) => db.remove(CURSOR),
    at: "0 null null",
  },
  {
    kind: "migration-half-way",
    what: "what a migration leaves",
    state: "leader-dirty",
    damage: (db) => mkdirSync(db.file("shard_000.mig")),
    at: "null null null",
  },
  {
    kind: "txlog-present",
    what: "a log of 0.8.0",
    state: "leader-dirty",
    damage: (db) => mkdirSync(db.file("txlog")),
    at: "null null null",
  },
  {
    kind: "reset-saved",
    what: "a log of a reset",
    state: "leader-dirty",
    damage: (db) => db.write("armdb-reset-0.log", ""),
    at: "null null null",
  },
  {
    kind: "unexpected-file",
    what: "a foreign file",
    state: "leader-dirty",
    damage: (db) => db.write("notes.txt", ""),
    at: "null null null",
  },
  {
    kind: "unexpected-file",
    what: "a sidecar that was never renamed",
    state: "leader-dirty",
    damage: (db) => db.write("shard_000/fixed.versions.tmp", ""),
    at: "0 null null",
  },
  {
    kind: "unexpected-file",
    what: "a shard past the last",
    state: "leader-dirty",
    damage: (db) => mkdirSync(db.file("shard_007")),
    at: "7 null null",
  },
];

/** Made in tests of their own: they need a failing disk or another process. */
const MADE_ELSEWHERE: readonly FindingKind[] = ["unreadable", "lock-held"];

describe("finding kinds", () => {
  for (const {
    kind,
    what,
    shape = "8x16-2-shards",
    state,
    damage,
    at,
    with: others = [],
  } of CASES) {
    test(`${kind}: ${what}`, async () => {
      using db = new SampleDatabase(shape, state);
      damage(db);
      const before = db.digest();
      const report = await verify(db.path);
      const found = places(report);
      expect(found).toContain(`${kind} ${at}`);
      const expected = [
        FINDING_KINDS[kind].severity === "damage" ? [`${kind} ${at}`] : [],
        ...others,
      ].flat();
      const damaged = report.findings.filter(({ severity }) => severity === "damage");
      expect(places({ findings: damaged }).sort()).toEqual([...expected].sort());
      expect(report.verdict).toBe(expected.length > 0 ? "damaged" : "ok");
      expect(db.digest()).toBe(before);
    });
  }

  test("every kind of cli.md is in the table", () => {
    const made = new Set([...CASES.map(({ kind }) => kind), ...MADE_ELSEWHERE]);
    expect([...made].sort()).toEqual((Object.keys(FINDING_KINDS) as FindingKind[]).sort());
  });
});

describe("unreadable", () => {
  const eio = (path: string) => new DiskError("read", path, "EIO");

  test("narrows a read error down to the slots it hides, and is unknown", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    // Slots 40 and 41 lie in the bytes that cannot be read.
    const disk = failingDisk(realDisk, (path, start, end) =>
      path.endsWith(DATA) && start < 4096 + 42 * 32 && end > 4096 + 40 * 32 ? eio(path) : null,
    );
    const report = await verify(db.path, { disk });
    expect(report).toMatchObject({ verdict: "unknown" });
    expect(report.findings).toMatchObject([
      {
        kind: "unreadable",
        severity: "unknown",
        shard: 0,
        slot: 40,
        count: 2,
        offset: 4096 + 40 * 32,
      },
    ]);
    expect(report.shards[0]).toMatchObject({ slots: 128, unread: 2, damaged: 0 });
  });

  test("is no damage, but damage elsewhere goes before it", async () => {
    using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
    db.flipBit(DATA, SLOT_OFFSET + 20, 0);
    const disk = failingDisk(realDisk, (path) => (path.endsWith(DATA_1) ? eio(path) : null));
    const report = await verify(db.path, { disk });
    expect(report.verdict).toBe("damaged");
    expect(places(report)).toEqual([`slot-crc 0 ${SLOT} ${SLOT_OFFSET}`, "unreadable 1 null null"]);
  });
});
