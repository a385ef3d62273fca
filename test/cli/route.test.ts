// Which command a line means.

import { describe, expect, test } from "bun:test";
import type { CommandSpec } from "../../src/cli/words/spec.ts";
import type { RegistryEntry } from "../../src/cli/command.ts";
import { route } from "../../src/cli/route.ts";
import { SAMPLE_SPECS } from "./sample-specs.ts";

const VERSION: CommandSpec = { ...(SAMPLE_SPECS[0] as CommandSpec), name: "version" };
const REGISTRY: readonly RegistryEntry[] = [...SAMPLE_SPECS, VERSION].map((spec) => ({
  name: spec.name,
  load: async () => ({ spec, run: async () => 0 }),
}));

async function meaning(line: string): Promise<string> {
  const found = await route(line === "" ? [] : line.split(" "), REGISTRY);
  if (found.kind !== "command") return found.kind;
  return [found.entry.name, ...found.words].join(" | ");
}

describe("route()", () => {
  test.each([
    ["", "nothing"],
    ["--json", "nothing"],
    ["--help", "overview"],
    ["-q -h", "overview"],
    ["--version", "version"],
    ["-V --json", "version | --json"],
    ["follow db:1", "follow | db:1"],
    ["-q --color never follow db:1", "follow | -q | --color | never | db:1"],
    ["follow --help", "follow | --help"],
    ["look dir", "look | dir"],
    ["look shard dir 0", "look shard | dir | 0"],
    ["look --json shard dir", "look shard | --json | dir"],
    ["look --slots 1..2 shard dir", "look shard | --slots | 1..2 | dir"],
    ["look ./shard", "look | ./shard"],
    ["look -- shard", "look | -- | shard"],
    ["look dir shard", "look | dir | shard"],
    ["look", "look"],
  ])("of %p is %p", async (line, expected) => {
    expect(await meaning(line)).toBe(expected);
  });

  test.each([
    ["folow", 'There is no command "folow"', "armdb follow"],
    ["shard", 'There is no command "shard"', "armdb look shard"],
    ["zzzzz", 'There is no command "zzzzz"', "armdb help lists the commands"],
    ["\x1b[2J", 'There is no command "\\x1b[2J"', "armdb help lists the commands"],
    ["--", 'There is no command "--"', "armdb help lists the commands"],
  ])("refuses %j with the nearest command", async (word, message, hint) => {
    await expect(route([word], REGISTRY)).rejects.toMatchObject({
      code: "usage",
      message,
      details: { hint },
    });
  });
});
