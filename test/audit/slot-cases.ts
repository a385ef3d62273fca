// Damage to slots, and the finding it must give (finding-kinds.test.ts).

import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import {
  DATA,
  DATA_1,
  type FindingCase,
  NEVER_USED,
  NEVER_USED_OFFSET,
  SLOT,
  SLOT_OFFSET,
} from "./finding-case.ts";
import type { SampleDatabase } from "./sample-databases.ts";

/** Geometry of 8x16-2-shards, the shape of most cases. */
const LAYOUT = slotLayout(8, 16);

/** A meta word of a slot in fixed.data. */
function setMeta(db: SampleDatabase, slot: number, status: 0 | 1 | 2, version: number): void {
  db.change(DATA, (bytes) => bytes.writeUInt32LE(packMeta(status, version), 4096 + slot * 32));
}

export const SLOT_CASES: readonly FindingCase[] = [
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
];
