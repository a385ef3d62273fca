// Which command a command line means. Pure but for loading the table of a command that has sub-commands. Words that
// are not understood are usage errors with the nearest command.

import { ArmdbError } from "../errors.ts";
import type { OptionSpec } from "./words/spec.ts";
import { escapeText } from "./surface/escape.ts";
import { nearest } from "./words/nearest.ts";
import { COMMON_OPTIONS, optionsOf } from "./words/options.ts";
import type { RegistryEntry } from "./command.ts";

export type Route =
  /** A command and the words that are left for it. */
  | { readonly kind: "command"; readonly entry: RegistryEntry; readonly words: readonly string[] }
  /** No command, but help was asked for. */
  | { readonly kind: "overview" }
  /** No command and nothing asked. */
  | { readonly kind: "nothing" };

/** Finds the command. Common options may stand before it; a sub-command is the next word that is no option. */
export async function route(
  argv: readonly string[],
  registry: readonly RegistryEntry[],
): Promise<Route> {
  const first = nextWord(argv, 0, COMMON_OPTIONS);
  const before = argv.slice(0, first);
  const word = argv[first];
  if (word === undefined) return routeWithoutCommand(before, registry);
  const entry = registry.find((candidate) => candidate.name === word);
  if (entry === undefined) throw unknownCommand(word, registry);
  const rest = argv.slice(first + 1);
  const children = registry.filter((candidate) => candidate.name.startsWith(`${word} `));
  if (children.length > 0) {
    const known = rest[0]?.startsWith("-") === true ? optionsOf((await entry.load()).spec) : [];
    const second = nextWord(rest, 0, known);
    const child = children.find((candidate) => candidate.name === `${word} ${rest[second]}`);
    if (child !== undefined) {
      const words = [...before, ...rest.slice(0, second), ...rest.slice(second + 1)];
      return { kind: "command", entry: child, words };
    }
  }
  return { kind: "command", entry, words: [...before, ...rest] };
}

function routeWithoutCommand(words: readonly string[], registry: readonly RegistryEntry[]): Route {
  if (words.includes("--help") || words.includes("-h")) return { kind: "overview" };
  const isVersion = words.includes("--version") || words.includes("-V");
  const version = registry.find((candidate) => candidate.name === "version");
  if (isVersion && version !== undefined) {
    const rest = words.filter((word) => word !== "--version" && word !== "-V");
    return { kind: "command", entry: version, words: rest };
  }
  return { kind: "nothing" };
}

/** Index of the first word that is neither an option nor an option's value; `--` is a word here and fits nothing. */
function nextWord(words: readonly string[], start: number, known: readonly OptionSpec[]): number {
  let index = start;
  while (index < words.length) {
    const word = words[index] ?? "";
    if (word === "--" || word === "-" || !word.startsWith("-")) return index;
    const option = known.find(
      (candidate) =>
        word === `--${candidate.name}` ||
        (candidate.short !== undefined && word === `-${candidate.short}`),
    );
    index += option === undefined || option.kind === "flag" ? 1 : 2;
  }
  return words.length;
}

/**
 * What to say when a command with sub-commands gets more words than it takes, and the first looks like a misspelt
 * sub-command: `armdb inspect shrad DIR 0`. Null when it does not.
 */
export function misspeltChild(
  name: string,
  positionals: readonly string[],
  registry: readonly RegistryEntry[],
): ArmdbError | null {
  const [word] = positionals;
  const children = registry
    .filter((entry) => entry.name.startsWith(`${name} `))
    .map((entry) => entry.name.slice(name.length + 1));
  const guess = word === undefined ? null : nearest(word, children);
  if (word === undefined || guess === null) return null;
  const rest = positionals.slice(1).map(escapeText).join(" ");
  return new ArmdbError("usage", `There is no command "${name} ${escapeText(word)}"`, {
    hint: `armdb ${name} ${guess} ${rest}`,
  });
}

function unknownCommand(word: string, registry: readonly RegistryEntry[]): ArmdbError {
  const names = registry.map((entry) => entry.name);
  const lastWords = names.filter((name) => name.endsWith(` ${word}`));
  const guess = lastWords[0] ?? nearest(word, names);
  return new ArmdbError("usage", `There is no command "${escapeText(word)}"`, {
    hint: guess === null ? "armdb help lists the commands" : `armdb ${guess}`,
  });
}
