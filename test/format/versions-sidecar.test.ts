// fixed.versions byte by byte.

import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { fromHex, toHex } from "../../src/bytes.ts";
import {
  encodeSidecar,
  encodeSidecarTrailer,
  sidecarBytes,
  sidecarFault,
  sidecarWord,
} from "../../src/format/versions-sidecar.ts";

const WORDS = Uint32Array.of(0x0d, 0, 0xffff_fffe);
// The crc was taken by another program.
//                  three words                          count        crc32 of all before it
const GOLDEN_HEX = "0d000000" + "00000000" + "feffffff" + "03000000" + "ea8633a1";
const golden = () => fromHex(GOLDEN_HEX) as Uint8Array;

describe("a sidecar", () => {
  test("encodes to the golden bytes, whole and by its trailer", () => {
    expect(toHex(encodeSidecar(WORDS))).toBe(GOLDEN_HEX);
    const words = golden().subarray(0, 12);
    expect(toHex(encodeSidecarTrailer(3, crc32(words)))).toBe(GOLDEN_HEX.slice(24));
  });

  test("gives back each word", () => {
    expect([0, 1, 2].map((slot) => sidecarWord(golden(), slot))).toEqual([...WORDS]);
  });

  test("of no slots is 8 bytes", () => {
    expect(sidecarBytes(0)).toBe(8);
    expect(sidecarFault(encodeSidecar(new Uint32Array(0)), 0)).toBeNull();
  });

  test("is good for its own slot count and no other", () => {
    expect(sidecarFault(golden(), 3)).toBeNull();
    for (const slots of [0, 2, 4]) expect(sidecarFault(golden(), slots)).toBe("size");
  });

  test("of another length is of no use", () => {
    for (const length of [0, 7, 19, 21]) {
      const bytes = new Uint8Array(length);
      bytes.set(golden().subarray(0, length));
      expect(sidecarFault(bytes, 3)).toBe("size");
    }
  });

  test("with any bit turned is of no use", () => {
    for (let offset = 0; offset < 20; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = golden();
        bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
        const isCount = offset >= 12 && offset < 16;
        expect(sidecarFault(bytes, 3)).toBe(isCount ? "count" : "crc");
      }
    }
  });
});
