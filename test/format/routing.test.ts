// Which shard a key belongs to. The real crate's own placement is in fixtures.test.ts.

import { describe, expect, test } from "bun:test";
import { routingBytes, shardDirectory, shardOfKey } from "../../src/format/routing.ts";
import { fromHex, toHex } from "../../src/bytes.ts";

const KEY = fromHex("a1b2c3d4e5f60718") as Uint8Array;

describe("the bytes that route", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "a1b2c3d4e5f60718"],
    [1, "80"],
    [4, "a0"],
    [7, "a0"],
    [8, "a1"],
    [9, "a180"],
    [12, "a1b0"],
    [15, "a1b2"],
    [16, "a1b2"],
    [63, "a1b2c3d4e5f60718"],
    [64, "a1b2c3d4e5f60718"],
    [65, "a1b2c3d4e5f60718"],
    [255, "a1b2c3d4e5f60718"],
  ];
  for (const [bits, hex] of cases) {
    test(`with ${bits} prefix bits are ${hex}`, () => {
      expect(toHex(routingBytes(KEY, bits))).toBe(hex);
      expect(toHex(KEY)).toBe("a1b2c3d4e5f60718");
    });
  }

  test("leave a Buffer as it is", () => {
    const buffer = Buffer.from(KEY);
    expect(toHex(routingBytes(buffer, 12))).toBe("a1b0");
    expect(toHex(buffer)).toBe("a1b2c3d4e5f60718");
  });

  test("drop the low bits of the last byte only", () => {
    expect(toHex(routingBytes(Uint8Array.of(0xff, 0xff, 0xff), 15))).toBe("fffe");
  });
});

describe("the shard of a key", () => {
  // Published vectors of XXH3, 64 bits, seed 0: the empty input and one zero byte.
  const OF_NOTHING = 0x2d06_8005_38d3_94c2n;
  const OF_ZERO = 0xc44b_dff4_074e_ecdbn;

  test("is its hash, unsigned, modulo the count", () => {
    for (const shards of [2, 3, 16, 255]) {
      expect(shardOfKey(new Uint8Array(0), shards, 0)).toBe(Number(OF_NOTHING % BigInt(shards)));
      expect(shardOfKey(Uint8Array.of(0), shards, 0)).toBe(Number(OF_ZERO % BigInt(shards)));
    }
  });

  test("of one is 0", () => {
    expect(shardOfKey(KEY, 1, 0)).toBe(0);
  });

  test("depends on the prefix alone where there is one", () => {
    const other = fromHex("a1bfffffffffffff") as Uint8Array;
    expect(shardOfKey(other, 255, 12)).toBe(shardOfKey(KEY, 255, 12));
    expect(shardOfKey(other, 255, 0)).not.toBe(shardOfKey(KEY, 255, 0));
  });

  test("is that of a view as of its copy", () => {
    const larger = fromHex("00a1b2c3d4e5f6071800") as Uint8Array;
    expect(shardOfKey(larger.subarray(1, 9), 255, 0)).toBe(shardOfKey(KEY, 255, 0));
  });
});

describe("the directory of a shard", () => {
  test("has three digits", () => {
    expect([0, 9, 10, 254].map(shardDirectory)).toEqual([
      "shard_000",
      "shard_009",
      "shard_010",
      "shard_254",
    ]);
  });

  test("is refused for what is no shard", () => {
    for (const shard of [-1, 255, 1.5, Number.NaN]) expect(() => shardDirectory(shard)).toThrow();
  });
});
