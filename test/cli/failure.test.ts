// The last words of a failed command.

import { describe, expect, test } from "bun:test";
import { explain, failureLines, failureObject } from "../../src/cli/surface/failure.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { ArmdbError, Bug } from "../../src/errors.ts";

const style = { palette: createPalette(false), verbose: false };

const error = new ArmdbError("damaged", "Cannot read slot 5: its crc differs", {
  path: "/srv/db/shard_000/fixed.data",
  shard: 0,
  slot: 5,
  offset: 4496,
  hint: "armdb repair /srv/db",
});

describe("failureLines()", () => {
  test("say what, where and what to try", () => {
    expect(failureLines(error, style)).toEqual([
      "armdb: Cannot read slot 5: its crc differs",
      "  at /srv/db/shard_000/fixed.data, shard 0, slot 5, byte 4496",
      "  Try: armdb repair /srv/db",
    ]);
  });

  test("do not repeat a path that the message names", () => {
    const named = new ArmdbError("storage", 'Cannot open "/x"', { path: "/x" });
    expect(failureLines(named, style)).toEqual(['armdb: Cannot open "/x"']);
  });

  test("escape what others wrote", () => {
    const hostile = new ArmdbError("storage", "bad \x1b[2J\nname", {
      path: "/\u202ex",
      hint: "\x07",
    });
    expect(failureLines(hostile, style)).toEqual([
      "armdb: bad \\x1b[2J\\nname",
      "  at /\\u202ex",
      "  Try: \\x07",
    ]);
  });

  test("of a bug hold a stack only with --verbose", () => {
    const bug = explain(new Bug("two and two are five"));
    const lines = failureLines(bug, style);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe(
      "armdb: This should not have happened: Bug: bug in armdb: two and two are five",
    );
    expect(failureLines(bug, { ...style, verbose: true }).join("\n")).toContain("failure.test.ts");
  });
});

test("explain() makes an unexpected failure of whatever was thrown", () => {
  for (const thrown of [new TypeError("x"), "text", null, undefined, 5, {}]) {
    const explained = explain(thrown);
    expect(explained.code).toBe("unexpected");
    expect(explained.exitStatus).toBe(1);
  }
  expect(explain(error)).toBe(error);
});

test("failureObject() is the object of cli.md with the place added", () => {
  expect(failureObject(error)).toEqual({
    schema: 1,
    type: "error",
    code: "damaged",
    exit: 3,
    message: "Cannot read slot 5: its crc differs",
    hint: "armdb repair /srv/db",
    path: "/srv/db/shard_000/fixed.data",
    shard: 0,
    slot: 5,
    offset: "4496",
  });
});
