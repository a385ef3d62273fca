// fixed.versions byte by byte.

import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { fromHex, toHex } from "../../src/bytes.ts";
import {
  encodeSidecar,
  encodeSidecarTrailer,
  sidecarBytes,
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

  test("of no slots is 8 bytes", () => {
    expect(sidecarBytes(0)).toBe(8);
    expect(encodeSidecar(new Uint32Array(0))).toHaveLength(8);
  });
});
