// The head of an HTTP request: what is read, and what is refused by name. Fed whole and in parts.

import { describe, expect, test } from "bun:test";
import { headEnd, readHead } from "../../src/status/http-request.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const read = (text: string) => readHead(bytes(text));

describe("headEnd()", () => {
  const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

  test("finds the empty line and not a byte before it", () => {
    for (let length = 0; length < head.length; length++) {
      expect(headEnd(bytes(head.slice(0, length)))).toBe(-1);
    }
    expect(headEnd(bytes(head))).toBe(head.length);
    expect(headEnd(bytes(`${head}body`))).toBe(head.length);
  });

  test("takes bare newlines too", () => {
    expect(headEnd(bytes("GET / HTTP/1.0\n\n"))).toBe(16);
  });
});

describe("readHead()", () => {
  test("reads method, path without query, and host without port", () => {
    expect(read("GET /metrics?x=1#y HTTP/1.1\r\nHost: LocalHost:9100\r\n\r\n")).toEqual({
      method: "GET",
      path: "/metrics",
      hostName: "localhost",
    });
    expect(read("HEAD / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n")).toMatchObject({ hostName: "::1" });
    expect(read("GET / HTTP/1.0\r\n\r\n")).toMatchObject({ hostName: null });
  });

  const refused: [string, string][] = [
    ["malformed", "GET /\r\n\r\n"],
    ["malformed", "get / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["malformed", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["malformed", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ["malformed", "GET / HTTP/1.1\r\nno field\r\n\r\n"],
    ["malformed", "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"],
    ["malformed", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
    ["version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
    ["host-missing", "GET / HTTP/1.1\r\n\r\n"],
    ["has-body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"],
    ["has-body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\n"],
    ["has-body", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ];
  for (const [fault, text] of refused) {
    test(`refuses as ${fault}: ${JSON.stringify(text)}`, () => {
      expect(read(text)).toBe(fault as ReturnType<typeof readHead>);
    });
  }

  test("never throws, whatever the bytes", () => {
    let state = 1;
    const random = () => (state = (state * 48_271) % 2_147_483_647);
    for (let round = 0; round < 2000; round++) {
      const noise = Uint8Array.from({ length: random() % 200 }, () => random() % 256);
      readHead(noise);
      headEnd(noise);
    }
  });
});
