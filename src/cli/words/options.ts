// The options that every command has, and what is true of options in general. Used by the parser, help, completion,
// the man page and `armdb config`. Holds tables only: nothing here reads argv, the environment or a file.

import type { CommandSpec, OptionSpec } from "./spec.ts";

/** Options of every command, in the order in which help shows them (cli.md: Common options). */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  {
    name: "help",
    short: "h",
    kind: "flag",
    summary: "show this help, with examples",
    commandLineOnly: true,
  },
  { name: "json", kind: "flag", summary: "machine-readable output (schema 1)" },
  { name: "quiet", short: "q", kind: "flag", summary: "only warnings and errors on stderr" },
  { name: "verbose", short: "v", kind: "flag", summary: "more on stderr, and stacks of bugs" },
  {
    name: "color",
    kind: "choice",
    value: "WHEN",
    choices: ["auto", "always", "never"],
    default: "auto",
    summary: "colour; auto honours NO_COLOR and TERM=dumb",
  },
  {
    name: "log-format",
    kind: "choice",
    value: "FORMAT",
    choices: ["text", "json"],
    default: "text",
    summary: "lines on stderr for people, or one JSON object each",
  },
  {
    name: "config",
    kind: "text",
    value: "FILE",
    complete: "file",
    summary: "read this file instead of /etc/armdb.toml and ~/.config/armdb/armdb.toml",
  },
  {
    name: "yes",
    short: "y",
    kind: "flag",
    summary: "answer yes to every question",
    commandLineOnly: true,
  },
];

/** Dangerous words that must be typed each time, whatever a command's own table says. */
const COMMAND_LINE_ONLY: ReadonlySet<string> = new Set([
  "help",
  "yes",
  "apply",
  "force",
  "adopt",
  "accept-leader",
  "undo",
]);

/** True when neither the environment nor a file may set the option. */
export function isCommandLineOnly(option: OptionSpec): boolean {
  return option.commandLineOnly === true || COMMAND_LINE_ONLY.has(option.name);
}

/** True when a config file may set the option: `config` cannot name another file. */
export function isAllowedInFile(option: OptionSpec): boolean {
  return !isCommandLineOnly(option) && option.name !== "config";
}

/** `ARMDB_LOG_FORMAT` of `log-format`. */
export function environmentName(option: OptionSpec): string {
  return `ARMDB_${option.name.toUpperCase().replaceAll("-", "_")}`;
}

/** All options of a command: its own, then the common ones it does not redefine. */
export function optionsOf(spec: CommandSpec): readonly OptionSpec[] {
  const own = new Set(spec.options.map((option) => option.name));
  return [...spec.options, ...COMMON_OPTIONS.filter((option) => !own.has(option.name))];
}

/** `-y, --yes`, `--sync group|batch|off`, `--data DIR`: how help and the reference write an option. */
export function optionUsage(option: OptionSpec): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const value =
    option.kind === "flag"
      ? ""
      : ` ${option.value ?? option.choices?.join("|") ?? option.kind.toUpperCase()}`;
  return `${short}--${option.name}${value}`;
}
