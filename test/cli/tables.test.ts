// Tables, definitions and paragraphs fit the width, whatever is in them.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { cutText, definitionLines, tableLines, wrapText } from "../../src/cli/surface/tables.ts";

const TABLE = [
  { title: "SHARD", align: "right" },
  { title: "STATE" },
  { title: "WHY", shrinks: true },
] as const;

describe("tableLines()", () => {
  test("aligns by column and cuts what shrinks", () => {
    const rows = [
      ["0", "live", "a long explanation that does not fit"],
      ["12", "stalled", "short"],
    ];
    expect(tableLines(TABLE, rows, 40)).toEqual([
      "SHARD  STATE    WHY",
      "    0  live     a long explanation that…",
      "   12  stalled  short",
    ]);
  });

  test("measures wide characters and leaves colours out", () => {
    const { red } = createPalette(true);
    const lines = tableLines(TABLE, [["1", red("live"), "日本語"]], 80);
    expect(Bun.stringWidth(lines[1] ?? "")).toBe(5 + 2 + 5 + 2 + 6);
  });
});

describe("cutText()", () => {
  test("never exceeds the width and ends colours", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 1, max: 30 }),
        (text, width) => {
          expect(Bun.stringWidth(cutText(text, width))).toBeLessThanOrEqual(width);
        },
      ),
      { seed: 7, numRuns: 500 },
    );
    const { red } = createPalette(true);
    expect(cutText(red("0123456789"), 5)).toBe("\x1b[31m0123…\x1b[0m");
  });
});

test("wrapText() breaks at spaces only", () => {
  expect(wrapText("a bb  ccc\n dddd", 7, "  ")).toEqual(["  a bb", "  ccc", "  dddd"]);
  expect(wrapText("averylongword x", 5)).toEqual(["averylongword", "x"]);
  expect(wrapText("", 5)).toEqual([]);
});

test("definitionLines() sets meanings beside terms, long terms above", () => {
  const entries = [
    ["-a", "first of them"],
    ["--a-very-long-option", "second"],
  ] as const;
  expect(definitionLines(entries, 18, 10)).toEqual([
    "  -a  first of",
    "      them",
    "  --a-very-long-option",
    "      second",
  ]);
});
