// `armdb config [COMMAND]`: every option, the value that holds and where it came from. Values that are not accepted are
// the same usage errors as when the command runs. Reads the files that a run would read and nothing else.

import { ArmdbError } from "../../errors.ts";
import type { Command, Context } from "../command.ts";
import type { CommandSpec, OptionSpec } from "../words/spec.ts";
import { configPaths } from "../words/config-file.ts";
import { escapeText } from "../surface/escape.ts";
import { nearest } from "../words/nearest.ts";
import { COMMON_OPTIONS, environmentName } from "../words/options.ts";
import {
  describeSource,
  type ResolvedOption,
  resolveOptions,
  type Surroundings,
  unknownVariables,
} from "../words/precedence.ts";
import { tableLines } from "../surface/tables.ts";

type ConfigContext = Pick<Context, "args" | "out">;

const spec: CommandSpec = {
  name: "config",
  summary: "every option: the value that holds and where it came from",
  description:
    "Flags win over ARMDB_ variables, those over a TOML file: --config FILE alone, or else the user's, $XDG_CONFIG_HOME/armdb/armdb.toml (by default below ~/.config), and /etc/armdb.toml; the user's wins. Keys of a file are option names; a table with a command's name holds for that command alone and wins.",
  arguments: [
    { name: "COMMAND", required: false, summary: "only this command, such as replicate" },
    { name: "WORD", required: false, summary: "its second word: armdb config inspect slot" },
  ],
  options: [],
  examples: [
    { command: "armdb config replicate", explains: "what a follower would run with" },
    {
      command: "armdb config --json | jq '.options[] | select(.from != \"default\")'",
      explains: "only what was set",
    },
    { command: "ARMDB_SYNC=batch armdb config replicate", explains: "try a variable" },
  ],
  exits: [
    [0, "fine"],
    [2, "a value or a file is not accepted"],
  ],
  next: ["armdb help replicate"],
};

interface Row {
  readonly command: string;
  readonly resolved: ResolvedOption;
}

/** The command, over the tables of all commands. */
export function configCommand(loadSpecs: () => Promise<readonly CommandSpec[]>): Command {
  return {
    spec,
    async run(context) {
      const { args, env, out, messages } = context;
      const specs = await loadSpecs();
      const around = context.around ?? { env, files: [] };
      const paths = configPaths(args.text("config"), env);
      const rows = rowsOf(chosenSpecs(context, specs), around);
      const unknown = unknownVariables(env, specs);
      if (context.json) {
        out.json(document(rows, paths, around, unknown));
        return 0;
      }
      show(context, rows, paths, around);
      for (const name of unknown) {
        messages.warn(`${escapeText(name)} is set, but no option has that name`);
      }
      return 0;
    },
  };
}

function chosenSpecs(
  { args }: ConfigContext,
  specs: readonly CommandSpec[],
): readonly CommandSpec[] {
  const words = [args.argument("COMMAND"), args.argument("WORD")].filter((word) => word !== null);
  if (words.length === 0) return specs;
  const name = words.join(" ");
  const found = specs.find((candidate) => candidate.name === name);
  if (found !== undefined) return [found];
  const guess = nearest(
    name,
    specs.map((candidate) => candidate.name),
  );
  throw new ArmdbError("usage", `There is no command "${escapeText(name)}"`, {
    hint: guess === null ? "armdb help" : `armdb config ${guess}`,
  });
}

/** Common options once, then each command's own. */
function rowsOf(specs: readonly CommandSpec[], around: Surroundings): Row[] {
  const isCommon = (option: OptionSpec) => COMMON_OPTIONS.includes(option);
  const first = specs[0];
  if (first === undefined) return [];
  const common = resolveOptions(first, [], around)
    .filter(({ option }) => isCommon(option) && option.name !== "help")
    .map((resolved) => ({ command: "", resolved }));
  const own = specs.flatMap((candidate) =>
    resolveOptions(candidate, [], around)
      .filter(({ option }) => !isCommon(option))
      .map((resolved) => ({ command: candidate.name, resolved })),
  );
  return [...common, ...own];
}

function valueText({ option, texts }: ResolvedOption): string {
  if (texts.length > 0) return texts.join(", ");
  return option.kind === "flag" ? "false" : "";
}

function show(
  { out }: ConfigContext,
  rows: readonly Row[],
  paths: readonly string[],
  { files }: Surroundings,
): void {
  for (const path of paths) {
    const isRead = files.some((file) => file.path === path);
    out.line(`${isRead ? "read    " : "absent  "}${escapeText(path)}`);
  }
  out.line("");
  const table = [
    { title: "COMMAND" },
    { title: "OPTION" },
    { title: "VALUE", shrinks: true },
    { title: "FROM", shrinks: true },
  ];
  const cells = rows.map(({ command, resolved }) => [
    command === "" ? "(all)" : command,
    `--${resolved.option.name}`,
    escapeText(valueText(resolved)) || "-",
    escapeText(describeSource(resolved.source)),
  ]);
  for (const line of tableLines(table, cells, out.columns, out.palette.bold)) out.line(line);
}

function document(
  rows: readonly Row[],
  paths: readonly string[],
  { files }: Surroundings,
  unknown: readonly string[],
): unknown {
  return {
    schema: 1,
    command: "config",
    files: paths.map((path) => ({ path, read: files.some((file) => file.path === path) })),
    options: rows.map(({ command, resolved }) => ({
      command: command === "" ? null : command,
      option: resolved.option.name,
      environment: environmentName(resolved.option),
      value: resolved.texts.length === 0 ? null : valueText(resolved),
      from: resolved.source.kind,
      ...(resolved.source.kind === "file" ? { path: resolved.source.path } : {}),
    })),
    unknownVariables: unknown,
  };
}
