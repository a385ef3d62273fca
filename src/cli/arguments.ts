// Cuts argv into positional arguments and options by a command's table. Pure: values are still text here, and where
// else an option may come from is settled in precedence.ts. Every refusal is a usage error that names the word.

import { ArmdbError } from "../errors.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { escapeText } from "./escape.ts";
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
  const positionals: string[] = [];
  const options: GivenOption[] = [];
  let index = 0;
  while (index < words.length) {
    const word = words[index] ?? "";
    if (word === "--") {
      positionals.push(...words.slice(index + 1));
      break;
    }
    if (word === "-" || !word.startsWith("-")) {
      positionals.push(word);
      index += 1;
      continue;
    }
    const next = words[index + 1];
    const taken = word.startsWith("--")
      ? readLong(spec, known, word, next, options)
      : readShort(spec, known, word, next, options);
    index += taken;
  }
  return { positionals, options };
}

/** `--name`, `--name value`, `--name=value`. Returns how many words it took. */
function readLong(
  spec: CommandSpec,
  known: readonly OptionSpec[],
  word: string,
  next: string | undefined,
  into: GivenOption[],
): number {
  const equals = word.indexOf("=");
  const name = word.slice(2, equals === -1 ? undefined : equals);
  const option = known.find((candidate) => candidate.name === name);
  if (option === undefined) throw unknownOption(spec, known, `--${name}`);
  if (equals !== -1) {
    into.push({ option, text: word.slice(equals + 1) });
    return 1;
  }
  return readValue(spec, known, option, `--${name}`, next, into);
}

/** `-q`, `-qv`, `-o value`. Only the last of a bundle may take a value. */
function readShort(
  spec: CommandSpec,
  known: readonly OptionSpec[],
  word: string,
  next: string | undefined,
  into: GivenOption[],
): number {
  const letters = [...word.slice(1)];
  let taken = 1;
  for (const [position, letter] of letters.entries()) {
    const option = known.find((candidate) => candidate.short === letter);
    if (option === undefined) {
      // `-json` is `--json` with a dash missing far more often than five short options.
      throw unknownOption(spec, known, letters.length > 1 ? word : `-${letter}`);
    }
    const isLast = position === letters.length - 1;
    if (option.kind !== "flag" && !isLast) throw missingValue(spec, option, `-${letter}`);
    taken = readValue(spec, known, option, `-${letter}`, isLast ? next : undefined, into);
  }
  return taken;
}

function readValue(
  spec: CommandSpec,
  known: readonly OptionSpec[],
  option: OptionSpec,
  written: string,
  next: string | undefined,
  into: GivenOption[],
): number {
  if (option.kind === "flag") {
    into.push({ option, text: "true" });
    return 1;
  }
  if (next === undefined || isOption(known, next)) throw missingValue(spec, option, written);
  into.push({ option, text: next });
  return 2;
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
