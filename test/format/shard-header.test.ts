// The header of fixed.data byte by byte, and where its slots lie.

import { describe, expect, test } from "bun:test";
import { fromHex, toHex } from "../../src/bytes.ts";
import {
  decodeShardHeader,
  encodeShardHeader,
  HEADER_FIELDS,
  type ShardHeaderFault,
  shardFileBytes,
  shardHeaderFault,
  slotOffset,
} from "../../src/format/shard-header.ts";

const HEADER = {
  slotSize: 128,
  slotCount: 0x01020304,
  keyLen: 16,
  valueLen: 100,
  shardId: 3,
  cleanShutdown: 1,
};
//                     F I X D   v2     128    slot_count  16     100    shard clean
const GOLDEN_18_HEX = "46495844" + "0200" + "8000" + "04030201" + "1000" + "6400" + "03" + "01";

function golden(): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(fromHex(GOLDEN_18_HEX) as Uint8Array);
  return bytes;
}

function withBytes(offset: number, values: readonly number[]): Uint8Array {
  const bytes = golden();
  bytes.set(values, offset);
  return bytes;
}

const faultOf = (bytes: Uint8Array) => {
  const fields = decodeShardHeader(bytes);
  return fields === null ? "short" : shardHeaderFault(fields);
};

describe("the header of fixed.data", () => {
  test("encodes to the golden bytes and zeros behind them", () => {
    expect(toHex(encodeShardHeader(HEADER))).toBe(GOLDEN_18_HEX + "00".repeat(4078));
  });

  test("decodes the golden bytes field by field", () => {
    expect(decodeShardHeader(golden())).toEqual({
      ...HEADER,
      magic: "FIXD",
      version: 2,
      reservedIsZero: true,
    });
    expect(faultOf(golden())).toBeNull();
  });

  test("is 4096 bytes: fewer are none, more do not matter", () => {
    expect(decodeShardHeader(golden().subarray(0, 4095))).toBeNull();
    const longer = new Uint8Array(5000).fill(0xff);
    longer.set(golden());
    expect(decodeShardHeader(longer)).toEqual(decodeShardHeader(golden()));
  });

  test("its fields lie behind one another and fill it", () => {
    let offset = 0;
    for (const field of Object.values(HEADER_FIELDS)) {
      expect<number>(field.offset).toBe(offset);
      offset += field.bytes;
    }
    expect(offset).toBe(4096);
  });

  const faults: readonly (readonly [string, number, readonly number[], ShardHeaderFault | null])[] =
    [
      ["another magic", 0, [0x66], "magic"],
      ["version 1", 4, [1, 0], "version"],
      ["version 258", 4, [2, 1], "version"],
      ["a slot size 8 too large", 6, [136, 0], "slot-size"],
      ["a slot size that is not padded", 6, [124, 0], "slot-size"],
      ["a key of 0 bytes", 12, [0, 0], "slot-size"],
      ["a value length that does not fit", 14, [105, 0], "slot-size"],
      ["a value length within the padding", 14, [104, 0], null],
      ["0 slots", 8, [0, 0, 0, 0], null],
      ["an odd clean flag", 17, [7], null],
    ];
  for (const [name, offset, values, fault] of faults) {
    test(`with ${name}: ${fault ?? "usable"}`, () => {
      expect(faultOf(withBytes(offset, values))).toBe(fault);
    });
  }

  test("tells reserved bytes that are not zero, the first and the last", () => {
    for (const offset of [18, 2000, 4095]) {
      expect(decodeShardHeader(withBytes(offset, [1]))?.reservedIsZero).toBe(false);
    }
  });

  test("slots begin at 4096, and the largest shard still has exact offsets", () => {
    expect(slotOffset(0, 32)).toBe(4096);
    expect(slotOffset(3, 24)).toBe(4168);
    expect(shardFileBytes(100, 32)).toBe(7296);
    expect(slotOffset(0xffff_fffe, 65_528)).toBe(281_440_616_845_328);
    expect(Number.isSafeInteger(shardFileBytes(0xffff_ffff, 65_528))).toBe(true);
  });
});
