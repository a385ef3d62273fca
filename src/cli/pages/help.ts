// Help for people, made from the tables of the commands: one screen, examples first. Pure: returns lines.

import type { Palette } from "../surface/surface.ts";
import type { CommandSpec } from "../words/spec.ts";
import { usageLine } from "../words/arguments.ts";
import { COMMON_OPTIONS, optionUsage } from "../words/options.ts";
import { definitionLines, wrapText } from "../surface/tables.ts";

/** Help is set in at most this many columns: longer lines are hard to read. */
const COLUMNS_MAX = 110;

/** How help is set. */
export interface HelpStyle {
  readonly columns: number;
  readonly palette: Palette;
}

/** The first page: what armdb is, how to begin, every command. */
export function overviewLines(specs: readonly CommandSpec[], style: HelpStyle): string[] {
  const { palette } = style;
  const columns = Math.min(style.columns, COLUMNS_MAX);
  const commands = specs.map((spec) => [spec.name, spec.summary] as const);
  return [
    `${palette.bold("armdb")}: follow, watch, check, repair and serve armdb databases`,
    "",
    ...exampleLines(
      [
        {
          command: "armdb doctor db.example:7400",
          explains: "would a follower work here?",
        },
        {
          command: "armdb replicate db.example:7400 --data /srv/db",
          explains: "follow a leader",
        },
        { command: "armdb status /srv/db --json | jq .verdict", explains: "is the copy safe?" },
        { command: "armdb verify /srv/db", explains: "check every byte" },
      ],
      columns,
      palette,
    ),
    "",
    palette.bold("Commands"),
    ...definitionLines(commands, columns),
    "",
    ...commonLines(columns, palette),
    "",
    ...wrapText(
      "armdb help COMMAND: examples, options and exit codes. armdb config: what holds and where it was set. armdb man: all of it.",
      columns,
    ),
  ];
}

/** The page of one command. */
export function commandLines(spec: CommandSpec, style: HelpStyle): string[] {
  const { palette } = style;
  const columns = Math.min(style.columns, COLUMNS_MAX);
  const lines = [
    ...wrapText(`${palette.bold(`armdb ${spec.name}`)}: ${spec.summary}`, columns),
    "",
    ...exampleLines(spec.examples, columns, palette),
    "",
    `${palette.bold("Usage")}  ${usageLine(spec)}`,
  ];
  const terms = spec.arguments.map((argument) => [argument.name, argument.summary] as const);
  lines.push(...definitionLines(terms, columns));
  for (const paragraph of paragraphsOf(spec)) lines.push("", ...wrapText(paragraph, columns));
  if (spec.options.length > 0) {
    const options = spec.options.map((option) => [optionUsage(option), meaningOf(option)] as const);
    lines.push("", palette.bold("Options"), ...definitionLines(options, columns));
  }
  lines.push("", ...commonLines(columns, palette));
  lines.push(...labelled("Exit codes", exitText(spec), columns, palette));
  if (spec.next.length > 0) {
    lines.push(...labelled("Next", spec.next.join(" · "), columns, palette));
  }
  return lines;
}

/** Paragraphs of a description, which are set apart by an empty line. */
export function paragraphsOf(spec: CommandSpec): string[] {
  return spec.description
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "");
}

/** The summary of an option with its choices (unless the usage shows them) and its default. */
export function meaningOf(option: CommandSpec["options"][number]): string {
  const choices =
    option.choices !== undefined && option.value !== undefined
      ? `: ${option.choices.join(", ")}`
      : "";
  const preset = option.default === undefined ? "" : ` (default ${option.default})`;
  return `${option.summary}${choices}${preset}`;
}

function exampleLines(
  examples: CommandSpec["examples"],
  columns: number,
  palette: Palette,
): string[] {
  const entries = examples.map(
    (example) => [palette.cyan(example.command), example.explains] as const,
  );
  return definitionLines(entries, columns, Math.max(30, Math.floor(columns * 0.62)));
}

function commonLines(columns: number, palette: Palette): string[] {
  const options = COMMON_OPTIONS.map(optionUsage).join(" · ");
  return labelled("Common", options, columns, palette);
}

function exitText(spec: CommandSpec): string {
  return spec.exits.map(([status, when]) => `${status} ${when}`).join(" · ");
}

/** A bold word and wrapped text behind it. */
function labelled(label: string, text: string, columns: number, palette: Palette): string[] {
  const indent = " ".repeat(2 + 10);
  const wrapped = wrapText(text, columns, indent);
  const first = (wrapped[0] ?? "").trimStart();
  return [`${palette.bold(label.padEnd(indent.length - 2))}  ${first}`, ...wrapped.slice(1)];
}
