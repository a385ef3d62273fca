// `armdb man`: prints armdb(1), for a package or for `armdb man | man -l -`.

import { buildFacts } from "../build.ts";
import type { Command } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { manualPage } from "../pages/manual.ts";

const spec: CommandSpec = {
  name: "man",
  summary: "the manual page armdb(1), in roff",
  description: "It is made from the same tables as the help, so that the two cannot differ.",
  arguments: [],
  options: [],
  examples: [
    { command: "armdb man | man -l -", explains: "read it" },
    {
      command: "armdb man | install -D -m 644 /dev/stdin /usr/local/share/man/man1/armdb.1",
      explains: "install it",
    },
    { command: "armdb man --json | jq -r .page", explains: "the same in an object" },
  ],
  exits: [[0, "always"]],
  next: ["armdb help"],
};

/** The command, over the tables of all commands. */
export function manCommand(loadSpecs: () => Promise<readonly CommandSpec[]>): Command {
  return {
    spec,
    async run({ out, json }) {
      const page = manualPage(await loadSpecs(), buildFacts().version);
      if (json) out.json({ schema: 1, command: "man", page });
      else out.line(page.trimEnd());
      return 0;
    },
  };
}
