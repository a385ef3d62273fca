// The zsh script of `armdb completion zsh`: a #compdef function over _arguments.

import type { ArgumentSpec, CommandSpec, OptionSpec } from "../words/spec.ts";
import {
  type CompletedCommand,
  type Completion,
  completedCommands,
  topLevelNames,
  valueCompletion,
} from "./completion.ts";
import { optionsOf } from "../words/options.ts";

/** The whole script: sourced, or a file `_armdb` in fpath. */
export function zshScript(specs: readonly CommandSpec[]): string {
  const commands = completedCommands(specs);
  const summaries = topLevelNames(specs).map((name) => {
    const summary = specs.find((spec) => spec.name === name)?.summary ?? "";
    return `    ${quote(`${name}:${summary}`)}`;
  });
  return `#compdef armdb
# zsh completion for armdb, made by: armdb completion zsh
_armdb() {
  local curcontext="$curcontext" state line
  local -a commands
  commands=(
${summaries.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe -t commands command commands
    return
  fi
  local name="$words[2]"
  case "$name $words[3]" in
${childCases(commands)}
  esac
  if [[ $name == *" "* ]]; then shift 2 words; ((CURRENT -= 2)); else shift words; ((CURRENT -= 1)); fi
  case "$name" in
${specs.map((spec) => commandCase(spec, commands)).join("\n")}
  esac
}
if [[ $funcstack[1] == _armdb ]]; then _armdb "$@"; else compdef _armdb armdb; fi
`;
}

/** The second word counts as such only once another one has begun behind it. */
function childCases(commands: readonly CompletedCommand[]): string {
  const lines: string[] = [];
  for (const command of commands) {
    for (const child of command.children) {
      const name = `${command.name} ${child}`;
      lines.push(`    ${quote(name)}) ((CURRENT > 3)) && name=${quote(name)} ;;`);
    }
  }
  return lines.join("\n");
}

function commandCase(spec: CommandSpec, commands: readonly CompletedCommand[]): string {
  const command = commands.find((candidate) => candidate.name === spec.name);
  const lines = optionsOf(spec).map((option) => `        ${optionWord(option)}`);
  for (const [index, argument] of spec.arguments.entries()) {
    const completion = command?.arguments[index] ?? { kind: "nothing" };
    const children = index === 0 ? (command?.children ?? []) : [];
    lines.push(`        ${argumentWord(argument, completion, children)}`);
  }
  return `    ${quote(spec.name)})\n      _arguments -s \\\n${lines.join(" \\\n")}\n      ;;`;
}

function optionWord(option: OptionSpec): string {
  const summary = `[${escapeColons(option.summary.replaceAll("[", "(").replaceAll("]", ")"))}]`;
  const completion = valueCompletion(option);
  const value =
    option.kind === "flag"
      ? ""
      : `:${escapeColons(option.value ?? option.name)}:${action(completion)}`;
  const long = `--${option.name}${option.kind === "flag" ? "" : "="}`;
  const repeats = option.repeatable === true ? "*" : "";
  if (option.short === undefined) return quote(`${repeats}${long}${summary}${value}`);
  const group = option.repeatable === true ? "*" : `(-${option.short} --${option.name})`;
  const words = [`-${option.short}`, long].map((word) =>
    quote(`${group}${word}${summary}${value}`),
  );
  return words.join(" ");
}

function argumentWord(
  argument: ArgumentSpec,
  completion: Completion,
  children: readonly string[],
): string {
  const label = escapeColons(argument.name);
  const colon = argument.required ? ":" : "::";
  if (children.length === 0) return quote(`${colon}${label}:${action(completion)}`);
  const alternatives = [
    `words\\:word\\:(${children.join(" ")})`,
    `places\\:${label}\\:${action(completion)}`,
  ];
  const words = alternatives.map((alternative) => `"${alternative.replaceAll("\\:", ":")}"`);
  return quote(`${colon}${label}:_alternative ${words.join(" ")}`);
}

function action(completion: Completion): string {
  switch (completion.kind) {
    case "words":
      return `(${completion.words.join(" ")})`;
    case "directory":
      return "_files -/";
    case "file":
      return "_files";
    case "nothing":
      return " ";
  }
}

function escapeColons(text: string): string {
  return text.replaceAll(":", "\\:");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
