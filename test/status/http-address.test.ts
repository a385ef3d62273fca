// --http: what is an address, and what would end up on every interface.

import { describe, expect, test } from "bun:test";
import { parseHttpAddress } from "../../src/status/http-address.ts";

describe("--http", () => {
  const good: [string, string, number][] = [
    ["9407", "127.0.0.1", 9407],
    ["0", "127.0.0.1", 0],
    [":9407", "127.0.0.1", 9407],
    ["localhost:9407", "127.0.0.1", 9407],
    ["0.0.0.0:9407", "0.0.0.0", 9407],
    ["10.0.0.5:65535", "10.0.0.5", 65535],
    ["[::1]:9407", "::1", 9407],
  ];
  for (const [text, host, port] of good) {
    test(`may be ${text}`, () => expect(parseHttpAddress(text)).toEqual({ host, port }));
  }

  const bad = ["", "x", "65536", "-1", "db1:9407", "*:9407", "::1:9407", "1.2.3:9", "[x]:1", "1 2"];
  for (const text of bad) {
    test(`may not be "${text}"`, () => {
      expect(() => parseHttpAddress(text)).toThrow("wanted PORT or ADDRESS:PORT");
    });
  }
});
