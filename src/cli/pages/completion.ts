// What shells complete, taken from the tables of the commands: one list per command, from which each shell's script
// (completion-bash.ts, -zsh.ts, -fish.ts) is written. Pure.

import type { ArgumentSpec, CommandSpec, OptionSpec } from "../words/spec.ts";
import { optionsOf } from "../words/options.ts";

/** What stands in a place of the command line. */
export type Completion =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "directory" }
  | { readonly kind: "file" }
  | { readonly kind: "nothing" };

/** A command as completion sees it. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  /** Second words that may follow: `shard` of `inspect`. */
  readonly children: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly arguments: readonly Completion[];
}

export function completedCommands(specs: readonly CommandSpec[]): CompletedCommand[] {
  return specs.map((spec) => ({
    name: spec.name,
    summary: spec.summary,
    children: specs
      .filter((other) => other.name.startsWith(`${spec.name} `))
      .map((other) => other.name.slice(spec.name.length + 1)),
    options: optionsOf(spec),
    arguments: spec.arguments.map((argument) => completionOf(argument, specs)),
  }));
}

function completionOf(argument: ArgumentSpec, specs: readonly CommandSpec[]): Completion {
  if (argument.choices !== undefined) return { kind: "words", words: argument.choices };
  if (argument.name === "COMMAND") return { kind: "words", words: topLevelNames(specs) };
  return placeCompletion(argument.complete);
}

/** What the value of an option completes to. */
export function valueCompletion(option: OptionSpec): Completion {
  if (option.choices !== undefined) return { kind: "words", words: option.choices };
  return placeCompletion(option.complete);
}

function placeCompletion(complete: "directory" | "file" | undefined): Completion {
  return complete === undefined ? { kind: "nothing" } : { kind: complete };
}

/** The first words, each once. */
export function topLevelNames(specs: readonly { readonly name: string }[]): string[] {
  return [...new Set(specs.map((spec) => spec.name.split(" ")[0] ?? spec.name))];
}

/** `--name` and `-n` of all options. */
export function optionWords(options: readonly OptionSpec[]): string[] {
  return options.flatMap((option) =>
    option.short === undefined ? [`--${option.name}`] : [`--${option.name}`, `-${option.short}`],
  );
}
