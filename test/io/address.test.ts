// Addresses: what is one, what is none, and that what is written can be read again.

import { describe, expect, test } from "bun:test";
import {
  formatAddress,
  isLoopback,
  parseAddress,
  parseHttpAddress,
  parseListenAddress,
  savedAddress,
} from "../../src/io/address.ts";

type Good = readonly [text: string, host: string, port: number];

describe("a leader's address", () => {
  const good: Good[] = [
    ["db1:7400", "db1", 7400],
    ["10.0.0.5:1", "10.0.0.5", 1],
    ["[::1]:65535", "::1", 65535],
    ["[fe80::1%eth0]:7400", "fe80::1%eth0", 7400],
    ["[::ffff:127.0.0.1]:7400", "::ffff:127.0.0.1", 7400],
  ];
  for (const [text, host, port] of good) {
    test(`may be ${text}, and is written so again`, () => {
      expect(parseAddress(text)).toEqual({ host, port });
      expect(formatAddress({ host, port })).toBe(text);
    });
  }

  const bad = ["", "7400", ":7400", "db1", "db1:0", "db1:65536", "db1:7400x", "db1:-1", "a b:1"];
  const badIpv6 = ["::1:7400", "[::1]", "[db1]:7400", "[10.0.0.5]:7400", "[]:7400", "[::1]x:1"];
  for (const text of [...bad, ...badIpv6, "./db1:7400", `${"x".repeat(254)}:7400`]) {
    test(`may not be "${text.slice(0, 20)}"`, () => expect(parseAddress(text)).toBeNull());
  }
});

describe("an address to listen on", () => {
  const good: Good[] = [
    ["127.0.0.1:7400", "127.0.0.1", 7400],
    ["[::1]:0", "::1", 0],
    ["localhost:65535", "localhost", 65535],
    [":7400", "127.0.0.1", 7400],
  ];
  for (const [text, host, port] of good) {
    test(`may be ${text}`, () => expect(parseListenAddress(text)).toEqual({ host, port }));
  }
  for (const text of [
    "",
    "7400",
    "host",
    "::1:7400",
    "h:65536",
    "h:-1",
    "h:7400x",
    "h h:1",
    "[::1]",
  ]) {
    test(`may not be "${text}"`, () => expect(() => parseListenAddress(text)).toThrow("HOST:PORT"));
  }
});

describe("--http", () => {
  const good: Good[] = [
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

test("what was saved without brackets is read with them, and nothing else is touched", () => {
  const saved = ["::1:7400", "2001:db8::7:65535", "[::1]:7400", "db1:7400", "::1", "x", ""];
  expect(saved.map(savedAddress)).toEqual([
    "[::1]:7400",
    "[2001:db8::7]:65535",
    "[::1]:7400",
    "db1:7400",
    "::1",
    "x",
    "",
  ]);
});

test("an address is loopback or not", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "10.0.0.1", "db1", "1127.0.0.1"].some(isLoopback)).toBe(false);
});
