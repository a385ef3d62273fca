// When a stream shows colour.

import { describe, expect, test } from "bun:test";
import { createPalette, showsColor } from "../../src/cli/surface/palette.ts";

interface Row {
  readonly choice: string;
  readonly env: Record<string, string>;
  readonly isTerminal: boolean;
}

describe("showsColor()", () => {
  test.each([
    [{ choice: "auto", env: {}, isTerminal: true }, true],
    [{ choice: "auto", env: {}, isTerminal: false }, false],
    [{ choice: "auto", env: { NO_COLOR: "1" }, isTerminal: true }, false],
    [{ choice: "auto", env: { NO_COLOR: "" }, isTerminal: true }, true],
    [{ choice: "auto", env: { TERM: "dumb" }, isTerminal: true }, false],
    [{ choice: "auto", env: { CI: "true" }, isTerminal: false }, false],
    [{ choice: "auto", env: { FORCE_COLOR: "1" }, isTerminal: false }, true],
    [{ choice: "auto", env: { FORCE_COLOR: "0" }, isTerminal: true }, false],
    [{ choice: "auto", env: { FORCE_COLOR: "1", NO_COLOR: "1" }, isTerminal: true }, false],
    [{ choice: "always", env: { NO_COLOR: "1", TERM: "dumb" }, isTerminal: false }, true],
    [{ choice: "never", env: { FORCE_COLOR: "1" }, isTerminal: true }, false],
  ] satisfies [Row, boolean][])("%j: %p", (facts, shown) => {
    expect(showsColor(facts)).toBe(shown);
  });
});

test("createPalette() without colour returns every text unchanged", () => {
  const palette = createPalette(false);
  for (const style of Object.values(palette)) expect(style("x")).toBe("x");
});

test("createPalette() with colour wraps whatever the environment says", () => {
  expect(createPalette(true).red("x")).toBe("\x1b[31mx\x1b[39m");
});
