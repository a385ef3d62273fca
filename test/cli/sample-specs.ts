// A small table of commands that has one of everything, for tests of parsing, help, completion and the man page. Real
// commands change; these do not.

import type { CommandSpec } from "../../src/cli/words/spec.ts";

export const FOLLOW: CommandSpec = {
  name: "follow",
  summary: "follows a leader",
  description: "First paragraph of it.\n\nSecond paragraph.",
  arguments: [{ name: "LEADER", required: true, summary: "host:port" }],
  options: [
    { name: "data", kind: "text", value: "DIR", summary: "the copy", complete: "directory" },
    { name: "once", kind: "flag", summary: "stop when caught up" },
    {
      name: "resync",
      kind: "duration",
      value: "TIME",
      offAllowed: true,
      default: "1h",
      summary: "re-scan this often",
    },
    { name: "window", kind: "integer", value: "N", default: "64", summary: "acks ahead" },
    {
      name: "connections",
      kind: "integer",
      value: "N",
      offAllowed: true,
      default: "1000",
      summary: "a day",
    },
    { name: "limit-rate", kind: "rate", value: "RATE", summary: "bytes a second" },
    { name: "buffer", kind: "size", value: "SIZE", default: "64KiB", summary: "held in memory" },
    {
      name: "sync",
      kind: "choice",
      choices: ["group", "batch", "off"],
      default: "group",
      summary: "when data is made durable",
    },
    { name: "force", short: "f", kind: "flag", summary: "go on", commandLineOnly: true },
    {
      name: "tag",
      short: "t",
      kind: "text",
      value: "WORD",
      summary: "any number of them",
      repeatable: true,
    },
  ],
  examples: [{ command: "armdb follow db:7400 --data x", explains: "begin" }],
  exits: [
    [0, "fine"],
    [12, "leader unreachable"],
  ],
  next: ["armdb look x"],
};

export const LOOK: CommandSpec = {
  name: "look",
  summary: "looks at a directory",
  description: "",
  arguments: [{ name: "DIR", required: true, summary: "a directory", complete: "directory" }],
  options: [
    { name: "slots", kind: "range", value: "A..B", summary: "only these" },
    { name: "report", kind: "text", value: "FILE", summary: "write it there", complete: "file" },
  ],
  examples: [],
  exits: [[0, "fine"]],
  next: [],
};

export const LOOK_SHARD: CommandSpec = {
  ...LOOK,
  name: "look shard",
  summary: "looks at one shard",
  arguments: [
    { name: "DIR", required: true, summary: "a directory", complete: "directory" },
    { name: "SHARD", required: false, summary: "its number" },
  ],
};

export const PAINT: CommandSpec = {
  ...LOOK,
  name: "paint",
  summary: "writes the word's colour: it's simple [really]",
  arguments: [{ name: "COLOR", required: true, summary: "one", choices: ["red", "green"] }],
  options: [],
};

export const SAMPLE_SPECS: readonly CommandSpec[] = [FOLLOW, LOOK, LOOK_SHARD, PAINT];
