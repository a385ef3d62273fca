// Sound directories, written by the real crate: no false alarm, every slot accounted for, every field as the crate's own
// answers have it, and nothing touched.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readDirectory, slotCountOf } from "../../src/audit/look/database-look.ts";
import { readableShard, readSlots } from "../../src/audit/inspect/slot-view.ts";
import { toHex, u32Hex } from "../../src/bytes.ts";
import type { SlotStatusName } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { digestTree, FIXTURES, SHAPES, STATES, verify } from "./sample-databases.ts";

interface ExpectedSlot {
  readonly slot: number;
  readonly status: SlotStatusName;
  readonly version: number;
  readonly crc32: string;
  readonly crcMatches: boolean;
  readonly key: string;
  readonly value: string;
}

interface ExpectedShard {
  readonly magic: string;
  readonly version: number;
  readonly slotSize: number;
  readonly slotCount: number;
  readonly keyLen: number;
  readonly valueLen: number;
  readonly shardId: number;
  readonly cleanShutdown: number;
  readonly fileBytes: number;
  readonly slots: readonly ExpectedSlot[];
}

const FIELD_OF_STATE = {
  "leader-clean": "leaderClean",
  "leader-dirty": "leaderDirty",
  "follower-clean": "followerClean",
} as const;

for (const shape of SHAPES) {
  for (const state of STATES) {
    const path = join(FIXTURES, shape, state);
    describe(`${shape}/${state}`, async () => {
      const expected = await Bun.file(join(FIXTURES, shape, "expected.json")).json();
      const shards: readonly ExpectedShard[] = expected[FIELD_OF_STATE[state]];

      test("verify finds nothing and accounts for every slot", async () => {
        const before = digestTree(path);
        const report = await verify(path);
        expect(report).toMatchObject({ verdict: "ok", live: false, stopped: false, findings: [] });
        const counts = report.shards.map(({ slots, occupied, deleted, free, damaged, unread }) => {
          expect(occupied + deleted + free + damaged + unread).toBe(slots);
          return { slots, occupied, deleted, damaged, unread };
        });
        expect(counts).toEqual(
          shards.map((shard) => ({
            slots: shard.slotCount,
            occupied: shard.slots.filter(({ status }) => status === "occupied").length,
            deleted: shard.slots.filter(({ status }) => status === "deleted").length,
            damaged: 0,
            unread: 0,
          })),
        );
        expect(digestTree(path)).toBe(before);
      });

      test("headers and slots decode as the crate says", () => {
        const directory = readDirectory(realDisk, path);
        expect(directory.routing).toEqual({
          shardCount: expected.shards,
          shardPrefixBits: expected.shardPrefixBits,
          source: "meta",
          bitsKnown: true,
        });
        for (const [index, look] of directory.shards.entries()) {
          const { slots, fileBytes, ...header } = shards[index] as ExpectedShard;
          expect(look.fileBytes).toBe(fileBytes);
          expect(look.header).toEqual({ ...header, reservedIsZero: true });
          const shard = readableShard(directory, look);
          const last = slotCountOf(directory, look) - 1;
          const decoded = [...readSlots(realDisk, shard, 0, last)]
            .filter((view) => !view.isNeverUsed)
            .map((view) => ({
              slot: view.slot,
              status: view.statusName,
              version: view.decoded.version,
              crc32: u32Hex(view.decoded.crcStored),
              crcMatches: view.crcMatches,
              key: toHex(view.decoded.key),
              value: toHex(view.decoded.value),
            }));
          expect(decoded).toEqual([...slots]);
        }
      });
    });
  }
}
