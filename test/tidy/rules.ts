// The rules of the house as data: bounds, the order of the rooms, and what is over them today. checks.ts holds the tree to
// them. What is listed as still over may only shrink; nothing is added to it.

import type { Tree } from "./source.ts";

/** Holds a tree to a rule: a line for each failure. */
export type Check = (tree: Tree, rules: Rules) => string[];

export interface Rules {
  /** Most lines of a file, by the beginning of its path; the first that fits counts. */
  readonly fileLinesMax: Readonly<Record<string, number>>;
  /** Most lines of a function or of a test's callback, in the same way. */
  readonly functionLinesMax: Readonly<Record<string, number>>;
  /** Most lines of the comment that opens a file. */
  readonly openingLinesMax: number;
  /** Most files that have to be tested alone. */
  readonly aloneFilesMax: number;
  /**
   * The rooms of src in their order, a step each. A file imports from its own room and from steps before it. Rooms of one
   * step are divided by commas and import nothing of each other; a room may be of several names, divided by spaces.
   */
  readonly rooms: readonly string[];
  /** Folders of src that import nothing of one another, whatever their order. */
  readonly apart: readonly (readonly [string, string])[];
  /** What scripts may import of test. */
  readonly testForScripts: readonly string[];
  /** What may stand at the top of the tree. */
  readonly topNames: readonly string[];
  /** Settings below [test] that do nothing there, or that let a test pass which hangs. */
  readonly bunfigTestBanned: readonly string[];
  readonly stillOver: StillOver;
  /** Files or folders of src that nothing there imports yet; empty when the work is handed over. */
  readonly beingBuilt: readonly string[];
}

/** What breaks a rule today, exactly as it is: to be listed anew when it shrinks, and removed when it is within the rule. */
export interface StillOver {
  /** Lines by `file`, or by `file function`. */
  readonly lines: Readonly<Record<string, number>>;
  /** `file > file`: imports against the order of the rooms. */
  readonly imports: readonly string[];
  /** The files of each import circle. */
  readonly circles: readonly (readonly string[])[];
}

const STILL_OVER: StillOver = {
  lines: {
    "test/cli/doctor.test.ts": 391,
  },
  imports: [],
  circles: [["test/support/sim-leader-link.ts", "test/support/sim-leader.ts"]],
};

const BEING_BUILT: readonly string[] = [];

export const RULES: Rules = {
  fileLinesMax: { "src/": 320, "scripts/": 320, "test/": 360 },
  functionLinesMax: { "src/wasm/": 120, "src/": 70, "scripts/": 70, "test/": 60 },
  openingLinesMax: 12,
  aloneFilesMax: 5,
  rooms: [
    "errors limits bytes json shell-words",
    "io",
    "wasm",
    "format",
    "wire",
    "s3",
    "store",
    "link",
    "records",
    "rpc",
    "serve",
    "relay",
    "audit/findings audit/finding-json audit/finding-list audit/stopped audit/task",
    "audit/look",
    "audit/check",
    "audit/leader",
    "audit/scan",
    "audit/compare",
    "audit/verify",
    "audit/inspect",
    "audit/cursor-verify",
    "audit/repair/changes audit/repair/source",
    "audit/repair/plan",
    "audit/repair",
    "replica",
    "history",
    "status",
    "promote",
    "heat",
    "export",
    "console",
    "cli/surface",
    "cli/words",
    "cli/command cli/build",
    "cli/pages",
    "cli/render",
    "cli/doctor",
    "cli/commands",
    "cli",
    "main",
  ],
  apart: [["replica", "audit"]],
  testForScripts: ["test/oracle/", "test/support/oracle.ts"],
  topNames: [
    ".ci",
    ".gitignore",
    ".npmrc",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "bun.lock",
    "bunfig.toml",
    "contrib",
    "docs",
    "package.json",
    "scripts",
    "src",
    "test",
    "tsconfig.json",
  ],
  bunfigTestBanned: ["timeout", "retry", "parallel", "isolate"],
  stillOver: STILL_OVER,
  beingBuilt: BEING_BUILT,
};
