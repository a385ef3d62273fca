// Foreign text can neither move the cursor nor forge a line, whatever bytes it has.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { defuse, escapeBytes, escapeJson, escapeText } from "../../src/cli/surface/escape.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const SAFE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;

describe("escapeBytes()", () => {
  test("shows every single byte: ASCII as it is, all else as \\xNN or a word", () => {
    for (const byte of ALL_BYTES) {
      const shown = escapeBytes(new Uint8Array([byte]));
      const hex = `\\x${byte.toString(16).padStart(2, "0")}`;
      const words: Record<number, string> = { 9: "\\t", 10: "\\n", 13: "\\r" };
      const isPlain = byte >= 0x20 && byte < 0x7f;
      expect(shown).toBe(isPlain ? String.fromCharCode(byte) : (words[byte] ?? hex));
    }
  });

  test("shows all 256 bytes in a row", () => {
    expect(escapeBytes(ALL_BYTES)).toMatch(SAFE);
    expect(escapeBytes(ALL_BYTES)).toMatchSnapshot();
  });

  test.each([
    ["sound", "grüße ☃ 😀", "grüße ☃ 😀"],
    ["cut", [0xe2, 0x98], "\\xe2\\x98"],
    ["cut inside text", [0x61, 0xe2, 0x62], "a\\xe2b"],
    ["overlong", [0xc0, 0xaf], "\\xc0\\xaf"],
    ["overlong of three", [0xe0, 0x80, 0xaf], "\\xe0\\x80\\xaf"],
    ["surrogate", [0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
    ["past the end", [0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"],
    ["byte order mark", [0xef, 0xbb, 0xbf], "\\ufeff"],
    ["C1 in UTF-8", [0xc2, 0x9b], "\\x9b"],
  ] satisfies [string, string | number[], string][])("shows %s UTF-8", (_name, input, shown) => {
    const bytes = typeof input === "string" ? Buffer.from(input) : new Uint8Array(input);
    expect(escapeBytes(bytes)).toBe(shown);
  });

  test("agrees with a strict decoder for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const shown = escapeBytes(bytes);
        expect(shown).toMatch(SAFE);
        let isSound = true;
        try {
          new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
        } catch {
          isSound = false;
        }
        if (isSound) {
          const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
          expect(shown).toBe(escapeText(text));
        } else expect(shown).toMatch(/\\x[89a-f][0-9a-f]/);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});

describe("escapeText()", () => {
  test.each([
    ["\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"],
    ["a\nb\rc\td", "a\\nb\\rc\\td"],
    ["\x9b2J", "\\x9b2J"],
    ["file\u202etxt.exe", "file\\u202etxt.exe"],
    ["\u2066x\u2069", "\\u2066x\\u2069"],
    ["\u2028\u2029\u200b\ufeff", "\\u2028\\u2029\\u200b\\ufeff"],
    ["\ud800", "\\ud800"],
    ["\u{e0041}", "\\u{e0041}"],
    ["plain é ☃", "plain é ☃"],
  ])("shows %j as %j", (text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });

  test("changes nothing the second time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const once = escapeText(text);
        expect(once).toMatch(SAFE);
        expect(escapeText(once)).toBe(once);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});

describe("defuse()", () => {
  test("lets newlines, tabs and, where styled, colours through", () => {
    expect(defuse("a\n\tb \x1b[1;31mred\x1b[0m", true)).toBe("a\n\tb \x1b[1;31mred\x1b[0m");
    expect(defuse("\x1b[31mred", false)).toBe("\\x1b[31mred");
  });

  test.each(["\x1b[2J", "\x1b]0;title\x07", "\x1b[31", "\r", "\x9b31m", "\u202e", "\x08", "\x1bc"])(
    "stops %j even where styled",
    (text) => {
      expect(defuse(text, true)).toMatch(SAFE);
    },
  );
});

test("escapeJson() keeps the document and escapes what a terminal acts upon", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const json = escapeJson(JSON.stringify({ text }));
      expect(json).toMatch(SAFE);
      expect(JSON.parse(json)).toEqual({ text });
    }),
    { seed: 7, numRuns: 2000 },
  );
});
