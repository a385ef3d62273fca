// Flags over environment over file over default, and what each may say.

import { describe, expect, test } from "bun:test";
import { readArguments } from "../../src/cli/words/arguments.ts";
import type { CommandSpec } from "../../src/cli/words/spec.ts";
import { settingsOf } from "../../src/cli/words/config-file.ts";
import {
  describeSource,
  resolveOptions,
  unknownVariables,
} from "../../src/cli/words/precedence.ts";
import { createParsedArguments } from "../../src/cli/words/settled.ts";
import { ArmdbError, Bug } from "../../src/errors.ts";
import { FOLLOW, LOOK, LOOK_SHARD, SAMPLE_SPECS } from "./sample-specs.ts";

interface Given {
  readonly line?: string;
  readonly env?: Record<string, string>;
  /** TOML, the strongest first. */
  readonly files?: readonly string[];
}

function resolve(spec: CommandSpec, { line = "", env = {}, files = [] }: Given) {
  const words = line === "" ? [] : line.split(" ");
  const parsed = files.map((text, index) => {
    const path = `/etc/${index}.toml`;
    return { path, settings: settingsOf(path, Bun.TOML.parse(text) as never, SAMPLE_SPECS) };
  });
  return resolveOptions(spec, readArguments(spec, words).options, { env, files: parsed });
}

function look(spec: CommandSpec, name: string, given: Given): [string, string] {
  const found = resolve(spec, given).find(({ option }) => option.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return [found.texts.join(" "), describeSource(found.source)];
}

describe("resolveOptions()", () => {
  const env = { ARMDB_WINDOW: "3" };
  const files = ["window = 2\n[follow]\nwindow = 4"];

  test("puts a flag first, then the variable, the file, the default", () => {
    expect(look(FOLLOW, "window", { line: "--window 9", env, files })).toEqual([
      "9",
      "command line",
    ]);
    expect(look(FOLLOW, "window", { env, files })).toEqual(["3", "ARMDB_WINDOW"]);
    expect(look(FOLLOW, "window", { files })).toEqual(["4", "/etc/0.toml"]);
    expect(look(FOLLOW, "window", {})).toEqual(["64", "default"]);
    expect(look(FOLLOW, "data", {})).toEqual(["", "default"]);
  });

  test("puts a command's own table over the keys above the tables", () => {
    expect(look(FOLLOW, "window", { files: ["window = 2"] })[0]).toBe("2");
  });

  test("puts the user's file over the machine's, even its plain keys", () => {
    expect(look(FOLLOW, "window", { files: ["window = 5", "[follow]\nwindow = 6"] })).toEqual([
      "5",
      "/etc/0.toml",
    ]);
  });

  test("reads the table of a sub-command in both of its forms", () => {
    expect(look(LOOK_SHARD, "slots", { files: ['[look.shard]\nslots = "1..2"'] })[0]).toBe("1..2");
    expect(look(LOOK_SHARD, "slots", { files: ['["look shard"]\nslots = "3"'] })[0]).toBe("3");
    expect(look(LOOK, "slots", { files: ['[look.shard]\nslots = "1..2"'] })[0]).toBe("");
  });

  test("takes the last of an option that is given twice, all of a repeatable one", () => {
    expect(look(FOLLOW, "window", { line: "--window 1 --window 2" })[0]).toBe("2");
    expect(look(FOLLOW, "tag", { line: "-t a -t b" })[0]).toBe("a b");
    expect(look(FOLLOW, "tag", { env: { ARMDB_TAG: "c,d" } })[0]).toBe("c d");
    expect(look(FOLLOW, "tag", { files: ['tag = ["e", "f"]'] })[0]).toBe("e f");
  });

  test("takes an empty variable as absent", () => {
    expect(look(FOLLOW, "window", { env: { ARMDB_WINDOW: "" } })[1]).toBe("default");
  });

  test("names variables in capitals with underscores", () => {
    expect(look(FOLLOW, "limit-rate", { env: { ARMDB_LIMIT_RATE: "1MB" } })[0]).toBe("1MB");
    expect(look(FOLLOW, "json", { env: { ARMDB_JSON: "1" } })[1]).toBe("ARMDB_JSON");
  });

  test.each(["yes", "force", "help"])("never takes --%s from the environment", (name) => {
    const variable = `ARMDB_${name.toUpperCase()}`;
    expect(look(FOLLOW, name, { env: { [variable]: "true" } })[1]).toBe("default");
  });

  test.each([
    [{ line: "--window x" }, '--window is "x", accepted: a whole number such as 64'],
    [{ env: { ARMDB_WINDOW: "x" } }, 'ARMDB_WINDOW is "x", accepted: a whole number such as 64'],
    [{ files: ['window = "x"'] }, '"window" in /etc/0.toml is "x", accepted:'],
    [
      { line: "--sync gruop" },
      '--sync is "gruop", accepted: one of group, batch, off (did you mean group?)',
    ],
  ] satisfies [Given, string][])("names where a refused value stood: %j", (given, message) => {
    expect(() => resolve(FOLLOW, given)).toThrow(message);
    expect(() => resolve(FOLLOW, given)).toThrow(ArmdbError);
  });
});

describe("createParsedArguments()", () => {
  const parse = (line: string) =>
    createParsedArguments(new Map([["LEADER", "db:1"]]), resolve(FOLLOW, { line }));

  test("answers in the kind that was asked for", () => {
    const args = parse("--data x --limit-rate 1MiB --resync off --connections off --once -t a");
    expect(args.argument("LEADER")).toBe("db:1");
    expect(args.text("data")).toBe("x");
    expect(args.bytes("limit-rate")).toBe(1_048_576);
    expect(args.bytes("buffer")).toBe(65_536);
    expect(args.durationMs("resync")).toBeNull();
    expect(args.integer("connections")).toBeNull();
    expect(args.integer("window")).toBe(64);
    expect(args.flag("once")).toBe(true);
    expect(args.flag("quiet")).toBe(false);
    expect(args.text("sync")).toBe("group");
    expect(args.texts("tag")).toEqual(["a"]);
  });

  test("knows what somebody said, and what is the default", () => {
    const args = parse("--window 64");
    expect([args.isGiven("window"), args.isGiven("buffer")]).toEqual([true, false]);
  });

  test("gives both ends of a range", () => {
    const args = createParsedArguments(new Map(), resolve(LOOK, { line: "--slots 3..8" }));
    expect(args.range("slots")).toEqual({ first: 3, last: 8 });
  });

  test("takes a question for an option that is in no table, or of another kind, as a bug", () => {
    const args = parse("");
    expect(() => args.flag("nothing")).toThrow(Bug);
    expect(() => args.flag("window")).toThrow(Bug);
    expect(() => args.argument("OTHER")).toThrow(Bug);
  });
});

test("unknownVariables() lists ARMDB_ names of no option", () => {
  const env = { ARMDB_WINDOW: "1", ARMDB_WINDWO: "2", HOME: "/" };
  expect(unknownVariables(env, SAMPLE_SPECS)).toEqual(["ARMDB_WINDWO"]);
});
