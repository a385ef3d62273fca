// Cuts argv into positional arguments and options by a command's table. Pure: values are still text here, and where
// else an option may come from is settled in precedence.ts. Every refusal is a usage error that names the word.

import { parseArgs, type ParseArgsOptionDescriptor, type ParseArgsOptionsConfig } from "node:util";
import { ArmdbError } from "../../errors.ts";
import type { CommandSpec, OptionSpec } from "./spec.ts";
import { escapeText } from "../surface/escape.ts";
import { nearest } from "./nearest.ts";
import { optionsOf } from "./options.ts";
import { acceptedBy } from "./values.ts";

/** An option as it stood on the command line; a flag without `=` holds `true`. */
export interface GivenOption {
  readonly option: OptionSpec;
  readonly text: string;
}

export interface GivenArguments {
  readonly positionals: readonly string[];
  readonly options: readonly GivenOption[];
}

/** Reads the words after the command's name. Options may stand anywhere; after `--` all words are arguments. */
export function readArguments(spec: CommandSpec, words: readonly string[]): GivenArguments {
  const known = optionsOf(spec);
  const settings = { strict: false, allowPositionals: true, tokens: true } as const;
  const { tokens } = parseArgs({ args: [...words], options: shapeOf(known), ...settings });
  const positionals: string[] = [];
  const options: GivenOption[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, index, value, inlineValue } = token;
    const option = known.find((candidate) => candidate.name === name);
    // `-json` is `--json` with a dash missing far more often than five short options.
    if (option === undefined) throw unknownOption(spec, known, wordOf(words[index] ?? rawName));
    const isForgotten = value === undefined || (!inlineValue && isOption(known, value));
    if (option.kind !== "flag" && isForgotten) throw missingValue(spec, option, rawName);
    options.push({ option, text: value ?? "true" });
  }
  return { positionals, options };
}

/** The table as the runtime's parser takes it. */
function shapeOf(known: readonly OptionSpec[]): ParseArgsOptionsConfig {
  const rows = known.map(({ name, short, kind }): [string, ParseArgsOptionDescriptor] => [
    name,
    { type: kind === "flag" ? "boolean" : "string", ...(short === undefined ? {} : { short }) },
  ]);
  return Object.fromEntries(rows);
}

/** The option in a word, without the value behind `=`. */
function wordOf(word: string): string {
  return word.startsWith("--") ? (word.split("=")[0] ?? word) : word;
}

/** True when a word where a value is due is rather the next option, so that the value was forgotten. */
function isOption(known: readonly OptionSpec[], word: string): boolean {
  if (word === "--") return true;
  if (word.startsWith("--")) {
    const name = word.slice(2).split("=")[0];
    return known.some((option) => option.name === name);
  }
  return known.some((option) => option.short !== undefined && word === `-${option.short}`);
}

/** Holds positional arguments against the command's table: each by its name, null for an absent optional one. */
export function nameArguments(
  spec: CommandSpec,
  positionals: readonly string[],
): ReadonlyMap<string, string | null> {
  const extra = positionals[spec.arguments.length];
  if (extra !== undefined) {
    throw new ArmdbError("usage", `Unexpected argument "${escapeText(extra)}"`, {
      hint: `${usageLine(spec)} (words that begin with a dash go after --)`,
    });
  }
  const named = new Map<string, string | null>();
  for (const [index, argument] of spec.arguments.entries()) {
    const text = positionals[index] ?? null;
    if (text === null && argument.required) {
      throw new ArmdbError(
        "usage",
        `armdb ${spec.name} needs ${argument.name}: ${argument.summary}`,
        { hint: usageLine(spec) },
      );
    }
    if (text === "") {
      throw new ArmdbError("usage", `${argument.name} is empty: it must be ${argument.summary}`, {
        hint: usageLine(spec),
      });
    }
    if (text !== null && argument.choices !== undefined && !argument.choices.includes(text)) {
      throw refusedChoice(spec, argument.name, text, argument.choices);
    }
    named.set(argument.name, text);
  }
  return named;
}

function refusedChoice(
  spec: CommandSpec,
  name: string,
  text: string,
  choices: readonly string[],
): ArmdbError {
  const guess = nearest(text, choices);
  const message = `${name} is "${escapeText(text)}", accepted: ${choices.join(", ")}`;
  const hint = guess === null ? usageLine(spec) : `armdb ${spec.name} ${guess}`;
  return new ArmdbError("usage", message, { hint });
}

/** `armdb inspect cursor DIR [SHARD] [options]`. */
export function usageLine(spec: CommandSpec): string {
  const words = spec.arguments.map((argument) => {
    const name = argument.choices?.join("|") ?? argument.name;
    return argument.required ? name : `[${name}]`;
  });
  return ["armdb", spec.name, ...words, "[options]"].join(" ");
}

function unknownOption(
  spec: CommandSpec,
  known: readonly OptionSpec[],
  written: string,
): ArmdbError {
  const names = known.map((option) => option.name);
  const guess = nearest(written.replace(/^-+/, ""), names);
  return new ArmdbError("usage", `armdb ${spec.name} has no option ${escapeText(written)}`, {
    hint:
      guess === null
        ? `armdb help ${spec.name}`
        : `--${guess}, or armdb help ${spec.name} for all of them`,
  });
}

function missingValue(spec: CommandSpec, option: OptionSpec, written: string): ArmdbError {
  return new ArmdbError("usage", `${written} needs a value: ${acceptedBy(option)}`, {
    hint: `armdb help ${spec.name}`,
  });
}
