// No text of a benchmark's chart lies over another or past the edge, with as many bars as there ever are.

import { expect, test } from "bun:test";
import { chart } from "../../scripts/benchmark/chart.ts";
import type { Point } from "../../scripts/benchmark/results.ts";

/** Width of a letter in a wide sans-serif face, in font sizes. */
const LETTER_EM = 0.65;
const FONT_SIZE = 12;

interface Text {
  readonly words: string;
  readonly y: number;
  readonly left: number;
  readonly right: number;
}

function textsOf(svg: string): Text[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(
    ([, attributes = "", words = ""]) => {
      const number = (name: string) =>
        new RegExp(`(?<![\\w-])${name}="([\\d.]+)"`).exec(attributes)?.[1];
      const x = Number(number("x"));
      const width = words.length * LETTER_EM * Number(number("font-size") ?? FONT_SIZE);
      const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1] ?? "start";
      const left = { start: x, middle: x - width / 2, end: x - width }[anchor] ?? Number.NaN;
      return { words, y: Number(number("y")), left, right: left + width };
    },
  );
}

test("no text lies over another or past the edge", () => {
  const points = [0, 1, 5, 20, 50].map((at): Point => ({
    at,
    slotsPerSecond: {
      crate: 210_000,
      null: 388_888,
      ours: 389_000,
      "ours, --window 256": 390_000,
    },
  }));
  const svg = chart("Catch-up over a network, 2 shards", "round trip, ms", points);
  const texts = textsOf(svg);
  const width = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]);
  expect(texts.length).toBeGreaterThan(5 * 4 + 4);
  for (const text of texts) {
    expect(text.left, text.words).toBeGreaterThanOrEqual(0);
    expect(text.right, text.words).toBeLessThanOrEqual(width);
    const over = texts.filter(
      (other) =>
        other !== text &&
        Math.abs(other.y - text.y) < 8 &&
        other.left < text.right &&
        text.left < other.right,
    );
    expect(over.map(({ words }) => `${text.words} and ${words}`)).toEqual([]);
  }
});
