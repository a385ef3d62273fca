// Damage to db.meta, headers and whole files, and the finding it must give (finding-kinds.test.ts).

import { mkdirSync, renameSync, symlinkSync, truncateSync } from "node:fs";
import { DATA, DATA_1, type FindingCase, SIDECAR } from "./finding-case.ts";

export const FILE_CASES: readonly FindingCase[] = [
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
];
