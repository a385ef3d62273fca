// Damage to sidecars and cursors, and other files beside them, and the finding it must give (finding-kinds.test.ts).

import { mkdirSync, truncateSync } from "node:fs";
import { crc32 } from "node:zlib";
import { STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { CURSOR, DATA, type FindingCase, SIDECAR, SLOT } from "./finding-case.ts";
import type { SampleDatabase } from "./sample-databases.ts";

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

export const SIDE_CASES: readonly FindingCase[] = [
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
    kind: "copy-incomplete",
    what: "a first copy that was stopped",
    state: "follower-clean",
    damage: (db) => leaveCopyState(db.path, [false, true]),
    at: "0 null null",
  },
  {
    kind: "state-unreadable",
    what: "half a state file",
    state: "follower-clean",
    damage: (db) => db.write("armdb.state.json", '{"leader":'),
    at: "null null null",
  },
  {
    kind: "unexpected-file",
    what: "a foreign file",
    state: "leader-dirty",
    damage: (db) => db.write("notes.txt", ""),
    at: "null null null",
  },
  ...["fixed.versions.tmp", "fixed_repl.cursor.tmp", "fixed.data.armdb-new", "format.v.tmp"].map(
    (name): FindingCase => ({
      kind: "left-over",
      what: name,
      state: "leader-dirty",
      damage: (db) => db.write(`shard_000/${name}`, ""),
      at: "0 null null",
    }),
  ),
  ...["armdb.state.json.tmp", "db.meta.tmp"].map((name): FindingCase => ({
    kind: "left-over",
    what: name,
    state: "leader-dirty",
    damage: (db) => db.write(name, ""),
    at: "null null null",
  })),
  ...["", "shard_000/"].flatMap((place) =>
    ["constructor", "toString", "__proto__", "hasOwnProperty"].map((name): FindingCase => ({
      kind: "unexpected-file",
      what: `${place}${name}`,
      state: "leader-dirty",
      damage: (db) => db.write(`${place}${name}`, ""),
      at: `${place === "" ? null : 0} null null`,
    })),
  ),
  {
    kind: "unexpected-file",
    what: "a shard past the last",
    state: "leader-dirty",
    damage: (db) => mkdirSync(db.file("shard_007")),
    at: "7 null null",
  },
];
