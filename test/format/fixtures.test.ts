// Every byte of the fixtures, as the real crate left them, decodes to what expected.json says, field by field.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isZero, toHex, u32Hex } from "../../src/bytes.ts";
import { DB_META_FILE, decodeDbMeta, encodeDbMeta } from "../../src/format/db-meta.ts";
import { CURSOR_FILE, decodeCursor, encodeCursor } from "../../src/format/cursor.ts";
import { shardDirectory, shardOfKey } from "../../src/format/routing.ts";
import { decodeShardHeader, SHARD_FILE, slotOffset } from "../../src/format/shard-header.ts";
import { decodeSlot, encodeOccupiedSlot, slotCrc, STATUS_NAMES } from "../../src/format/slot.ts";
import { encodeSidecar, SIDECAR_FILE } from "../../src/format/versions-sidecar.ts";
import {
  type ExpectedShard,
  type ExpectedSlot,
  FIXTURE_NAMES,
  FIXTURE_STATES,
  fixtureDir,
  fixtureExpected,
  type FixtureState,
} from "../support/fixtures.ts";
import { sidecarFault, sidecarWord } from "../support/sidecar.ts";

const STATES = Object.keys(FIXTURE_STATES) as FixtureState[];

for (const name of FIXTURE_NAMES) {
  const expected = fixtureExpected(name);
  for (const state of STATES) {
    describe(`${name}, ${FIXTURE_STATES[state]}`, () => {
      const dir = fixtureDir(name, state);
      const shards = expected[state].map((shard, index) => ({
        shard,
        directory: join(dir, shardDirectory(index)),
      }));

      test("db.meta", () => {
        const bytes = readFileSync(join(dir, DB_META_FILE));
        const fields = decodeDbMeta(bytes);
        expect(fields).toEqual({
          magic: "ARMD",
          version: 2,
          backend: 1,
          shardCount: expected.shards,
          shardPrefixBits: expected.shardPrefixBits,
          flags: 0,
          reservedIsZero: true,
        });
        expect(toHex(encodeDbMeta(fields!))).toBe(toHex(bytes));
      });

      test("headers", () => {
        for (const { shard, directory } of shards) {
          const { slots: _slots, fileBytes, ...header } = shard;
          const path = join(directory, SHARD_FILE);
          const bytes = readFileSync(path);
          expect(decodeShardHeader(bytes)).toEqual({ ...header, reservedIsZero: true });
          expect(statSync(path).size).toBe(fileBytes);
        }
      });

      test("slots, those that were never used among them", () => {
        for (const { shard, directory } of shards) {
          const bytes = readFileSync(join(directory, SHARD_FILE));
          expect(slotsOf(bytes, shard)).toEqual([...shard.slots]);
        }
      });

      test("occupied slots encode to the same bytes, and lie in the shard of their key", () => {
        for (const { shard, directory } of shards) {
          const bytes = readFileSync(join(directory, SHARD_FILE));
          for (const { slot, status } of shard.slots) {
            if (status !== "occupied") continue;
            const image = imageOf(bytes, slot, shard);
            const { meta, key, value } = decodeSlot(image, shard);
            const again = new Uint8Array(shard.slotSize);
            encodeOccupiedSlot(again, shard, meta, key, value);
            expect(toHex(again)).toBe(toHex(image));
            expect(shardOfKey(key, expected.shards, expected.shardPrefixBits)).toBe(shard.shardId);
          }
        }
      });

      test("sidecars: there after a clean close, and the words of the slots", () => {
        for (const { shard, directory } of shards) {
          const path = join(directory, SIDECAR_FILE);
          expect(existsSync(path)).toBe(shard.cleanShutdown === 1);
          if (shard.cleanShutdown === 0) continue;
          const sidecar = readFileSync(path);
          expect(sidecarFault(sidecar, shard.slotCount)).toBeNull();
          const words = Uint32Array.from({ length: shard.slotCount }, (_, slot) =>
            sidecarWord(sidecar, slot),
          );
          const data = readFileSync(join(directory, SHARD_FILE));
          const wanted = Uint32Array.from({ length: shard.slotCount }, (_, slot) =>
            data.readUInt32LE(slotOffset(slot, shard.slotSize)),
          );
          expect(words).toEqual(wanted);
          expect(toHex(encodeSidecar(words))).toBe(toHex(sidecar));
        }
      });

      test("cursors: at a follower, and no field but the known ones", () => {
        for (const { shard, directory } of shards) {
          const path = join(directory, CURSOR_FILE);
          expect(existsSync(path)).toBe(state === "followerClean");
          if (state !== "followerClean") continue;
          const bytes = readFileSync(path);
          const cursor = decodeCursor(bytes);
          const versionMax = Math.max(...shard.slots.map((slot) => slot.version));
          expect(cursor).toMatchObject({
            shardId: shard.shardId,
            maxVersionSeen: versionMax,
            reservedIsZero: true,
          });
          expect(Number(cursor?.appliedTotal)).toBeGreaterThanOrEqual(shard.slots.length);
          expect(toHex(encodeCursor(cursor!))).toBe(toHex(bytes));
        }
      });
    });
  }

  describe(name, () => {
    test("the live pairs have the crate's own digest", () => {
      for (const [state, digest] of [
        ["leaderDirty", expected.dirtyDigest],
        ["leaderClean", expected.cleanDigest],
      ] as const) {
        const live = expected[state]
          .flatMap((shard) => shard.slots)
          .filter((slot) => slot.status === "occupied")
          .map((slot) => slot.key + slot.value)
          .sort();
        expect(live).toHaveLength(digest.len);
        const hash = Bun.hash.xxHash3(Buffer.from(live.join(""), "hex"));
        expect(hash.toString(16).padStart(16, "0")).toBe(digest.digest);
      }
    });
  });
}

function imageOf(file: Uint8Array, slot: number, shard: ExpectedShard): Uint8Array {
  const offset = slotOffset(slot, shard.slotSize);
  return file.subarray(offset, offset + shard.slotSize);
}

/** All slots of a file that are not all zeros, in the words of expected.json. */
function slotsOf(file: Uint8Array, shard: ExpectedShard): ExpectedSlot[] {
  const slots: ExpectedSlot[] = [];
  for (let slot = 0; slot < shard.slotCount; slot++) {
    const image = imageOf(file, slot, shard);
    if (isZero(image)) continue;
    const { status, version, crcStored, key, value, padding } = decodeSlot(image, shard);
    expect(isZero(padding)).toBe(true);
    slots.push({
      slot,
      status: STATUS_NAMES[status] as ExpectedSlot["status"],
      version,
      crc32: u32Hex(crcStored),
      crcMatches: slotCrc(image, shard) === crcStored,
      key: toHex(key),
      value: toHex(value),
    });
  }
  return slots;
}
