// `armdb help [COMMAND]`: the overview, or the page of one command.

import { ArmdbError } from "../../errors.ts";
import type { Command } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { escapeText } from "../surface/escape.ts";
import { commandLines, overviewLines } from "../pages/help.ts";
import { nearest } from "../words/nearest.ts";

const spec: CommandSpec = {
  name: "help",
  summary: "this list, or the page of one command",
  description: "The same page comes with -h behind any command.",
  arguments: [
    { name: "COMMAND", required: false, summary: "the command, such as verify or inspect" },
    { name: "WORD", required: false, summary: "its second word: armdb help inspect slot" },
  ],
  options: [],
  examples: [
    { command: "armdb help", explains: "every command" },
    { command: "armdb help inspect slot", explains: "one command, with examples" },
    { command: "armdb help --json | jq '.commands[].name'", explains: "the table behind it all" },
  ],
  exits: [
    [0, "fine"],
    [2, "there is no such command"],
  ],
  next: ["armdb man", "armdb completion bash"],
};

/** The command, over the tables of all commands. */
export function helpCommand(loadSpecs: () => Promise<readonly CommandSpec[]>): Command {
  return {
    spec,
    async run({ args, out, json }) {
      const specs = await loadSpecs();
      const words = [args.argument("COMMAND"), args.argument("WORD")].filter(
        (word) => word !== null,
      );
      const name = words.join(" ");
      const found = specs.find((candidate) => candidate.name === name);
      if (name !== "" && found === undefined) throw unknown(name, specs);
      if (json) {
        out.json({
          schema: 1,
          command: "help",
          commands: found === undefined ? specs : [found],
        });
        return 0;
      }
      const lines = found === undefined ? overviewLines(specs, out) : commandLines(found, out);
      for (const line of lines) out.line(line);
      return 0;
    },
  };
}

function unknown(name: string, specs: readonly CommandSpec[]): ArmdbError {
  const guess = nearest(
    name,
    specs.map((candidate) => candidate.name),
  );
  return new ArmdbError("usage", `There is no command "${escapeText(name)}"`, {
    hint: guess === null ? "armdb help" : `armdb help ${guess}`,
  });
}
