// Where each option's value comes from: command line, then ARMDB_ variable, then config file, then default. Used by
// run.ts for the command that runs and by `armdb config`, which shows the same answer.

import { ArmdbError, assert } from "../../errors.ts";
import type { GivenArguments } from "./arguments.ts";
import type { CommandSpec, OptionSpec } from "./spec.ts";
import type { ConfigFile } from "./config-file.ts";
import { escapeText } from "../surface/escape.ts";
import { environmentName, isAllowedInFile, isCommandLineOnly, optionsOf } from "./options.ts";
import { type OptionValue, parseValue } from "./values.ts";

/** What said so. */
export type Source =
  | { readonly kind: "flag" }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "default" };

/** An option with the values that hold; none when it is absent and has no default. */
export interface ResolvedOption {
  readonly option: OptionSpec;
  readonly source: Source;
  readonly texts: readonly string[];
  readonly values: readonly OptionValue[];
}

/** Everything besides the command line that may set options; files with the strongest first. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files: readonly ConfigFile[];
}

/** Settles every option of a command. Throws a usage error for a value that is not accepted, naming where it stood. */
export function resolveOptions(
  spec: CommandSpec,
  given: GivenArguments["options"],
  around: Surroundings,
): ResolvedOption[] {
  return optionsOf(spec).map((option) => {
    const [texts, source] = find(spec, option, given, around);
    return { option, source, texts, values: texts.map((text) => check(option, text, source)) };
  });
}

function find(
  spec: CommandSpec,
  option: OptionSpec,
  given: GivenArguments["options"],
  around: Surroundings,
): [readonly string[], Source] {
  const written = given.filter((entry) => entry.option.name === option.name);
  if (written.length > 0) {
    const texts = written.map((entry) => entry.text);
    return [option.repeatable === true ? texts : texts.slice(-1), { kind: "flag" }];
  }
  const variable = environmentName(option);
  const text = around.env[variable];
  if (text !== undefined && text !== "" && !isCommandLineOnly(option)) {
    const texts = option.repeatable === true ? text.split(",") : [text];
    return [texts, { kind: "environment", variable }];
  }
  const inFile = isAllowedInFile(option) ? findInFiles(spec, option, around.files) : null;
  if (inFile !== null) return inFile;
  return [option.default === undefined ? [] : [option.default], { kind: "default" }];
}

/** A command's own table wins over the keys above the tables, the user's file over the machine's. */
function findInFiles(
  spec: CommandSpec,
  option: OptionSpec,
  files: readonly ConfigFile[],
): [readonly string[], Source] | null {
  for (const { path, settings } of files) {
    const named = settings.filter((setting) => setting.option === option.name);
    const setting =
      named.find((candidate) => candidate.command === spec.name) ??
      named.find((candidate) => candidate.command === null);
    if (setting !== undefined) return [setting.texts, { kind: "file", path }];
  }
  return null;
}

function check(option: OptionSpec, text: string, source: Source): OptionValue {
  const parsed = parseValue(option, text);
  if (parsed.ok) return parsed.value;
  assert(source.kind !== "default", `default of --${option.name} is not accepted`);
  const place = describePlace(option, source);
  const guess = parsed.suggestion === undefined ? "" : ` (did you mean ${parsed.suggestion}?)`;
  throw new ArmdbError(
    "usage",
    `${place} is "${escapeText(text)}", accepted: ${parsed.accepted}${guess}`,
    { hint: `--${option.name} ${parsed.suggestion ?? option.default ?? example(option)}` },
  );
}

function describePlace(option: OptionSpec, source: Source): string {
  switch (source.kind) {
    case "environment":
      return source.variable;
    case "file":
      return `"${option.name}" in ${escapeText(source.path)}`;
    default:
      return `--${option.name}`;
  }
}

const EXAMPLES: Readonly<Record<OptionSpec["kind"], string>> = {
  flag: "",
  text: "TEXT",
  integer: "64",
  size: "64KiB",
  rate: "10MiB",
  duration: "5s",
  choice: "CHOICE",
  range: "0..999",
};

function example(option: OptionSpec): string {
  return (
    option.choices?.[0] ??
    (option.kind === "text" ? (option.value ?? "TEXT") : EXAMPLES[option.kind])
  );
}

/** In words: where a value came from. */
export function describeSource(source: Source): string {
  switch (source.kind) {
    case "flag":
      return "command line";
    case "environment":
      return source.variable;
    case "file":
      return source.path;
    case "default":
      return "default";
  }
}

/** ARMDB_ variables that are the name of no option: most likely misspelt. */
export function unknownVariables(
  env: Surroundings["env"],
  specs: readonly CommandSpec[],
): string[] {
  const known = new Set(specs.flatMap((spec) => optionsOf(spec).map(environmentName)));
  return Object.keys(env).filter((name) => name.startsWith("ARMDB_") && !known.has(name));
}
