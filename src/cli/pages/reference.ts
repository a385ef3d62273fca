// The reference section of the README, in Markdown, from the tables of the commands. Used by a script; pure.

import { usageLine } from "../words/arguments.ts";
import type { CommandSpec, OptionSpec } from "../words/spec.ts";
import { meaningOf, paragraphsOf } from "./help.ts";
import {
  COMMON_OPTIONS,
  environmentName,
  isCommandLineOnly,
  optionUsage,
} from "../words/options.ts";

/** All commands, each with usage, options, exit codes and examples. Headings begin at `level`. */
export function referenceMarkdown(specs: readonly CommandSpec[], level = 3): string {
  const parts = specs.map((spec) => commandMarkdown(spec, level));
  return [commonMarkdown(level), ...parts].join("\n");
}

function commonMarkdown(level: number): string {
  return [
    `${"#".repeat(level)} Options of every command`,
    "",
    ...optionTable(COMMON_OPTIONS),
    "",
  ].join("\n");
}

function commandMarkdown(spec: CommandSpec, level: number): string {
  const lines = [`${"#".repeat(level)} armdb ${spec.name}`, "", `${capital(spec.summary)}.`, ""];
  for (const paragraph of paragraphsOf(spec)) lines.push(escapeMarkdown(paragraph), "");
  lines.push("```console", usageLine(spec), "```", "");
  for (const argument of spec.arguments) {
    lines.push(`- \`${argument.name}\`: ${escapeMarkdown(argument.summary)}`);
  }
  if (spec.arguments.length > 0) lines.push("");
  if (spec.options.length > 0) lines.push(...optionTable(spec.options), "");
  const width = Math.max(...spec.examples.map((example) => example.command.length), 0);
  lines.push("```sh");
  for (const example of spec.examples) {
    lines.push(`${example.command.padEnd(width)}  # ${example.explains}`);
  }
  lines.push("```", "");
  const exits = spec.exits.map(([status, when]) => `${status} ${when}`).join(" · ");
  lines.push(`Exit codes: ${escapeMarkdown(exits)}.`, "");
  return lines.join("\n");
}

function optionTable(options: readonly OptionSpec[]): string[] {
  const rows = options.map((option) => {
    const variable = isCommandLineOnly(option) ? "" : `\`${environmentName(option)}\``;
    return `| \`${cell(optionUsage(option))}\` | ${cell(escapeMarkdown(meaningOf(option)))} | ${variable} |`;
  });
  return ["| option | meaning | environment |", "| --- | --- | --- |", ...rows];
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function escapeMarkdown(text: string): string {
  return text.replace(/[<>*_[\]]/g, "\\$&");
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
