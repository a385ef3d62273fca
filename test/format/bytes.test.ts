// The helpers that codecs share: numbers and copies without a view come to the same as with one.

import { describe, expect, test } from "bun:test";
import { copyTail, readU32, viewOf } from "../../src/bytes.ts";
import { Dice } from "../support/dice.ts";

describe("readU32()", () => {
  test("reads what a DataView reads, at every offset, the highest bit set too", () => {
    const dice = new Dice(1);
    const bytes = Uint8Array.from({ length: 64 }, () => dice.below(256));
    bytes.fill(0xff, 20, 28);
    // A part of a longer buffer: an offset counts from where the part begins.
    const part = bytes.subarray(3);
    for (let offset = 0; offset + 4 <= part.length; offset++) {
      expect(readU32(part, offset)).toBe(viewOf(part).getUint32(offset, true));
    }
  });
});

describe("copyTail()", () => {
  // Both ways of copying, and the length where the one becomes the other.
  for (const length of [0, 1, 80, 511, 512, 513, 514, 5_000]) {
    test(`copies ${length} bytes and touches no others`, () => {
      const from = Uint8Array.from({ length: length + 5 }, (_, index) => (index * 31) & 0xff);
      const into = new Uint8Array(length + 20).fill(0xaa);
      copyTail(from, 5, into, 7);
      expect(into.subarray(7, 7 + length)).toEqual(from.subarray(5));
      expect(into.subarray(0, 7)).toEqual(new Uint8Array(7).fill(0xaa));
      expect(into.subarray(7 + length)).toEqual(new Uint8Array(13).fill(0xaa));
    });
  }
});
