// Kinds of option values: what is taken, and what it means.

import { describe, expect, test } from "bun:test";
import type { OptionSpec } from "../../src/cli/words/spec.ts";
import { acceptedBy, parseDuration, parseSize, parseValue } from "../../src/cli/words/values.ts";

function option(kind: OptionSpec["kind"], more: Partial<OptionSpec> = {}): OptionSpec {
  return { name: "x", kind, summary: "", ...more };
}

function valueOf(spec: OptionSpec, text: string): unknown {
  const parsed = parseValue(spec, text);
  if (!parsed.ok) return "refused";
  const { value } = parsed;
  switch (value.kind) {
    case "flag":
      return value.on;
    case "text":
      return value.text;
    case "number":
      return value.number;
    case "range":
      return [value.range.first, value.range.last];
    case "off":
      return "off";
  }
}

describe("parseSize() takes", () => {
  test.each([
    ["0", 0],
    ["512", 512],
    ["512B", 512],
    ["64KiB", 65_536],
    ["64kib", 65_536],
    ["10MB", 10_000_000],
    ["1kB", 1000],
    ["1.5GiB", 1_610_612_736],
    ["2 GiB", 2_147_483_648],
    ["1TiB", 2 ** 40],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("%s as %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});

test.each([
  "",
  "-1",
  "1e3",
  "KiB",
  "64K",
  "1..5MB",
  "1.5.5",
  "0x10",
  "9007199254740992",
  "99999TiB",
  "١",
])("parseSize() refuses %p", (text) => {
  expect(parseSize(text)).toBeNull();
});

describe("parseDuration() takes", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["500ms", 500],
    ["5s", 5000],
    ["1.5s", 1500],
    ["10m", 600_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
    ["24d", 2_073_600_000],
  ])("%s as %d ms", (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });
});

test.each(["", "5", "5 s", "5S", "-5s", "s", "1h30m", "25d", "999999h", "1e3s"])(
  "parseDuration() refuses %p",
  (text) => {
    expect(parseDuration(text)).toBeNull();
  },
);

test("the longest duration fits a timer of the runtime", () => {
  expect(parseDuration("24d") ?? 0).toBeLessThan(2 ** 31);
});

describe("parseValue()", () => {
  test.each([
    [option("flag"), "true", true],
    [option("flag"), "0", false],
    [option("flag"), "off", false],
    [option("flag"), "maybe", "refused"],
    [option("text"), "a b", "a b"],
    [option("text"), "off", "off"],
    [option("text"), "", "refused"],
    [option("integer"), "64", 64],
    [option("integer"), "007", 7],
    [option("integer"), "-1", "refused"],
    [option("integer"), "1.5", "refused"],
    [option("integer"), "off", "refused"],
    [option("integer", { offAllowed: true }), "off", "off"],
    [option("rate"), "10MiB", 10_485_760],
    [option("rate"), "10MiB/s", 10_485_760],
    [option("rate"), "off", "off"],
    [option("rate"), "0", "refused"],
    [option("duration"), "5s", 5000],
    [option("duration"), "off", "refused"],
    [option("duration", { offAllowed: true }), "off", "off"],
    [option("choice", { choices: ["group", "off"] }), "off", "off"],
    [option("choice", { choices: ["group", "off"] }), "Group", "refused"],
    [option("range"), "0..9", [0, 9]],
    [option("range"), "7", [7, 7]],
    [option("range"), "9..0", "refused"],
    [option("range"), "1..", "refused"],
    [option("range"), "..5", "refused"],
  ])("%j takes %p as %j", (spec, text, value) => {
    expect(valueOf(spec, text)).toEqual(value as never);
  });

  test("names the nearest choice", () => {
    const spec = option("choice", { choices: ["group", "batch", "off"] });
    expect(parseValue(spec, "bacth")).toEqual({
      ok: false,
      accepted: "one of group, batch, off",
      suggestion: "batch",
    });
  });
});

test("acceptedBy() says that off is taken where it is", () => {
  expect(acceptedBy(option("duration"))).not.toContain("off");
  expect(acceptedBy(option("duration", { offAllowed: true }))).toContain(", or off");
  expect(acceptedBy(option("rate"))).toContain(", or off");
});
