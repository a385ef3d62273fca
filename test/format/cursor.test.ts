// fixed_repl.cursor byte by byte.

import { describe, expect, test } from "bun:test";
import { fromHex, toHex } from "../../src/bytes.ts";
import {
  CURSOR_BYTES,
  CURSOR_FIELDS,
  decodeCursor,
  encodeCursor,
} from "../../src/format/cursor.ts";

const CURSOR = {
  shardId: 7,
  appliedTotal: 0x0102_0304_0506_0708n,
  maxVersionSeen: 0x3fff_ffff,
  lastAckAtMs: 1_795_000_000_000n,
};
const GOLDEN_HEX =
  "07" + // shard_id
  "000000" +
  "0807060504030201" + // applied_total
  "ffffff3f" + // max_version_seen
  "00000000" +
  "005e56eea1010000" + // last_ack_unix_ms
  "00".repeat(12);
const golden = () => fromHex(GOLDEN_HEX) as Uint8Array;

describe("a cursor", () => {
  test("encodes to the 40 golden bytes", () => {
    expect(toHex(encodeCursor(CURSOR))).toBe(GOLDEN_HEX);
    expect(CURSOR_BYTES).toBe(40);
  });

  test("decodes the golden bytes field by field", () => {
    expect(decodeCursor(golden())).toEqual({ ...CURSOR, reservedIsZero: true });
  });

  test("keeps u64 to its last bit", () => {
    const largest = { ...CURSOR, appliedTotal: 2n ** 64n - 1n, lastAckAtMs: 2n ** 64n - 1n };
    expect(decodeCursor(encodeCursor(largest))).toMatchObject(largest);
  });

  test("shorter than 40 bytes is none, longer is read by its first 40", () => {
    for (const length of [0, 1, 39]) expect(decodeCursor(golden().subarray(0, length))).toBeNull();
    const longer = new Uint8Array(60).fill(0xff);
    longer.set(golden());
    expect(decodeCursor(longer)).toEqual(decodeCursor(golden()));
  });

  test("tells every reserved byte that is not zero", () => {
    const covered = new Set<number>();
    for (const { offset, bytes } of Object.values(CURSOR_FIELDS)) {
      for (let index = 0; index < bytes; index++) covered.add(offset + index);
    }
    expect(covered.size).toBe(21);
    for (let offset = 0; offset < CURSOR_BYTES; offset++) {
      const bytes = golden();
      bytes[offset] = (bytes[offset] ?? 0) ^ 1;
      expect(decodeCursor(bytes)?.reservedIsZero).toBe(covered.has(offset));
    }
  });
});
