// argv against a command's table.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nameArguments, readArguments, usageLine } from "../../src/cli/words/arguments.ts";
import type { CommandSpec } from "../../src/cli/words/spec.ts";
import { resolveOptions } from "../../src/cli/words/precedence.ts";
import { ArmdbError } from "../../src/errors.ts";
import { FOLLOW, LOOK_SHARD, PAINT } from "./sample-specs.ts";

function read(spec: CommandSpec, line: string) {
  const words = line === "" ? [] : line.split(" ");
  const { positionals, options } = readArguments(spec, words);
  return { positionals, options: options.map(({ option, text }) => [option.name, text]) };
}

/** Message and hint of the usage error that a call throws. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof ArmdbError && thrown.code === "usage") {
      return `${thrown.message} | ${thrown.details.hint}`;
    }
    throw thrown;
  }
  throw new Error("nothing was refused");
}

describe("readArguments()", () => {
  test("takes options anywhere, with a space or an equals sign", () => {
    expect(read(FOLLOW, "--data x db:1 --window=8 --once")).toEqual({
      positionals: ["db:1"],
      options: [
        ["data", "x"],
        ["window", "8"],
        ["once", "true"],
      ],
    });
  });

  test("takes bundles of short options, the last with a value", () => {
    expect(read(FOLLOW, "-qvf -t a")).toEqual({
      positionals: [],
      options: [
        ["quiet", "true"],
        ["verbose", "true"],
        ["force", "true"],
        ["tag", "a"],
      ],
    });
    expect(read(FOLLOW, "-qt a").options).toContainEqual(["tag", "a"]);
  });

  test("takes all words after -- as arguments", () => {
    expect(read(FOLLOW, "-q -- --once -x").positionals).toEqual(["--once", "-x"]);
  });

  test("takes a single dash, an empty word and an equals sign as they are", () => {
    expect(readArguments(FOLLOW, ["-", ""]).positionals).toEqual(["-", ""]);
    expect(read(FOLLOW, "--data=a=b").options).toEqual([["data", "a=b"]]);
    expect(read(FOLLOW, "--data=").options).toEqual([["data", ""]]);
  });

  test("takes a value that begins with a dash unless it is an option of ours", () => {
    expect(read(FOLLOW, "--data -x").options).toEqual([["data", "-x"]]);
    expect(refusal(() => read(FOLLOW, "--data --once"))).toContain("--data needs a value");
    expect(refusal(() => read(FOLLOW, "--data -q"))).toContain("--data needs a value");
    expect(refusal(() => read(FOLLOW, "--data --"))).toContain("--data needs a value");
  });

  test("lets a flag be switched off, so that it can win over the environment", () => {
    expect(read(FOLLOW, "--once=false").options).toEqual([["once", "false"]]);
  });

  test("names an unknown option and the nearest one", () => {
    expect(refusal(() => read(FOLLOW, "--onse"))).toBe(
      "armdb follow has no option --onse | --once, or armdb help follow for all of them",
    );
    expect(refusal(() => read(FOLLOW, "--zzzzzz"))).toBe(
      "armdb follow has no option --zzzzzz | armdb help follow",
    );
    expect(refusal(() => read(FOLLOW, "-x"))).toContain("has no option -x");
    expect(refusal(() => read(FOLLOW, "-json"))).toContain("--json");
  });

  test("names the option whose value is missing, and what it takes", () => {
    expect(refusal(() => read(FOLLOW, "--resync"))).toBe(
      "--resync needs a value: a time such as 500ms, 5s, 10m, 1h (at most 24d), or off | armdb help follow",
    );
  });

  test("takes what stands behind a short option in the same word as its value", () => {
    expect(readArguments(FOLLOW, ["-tq"]).options.map(({ text }) => text)).toEqual(["q"]);
  });

  test("shows a hostile word escaped", () => {
    expect(refusal(() => readArguments(FOLLOW, ["--\x1b[2J\u202e"]))).toContain(
      "--\\x1b[2J\\u202e",
    );
  });
});

test("any words at all are taken or refused as usage, never as a bug", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.constantFrom(
      "--",
      "-",
      "--data",
      "--once",
      "--window",
      "-t",
      "-qf",
      "--data=x",
      "--sync=off",
    ),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (words) => {
      try {
        const given = readArguments(FOLLOW, words);
        nameArguments(FOLLOW, given.positionals);
        resolveOptions(FOLLOW, given.options, { env: {}, files: [] });
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(ArmdbError);
        expect((thrown as ArmdbError).code).toBe("usage");
      }
    }),
    { seed: 7, numRuns: 2000 },
  );
});

describe("nameArguments()", () => {
  test("gives each argument its word, null to an absent optional one", () => {
    expect([...nameArguments(LOOK_SHARD, ["x"])]).toEqual([
      ["DIR", "x"],
      ["SHARD", null],
    ]);
  });

  test("names what is missing, what is too much and what is empty", () => {
    expect(refusal(() => nameArguments(LOOK_SHARD, []))).toBe(
      "armdb look shard needs DIR: a directory | armdb look shard DIR [SHARD] [options]",
    );
    expect(refusal(() => nameArguments(LOOK_SHARD, ["x", "1", "2"]))).toContain(
      'Unexpected argument "2"',
    );
    expect(refusal(() => nameArguments(LOOK_SHARD, [""]))).toContain("DIR is empty");
  });

  test("holds a word against the choices", () => {
    expect(refusal(() => nameArguments(PAINT, ["gren"]))).toBe(
      'COLOR is "gren", accepted: red, green | armdb paint green',
    );
  });
});

test("usageLine() shows optional arguments in brackets and choices by name", () => {
  expect(usageLine(LOOK_SHARD)).toBe("armdb look shard DIR [SHARD] [options]");
  expect(usageLine(PAINT)).toBe("armdb paint red|green [options]");
});
