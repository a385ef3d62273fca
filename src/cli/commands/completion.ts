// `armdb completion SHELL`: prints the shell's script. Completing itself never runs armdb.

import { assert } from "../../errors.ts";
import type { Command } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { bashScript } from "../pages/completion-bash.ts";
import { fishScript } from "../pages/completion-fish.ts";
import { zshScript } from "../pages/completion-zsh.ts";

const SCRIPTS: Readonly<Record<string, (specs: readonly CommandSpec[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const spec: CommandSpec = {
  name: "completion",
  summary: "a script that completes commands, options and directories",
  description: "Write it where your shell looks, or load it in the shell's start file.",
  arguments: [
    { name: "SHELL", required: true, summary: "your shell", choices: Object.keys(SCRIPTS) },
  ],
  options: [],
  examples: [
    { command: 'eval "$(armdb completion bash)"', explains: "now, or in ~/.bashrc" },
    {
      command: "armdb completion zsh > ~/.zfunc/_armdb",
      explains: "zsh, with ~/.zfunc in fpath",
    },
    {
      command: "armdb completion fish > ~/.config/fish/completions/armdb.fish",
      explains: "fish",
    },
    {
      command: "armdb completion bash --json | jq -r .script",
      explains: "the same in an object",
    },
  ],
  exits: [
    [0, "fine"],
    [2, "no such shell"],
  ],
  next: ["armdb man"],
};

/** The command, over the tables of all commands. */
export function completionCommand(loadSpecs: () => Promise<readonly CommandSpec[]>): Command {
  return {
    spec,
    async run({ args, out, json }) {
      const shell = args.argument("SHELL") ?? "";
      const write = SCRIPTS[shell];
      assert(write !== undefined, `no script for ${shell}`);
      const script = write(await loadSpecs());
      if (json) out.json({ schema: 1, command: "completion", shell, script });
      else out.line(script.trimEnd());
      return 0;
    },
  };
}
