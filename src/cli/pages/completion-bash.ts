// The bash script of `armdb completion bash`. Needs nothing but bash 4: no bash-completion package.

import type { CommandSpec } from "../words/spec.ts";
import {
  type CompletedCommand,
  type Completion,
  completedCommands,
  optionWords,
  topLevelNames,
  valueCompletion,
} from "./completion.ts";
import { COMMON_OPTIONS } from "../words/options.ts";

/** The whole script, ready for `eval` or a file in bash-completion's directory. */
export function bashScript(specs: readonly CommandSpec[]): string {
  const commands = completedCommands(specs);
  return `# bash completion for armdb, made by: armdb completion bash
_armdb() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" command="" word index start=0 skip=0
  ((COMP_CWORD > 0)) && previous="\${COMP_WORDS[COMP_CWORD-1]}"
  # "--name=value" is cut at the equals sign by bash.
  if [[ $current == "=" ]]; then current=""; elif [[ $previous == "=" ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  local -a plain=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if ((skip)); then skip=0; continue; fi
    case "$word" in
      ${valueOptionPattern(commands)}) skip=1 ;;
      -* | "=") ;;
      *) plain+=("$word") ;;
    esac
  done
  COMPREPLY=()
  command="\${plain[0]-}"
  case "$command \${plain[1]-}" in
${childCases(commands)}
  esac
  case "$command" in
    *" "*) start=2 ;;
    "") start=0 ;;
    *) start=1 ;;
  esac
  if ((start == 0)); then
    if [[ $current == -* ]]; then _armdb_words "${optionWords(COMMON_OPTIONS).join(" ")} --version"
    else _armdb_words "${topLevelNames(specs).join(" ")}"; fi
    return
  fi
  case "$command:$previous" in
${valueCases(commands)}
  esac
  if [[ $current == -* ]]; then
    case "$command" in
${commands.map((command) => `      ${quote(command.name)}) _armdb_words "${optionWords(command.options).join(" ")}" ;;`).join("\n")}
    esac
    return
  fi
  case "$command:$((\${#plain[@]} - start))" in
${argumentCases(commands)}
  esac
}
_armdb_words() { mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$1" -- "$current"); }
_armdb_directory() { compopt -o filenames 2>/dev/null; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current"); }
_armdb_file() { compopt -o filenames 2>/dev/null; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current"); }
complete -F _armdb armdb
`;
}

function quote(text: string): string {
  return `"${text}"`;
}

/** Options whose next word is a value and so no argument. */
function valueOptionPattern(commands: readonly CompletedCommand[]): string {
  const options = commands.flatMap((command) => command.options);
  const words = options
    .filter((option) => option.kind !== "flag")
    .flatMap((option) => optionWords([option]));
  return [...new Set(words)].join(" | ");
}

function childCases(commands: readonly CompletedCommand[]): string {
  return commands
    .flatMap((command) =>
      command.children.map((child) => {
        const name = quote(`${command.name} ${child}`);
        return `    ${name}) command=${name} ;;`;
      }),
    )
    .join("\n");
}

function valueCases(commands: readonly CompletedCommand[]): string {
  const lines: string[] = [];
  for (const command of commands) {
    for (const option of command.options.filter((candidate) => candidate.kind !== "flag")) {
      const patterns = optionWords([option]).map((word) => quote(`${command.name}:${word}`));
      lines.push(`    ${patterns.join(" | ")}) ${action(valueCompletion(option))}; return ;;`);
    }
  }
  return lines.join("\n");
}

function argumentCases(commands: readonly CompletedCommand[]): string {
  const lines: string[] = [];
  for (const command of commands) {
    for (const [index, completion] of command.arguments.entries()) {
      const children = index === 0 && command.children.length > 0 ? command.children : [];
      const words = children.length > 0 ? `_armdb_words "${children.join(" ")}"; ` : "";
      lines.push(`    ${quote(`${command.name}:${index}`)}) ${words}${action(completion)} ;;`);
    }
  }
  return lines.join("\n");
}

function action(completion: Completion): string {
  switch (completion.kind) {
    case "words":
      return `_armdb_words "${completion.words.join(" ")}"`;
    case "directory":
      return "_armdb_directory";
    case "file":
      return "_armdb_file";
    case "nothing":
      return ":";
  }
}
