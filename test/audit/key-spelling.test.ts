import { describe, expect, test } from "bun:test";
import { parseKey } from "../../src/audit/inspect/key-spelling.ts";
import { toHex } from "../../src/bytes.ts";

describe("parseKey", () => {
  test.each([
    ["0x000000000000002a", 8, "000000000000002a"],
    ["hex:00000000deadBEEF", 8, "00000000deadbeef"],
    ["u64be:42", 8, "000000000000002a"],
    ["u64be:0xff", 8, "00000000000000ff"],
    ["u64le:42", 8, "2a00000000000000"],
    ["u64be:18446744073709551615", 8, "ffffffffffffffff"],
    ["u32be:42", 4, "0000002a"],
    ["u32le:4294967295", 4, "ffffffff"],
    ["abc", 8, "6162630000000000"],
    ["text:abc", 4, "61626300"],
    ["text:0x12", 5, "3078313200"],
    ["text:", 4, "00000000"],
    ["größe", 8, "6772c3b6c39f6500"],
    ["other:abc", 9, "6f746865723a616263"],
    ["12345678", 8, "3132333435363738"],
  ])("reads %p as a key of %p bytes", (spelling, keyLen, hex) => {
    expect(toHex(parseKey(spelling, keyLen))).toBe(hex);
  });

  test.each([
    ["0x2a", 8, "it has 1 bytes, keys here have 8"],
    ["0x2", 1, "it is not an even number of hex digits"],
    ["hex:zz", 1, "it is not an even number of hex digits"],
    ["u64be:42", 4, "it makes 8 bytes, keys here have 4"],
    ["u32be:42", 8, "it makes 4 bytes, keys here have 8"],
    ["u64be:18446744073709551616", 8, "the number does not fit in 64 bits"],
    ["u32le:-1", 4, "it is not a whole number"],
    ["u64be:", 8, "it is not a whole number"],
    ["abcdefghi", 8, "its text is 9 bytes long, keys here have 8"],
  ])("refuses %p for keys of %p bytes: %s", (spelling, keyLen, why) => {
    expect(() => parseKey(spelling, keyLen)).toThrow(why);
  });
});
