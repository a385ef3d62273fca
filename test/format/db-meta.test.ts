// db.meta byte by byte.

import { describe, expect, test } from "bun:test";
import {
  DB_META_BYTES,
  type DbMetaFault,
  dbMetaFault,
  decodeDbMeta,
  encodeDbMeta,
} from "../../src/format/db-meta.ts";
import { fromHex, toHex } from "../../src/bytes.ts";

//                   A R M D  version, backend, shards, prefix bits, flags, reserved
const GOLDEN_HEX = "41524d44" + "02" + "01" + "04" + "0c" + "00" + "00000000000000";
const golden = () => fromHex(GOLDEN_HEX) as Uint8Array;

/** The golden bytes with one of them changed. */
function withByte(offset: number, value: number): Uint8Array {
  const bytes = golden();
  bytes[offset] = value;
  return bytes;
}

describe("db.meta", () => {
  test("encodes to the 16 golden bytes", () => {
    expect(toHex(encodeDbMeta({ shardCount: 4, shardPrefixBits: 12 }))).toBe(GOLDEN_HEX);
    expect(DB_META_BYTES).toBe(16);
  });

  test("decodes the golden bytes field by field", () => {
    expect(decodeDbMeta(golden())).toEqual({
      magic: "ARMD",
      version: 2,
      backend: 1,
      shardCount: 4,
      shardPrefixBits: 12,
      flags: 0,
      reservedIsZero: true,
    });
    expect(dbMetaFault(decodeDbMeta(golden()))).toBeNull();
  });

  test("of any length but 16 is no db.meta", () => {
    for (const length of [0, 1, 15, 17, 4096]) {
      expect(decodeDbMeta(new Uint8Array(length))).toBeNull();
      expect(dbMetaFault(decodeDbMeta(new Uint8Array(length)))).toBe("size");
    }
  });

  const faults: readonly (readonly [string, number, number, DbMetaFault | null])[] = [
    ["first byte of the magic", 0, 0x61, "magic"],
    ["last byte of the magic", 3, 0x64, "magic"],
    ["version 1", 4, 1, "version"],
    ["version 3", 4, 3, "version"],
    ["backend 0", 5, 0, "backend"],
    ["backend 2", 5, 2, "backend"],
    ["0 shards", 6, 0, "shard-count"],
    ["255 shards", 6, 255, null],
    ["255 prefix bits", 7, 255, null],
    ["flags", 8, 1, null],
    ["first reserved byte", 9, 1, null],
    ["last reserved byte", 15, 1, null],
  ];
  for (const [name, offset, value, fault] of faults) {
    test(`with ${name} changed: ${fault ?? "usable"}`, () => {
      expect(dbMetaFault(decodeDbMeta(withByte(offset, value)))).toBe(fault);
    });
  }

  test("tells the first fault: magic before version before backend before count", () => {
    const bytes = new Uint8Array(16);
    expect(dbMetaFault(decodeDbMeta(bytes))).toBe("magic");
    bytes.set(golden().subarray(0, 4));
    expect(dbMetaFault(decodeDbMeta(bytes))).toBe("version");
    bytes[4] = 2;
    expect(dbMetaFault(decodeDbMeta(bytes))).toBe("backend");
    bytes[5] = 1;
    expect(dbMetaFault(decodeDbMeta(bytes))).toBe("shard-count");
  });

  test("shows flags and reserved bytes that are not zero", () => {
    expect(decodeDbMeta(withByte(8, 7))).toMatchObject({ flags: 7, reservedIsZero: true });
    for (const offset of [9, 12, 15]) {
      expect(decodeDbMeta(withByte(offset, 1))).toMatchObject({ flags: 0, reservedIsZero: false });
    }
  });
});
