// The man page armdb(1) in roff, from the tables of the commands. Used by `armdb man` and the packages; pure.

import { EXIT_STATUS } from "../../errors.ts";
import { usageLine } from "../words/arguments.ts";
import type { CommandSpec, OptionSpec } from "../words/spec.ts";
import { meaningOf, paragraphsOf } from "./help.ts";
import { COMMON_OPTIONS, optionUsage } from "../words/options.ts";

/** The whole page. `version` stands at its foot. */
export function manualPage(specs: readonly CommandSpec[], version: string): string {
  const lines = [
    `.TH ARMDB 1 "" "armdb ${roff(version)}" "User Commands"`,
    ".SH NAME",
    "armdb \\- follow, watch, check, repair and serve armdb databases",
    ".SH SYNOPSIS",
    ...specs.flatMap((spec) => [".br", roff(usageLine(spec))]),
    ".SH DESCRIPTION",
    ...DESCRIPTION.flatMap((paragraph) => [".PP", roff(paragraph)]),
    ".SH COMMON OPTIONS",
    ...COMMON_OPTIONS.flatMap(optionRoff),
    ".SH COMMANDS",
    ...specs.flatMap(commandRoff),
    ".SH EXIT STATUS",
    ...EXITS.flatMap(([status, meaning]) => term(String(status), meaning)),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, meaning]) => term(name, meaning)),
    ".SH FILES",
    ...FILES.flatMap(([name, meaning]) => term(name, meaning)),
  ];
  return `${lines.join("\n")}\n`;
}

const DESCRIPTION = [
  "DIR is a database directory (with db.meta). LEADER is host:port, also [::1]:7400. Sizes are written 64KiB or 10MB, rates are bytes a second; times are written 500ms, 5s, 10m.",
  "Machine output goes to stdout, everything for people (progress, logs, hints, prompts) to stderr.",
] as const;

const EXITS: readonly (readonly [number, string])[] = [
  [0, "Fine."],
  [EXIT_STATUS.unexpected, "Unexpected failure."],
  [EXIT_STATUS.usage, "Usage, or needs --yes."],
  [EXIT_STATUS.damaged, "Damage found, or left after a repair."],
  [EXIT_STATUS.differs, "The replica differs, is behind, diverged or incomplete."],
  [EXIT_STATUS.unknown, "Could not be checked; never reported as fine."],
  [EXIT_STATUS["no-database"], "No database there."],
  [EXIT_STATUS.locked, "Locked by another process."],
  [EXIT_STATUS["leader-unreachable"], "Leader unreachable or lost, where that is not retried."],
  [
    EXIT_STATUS.incompatible,
    "Incompatible: format, backend, protocol, geometry, or not a leader at all.",
  ],
  [EXIT_STATUS["no-space"], "No space."],
  [EXIT_STATUS.storage, "Storage: an I/O error, a failed fsync, read-only, no permission."],
  [129, "Stopped by SIGHUP."],
  [130, "Stopped by SIGINT."],
  [143, "Stopped by SIGTERM."],
];

const ENVIRONMENT = [
  [
    "ARMDB_*",
    "Every option but --help --yes --apply --force --adopt --accept-leader --undo: ARMDB_ and its name in capitals, with _ for -. Flags win over the environment, the environment over the file.",
  ],
  ["NO_COLOR", "No colour, when not empty and --color does not say otherwise."],
] as const;

const FILES = [
  ["/etc/armdb.toml", "Options of the machine: keys are option names, tables are command names."],
  ["$XDG_CONFIG_HOME/armdb/armdb.toml", "Options of the user; they win. Else ~/.config is taken."],
] as const;

function commandRoff(spec: CommandSpec): string[] {
  const lines = [`.SS "armdb ${roff(spec.name)}"`, `${roff(capital(spec.summary))}.`];
  for (const paragraph of paragraphsOf(spec)) lines.push(".PP", roff(paragraph));
  lines.push(".PP", `\\fBUsage:\\fR ${roff(usageLine(spec))}`);
  for (const argument of spec.arguments) lines.push(...term(argument.name, argument.summary));
  lines.push(...spec.options.flatMap(optionRoff));
  lines.push(".PP", "\\fBExamples:\\fR");
  for (const example of spec.examples) lines.push(...term(example.command, example.explains));
  const exits = spec.exits.map(([status, when]) => `${status} ${when}`).join("; ");
  lines.push(".PP", `\\fBExit codes:\\fR ${roff(exits)}.`);
  if (spec.next.length > 0) lines.push(".PP", `\\fBNext:\\fR ${roff(spec.next.join("; "))}.`);
  return lines;
}

function optionRoff(option: OptionSpec): string[] {
  return term(optionUsage(option), meaningOf(option));
}

function term(name: string, meaning: string): string[] {
  return [".TP", `\\fB${roff(name)}\\fR`, roff(meaning)];
}

/** Text in which roff finds nothing to act upon. Hyphens are kept as typed, so that options can be copied. */
function roff(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
