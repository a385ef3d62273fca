// The fish script of `armdb completion fish`: one `complete` line per command, option and argument.

import type { CommandSpec, OptionSpec } from "../words/spec.ts";
import {
  type Completion,
  completedCommands,
  optionWords,
  topLevelNames,
  valueCompletion,
} from "./completion.ts";

/** The whole script, for `armdb completion fish | source` or fish's completions directory. */
export function fishScript(specs: readonly CommandSpec[]): string {
  const commands = completedCommands(specs);
  const lines = [
    "# fish completion for armdb, made by: armdb completion fish",
    helperFunctions(specs),
    "complete -c armdb -f",
  ];
  for (const name of topLevelNames(specs)) {
    const summary = specs.find((spec) => spec.name === name)?.summary ?? "";
    lines.push(`complete -c armdb -n "__armdb_at '' 0" -a ${name} -d ${quote(summary)}`);
  }
  for (const command of commands) {
    const isCommand = `__armdb_is ${quote(command.name)}`;
    for (const option of command.options) lines.push(optionLine(isCommand, option));
    if (command.children.length > 0) {
      const place = `__armdb_at ${quote(command.name)} 0`;
      lines.push(`complete -c armdb -n "${place}" -a "${command.children.join(" ")}"`);
    }
    for (const [index, completion] of command.arguments.entries()) {
      const place = `__armdb_at ${quote(command.name)} ${index}`;
      const words = action(completion);
      if (words !== "") lines.push(`complete -c armdb -n "${place}" ${words}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** `__armdb_is NAME`: the command typed so far; `__armdb_at NAME COUNT`: and so many arguments behind it. */
function helperFunctions(specs: readonly CommandSpec[]): string {
  const valueOptions = new Set(
    completedCommands(specs)
      .flatMap((command) => command.options)
      .filter((option) => option.kind !== "flag")
      .flatMap((option) => optionWords([option])),
  );
  const twoWords = specs.filter((spec) => spec.name.includes(" ")).map((spec) => quote(spec.name));
  return `function __armdb_words
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${[...valueOptions].map(quote).join(" ")}
        set skip 1
      case '-*'
      case '*'
        printf '%s\\n' $word
    end
  end
end
function __armdb_at
  set -l plain (__armdb_words)
  set -l name ''
  set -l used 0
  if test (count $plain) -gt 0
    set name $plain[1]
    set used 1
  end
  if test (count $plain) -gt 1
    if contains -- "$plain[1] $plain[2]" ${twoWords.join(" ")}
      set name "$plain[1] $plain[2]"
      set used 2
    end
  end
  test "$name" = "$argv[1]"; or return 1
  test (count $argv) -lt 2; or test (math (count $plain) - $used) = $argv[2]
end
function __armdb_is
  __armdb_at $argv[1]
end`;
}

function optionLine(condition: string, option: OptionSpec): string {
  const short = option.short === undefined ? "" : ` -s ${option.short}`;
  const completion = valueCompletion(option);
  // -x would forbid the files that -F brings back.
  const needs = completion.kind === "file" ? "-r" : "-x";
  const value = option.kind === "flag" ? "" : ` ${needs} ${action(completion)}`.trimEnd();
  const summary = quote(option.summary);
  return `complete -c armdb -n "${condition}" -l ${option.name}${short}${value} -d ${summary}`;
}

function action(completion: Completion): string {
  switch (completion.kind) {
    case "words":
      return `-a "${completion.words.join(" ")}"`;
    case "directory":
      return '-a "(__fish_complete_directories)"';
    case "file":
      return "-F";
    case "nothing":
      return "";
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
