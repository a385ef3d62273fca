// Completion, asked of the real shells.

import { describe, expect, test } from "bun:test";
import type { CommandSpec } from "../../src/cli/words/spec.ts";
import { bashScript } from "../../src/cli/pages/completion-bash.ts";
import { fishScript } from "../../src/cli/pages/completion-fish.ts";
import { topLevelNames } from "../../src/cli/pages/completion.ts";
import { zshScript } from "../../src/cli/pages/completion-zsh.ts";
import { loadSpecs } from "../../src/cli/registry.ts";
import { SAMPLE_SPECS } from "./sample-specs.ts";
import { complete, hasShell, type Shell } from "./shells.ts";

const SCRIPTS: Readonly<Record<Shell, (specs: readonly CommandSpec[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
const DIRECTORIES = ["alpha", "beta gamma"];
const COMMON = [
  "--color",
  "--config",
  "--help",
  "--json",
  "--log-format",
  "--quiet",
  "--verbose",
  "--yes",
];

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ["armdb ", ["follow", "look", "paint"]],
  ["armdb fo", ["follow"]],
  ["armdb look ", [...DIRECTORIES, "shard"]],
  ["armdb look sh", ["shard"]],
  ["armdb look shard ", DIRECTORIES],
  ["armdb look shard alpha ", []],
  ["armdb follow --sync ", ["batch", "group", "off"]],
  ["armdb follow --sync g", ["group"]],
  ["armdb follow --s", ["--sync"]],
  ["armdb follow db:1 --data ", DIRECTORIES],
  ["armdb look --report ", [...DIRECTORIES, "file.txt"]],
  ["armdb paint ", ["green", "red"]],
  ["armdb paint red --", COMMON],
  ["armdb follow --color ", ["always", "auto", "never"]],
];

for (const shell of ["bash", "zsh", "fish"] as const) {
  describe.if(hasShell(shell))(shell, () => {
    test.concurrent.each(CASES.map(([line, words]) => ({ line, words })))(
      'completes "$line"',
      async ({ line, words }) => {
        expect(await complete(shell, SCRIPTS[shell](SAMPLE_SPECS), line)).toEqual(
          [...words].sort(),
        );
      },
    );

    test("completes the value after an equals sign", async () => {
      const words = await complete(shell, SCRIPTS[shell](SAMPLE_SPECS), "armdb follow --sync=b");
      expect(words.map((word) => word.replace("--sync=", ""))).toEqual(["batch"]);
    });

    test("takes the script of all real commands", async () => {
      const specs = await loadSpecs();
      const script = SCRIPTS[shell](specs);
      expect(await complete(shell, script, "armdb ")).toEqual(topLevelNames(specs).sort());
    });
  });
}

test("scripts hold no word that a shell would act upon", () => {
  const hostile: CommandSpec = {
    ...(SAMPLE_SPECS[0] as CommandSpec),
    summary: "a `touch x` $(touch y) 'z' \"w\" \\ %s [b]",
  };
  // bash holds no summaries; the others quote them.
  expect(bashScript([hostile])).not.toContain("touch");
  expect(zshScript([hostile])).toContain("'follow:a `touch x` $(touch y) '\\''z'\\'' \"w\"");
  expect(fishScript([hostile])).toContain("'a `touch x` $(touch y) \\'z\\'");
});
