// A slot byte by byte: meta word, crc, key, value, padding.

import { describe, expect, test } from "bun:test";
import { fromHex, toHex } from "../../src/bytes.ts";
import {
  decodeSlot,
  encodeOccupiedSlot,
  packMeta,
  slotCrc,
  slotLayout,
  slotSizeOf,
  statusOf,
  versionOf,
} from "../../src/format/slot.ts";

const LAYOUT = slotLayout(4, 3);
// The crc was taken by another program: crc32 of 0d000000 "key!" "val".
//                  meta: v3 OCCUPIED  crc32        k e y !      v a l    padding
const GOLDEN_HEX = "0d000000" + "8f5349f5" + "6b657921" + "76616c" + "00";
const META = 0x0d;
const KEY = Buffer.from("key!");
const VALUE = Buffer.from("val");
const golden = () => fromHex(GOLDEN_HEX) as Uint8Array;

describe("a slot", () => {
  test("encodes to the golden bytes, whatever was there", () => {
    const bytes = new Uint8Array(LAYOUT.slotSize).fill(0xee);
    encodeOccupiedSlot(bytes, LAYOUT, META, KEY, VALUE);
    expect(toHex(bytes)).toBe(GOLDEN_HEX);
  });

  test("decodes the golden bytes field by field", () => {
    const slot = decodeSlot(golden(), LAYOUT);
    expect(slot).toMatchObject({ meta: META, status: 1, version: 3 });
    expect(slot.crcStored).toBe(0xf549538f);
    expect([toHex(slot.key), toHex(slot.value), toHex(slot.padding)]).toEqual([
      "6b657921",
      "76616c",
      "00",
    ]);
    expect(slotCrc(golden(), LAYOUT)).toBe(slot.crcStored);
  });

  test("its crc covers meta, key and value, and not the padding", () => {
    const stored = decodeSlot(golden(), LAYOUT).crcStored;
    for (let offset = 0; offset < LAYOUT.slotSize; offset++) {
      const isCrc = offset >= 4 && offset < 8;
      const isPadding = offset === LAYOUT.slotSize - 1;
      for (let bit = 0; bit < 8; bit++) {
        const bytes = golden();
        bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
        expect(slotCrc(bytes, LAYOUT) === stored).toBe(isCrc || isPadding);
      }
    }
  });

  test("is padded to a multiple of 8", () => {
    const sizes = [
      [1, 0, 16],
      [4, 3, 16],
      [4, 4, 16],
      [4, 5, 24],
      [8, 16, 32],
      [16, 100, 128],
      [32, 1000, 1040],
      [8, 20_000, 20_016],
      [8, 65_512, 65_528],
    ] as const;
    for (const [keyLen, valueLen, slotSize] of sizes) {
      expect(slotSizeOf(keyLen, valueLen)).toBe(slotSize);
      expect(slotLayout(keyLen, valueLen)).toEqual({ keyLen, valueLen, slotSize });
    }
  });

  test("of any bytes decodes: trust is for the caller", () => {
    const slot = decodeSlot(new Uint8Array(16).fill(0xff), LAYOUT);
    expect(slot).toMatchObject({
      meta: 0xffff_ffff,
      status: 3,
      version: 2 ** 30 - 1,
      crcStored: 0xffff_ffff,
    });
  });
});

describe("a meta word", () => {
  test("holds status in bits 0-1 and version in bits 2-31, without a sign", () => {
    const words = [
      [0, 0, 0],
      [1, 0, 1],
      [1, 1, 5],
      [2, 1, 6],
      [3, 0, 3],
      [0, 2 ** 29, 0x8000_0000],
      [1, 2 ** 30 - 1, 0xffff_fffd],
      [2, 2 ** 30 - 1, 0xffff_fffe],
    ] as const;
    for (const [status, version, word] of words) {
      expect(packMeta(status, version)).toBe(word);
      expect([statusOf(word), versionOf(word)]).toEqual([status, version]);
    }
  });
});
