// Each rule, broken once in a small tree: it fails alone, and names the file.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TempRoot } from "../support/temp.ts";
import { CHECKS } from "./checks.ts";
import { RULES, type Rules } from "./rules.ts";
import { readTree } from "./source.ts";

type Files = Readonly<Record<string, string>>;

const temp = new TempRoot("tidy");
afterAll(() => temp[Symbol.dispose]());

const text = (...lines: string[]): string => `${lines.join("\n")}\n`;
const times = (count: number, line: string): string[] => Array<string>(count).fill(line);

const MAIN = text(
  "// The program.",
  "",
  'import { Clock } from "./io/clock.ts";',
  'import type { Fault } from "./errors.ts";',
  "const fault: Fault = new Clock().read();",
);
const CLOCK = text(
  "// The clock.",
  "",
  'import type { Fault } from "../errors.ts";',
  "export class Clock {",
  "  read(): Fault {",
  "    return HOUR;",
  "  }",
  "}",
  "export const HOUR = 3600;",
);
/** A tree that breaks no rule. What `describe` holds is no function, and what the tree ignores is not there. */
const CLEAN: Files = {
  ".gitignore": "/notes/\n",
  "notes/mine.txt": "",
  "bunfig.toml": text("[install]", "exact = true"),
  "scripts/build": text("#!/bin/sh", "# Builds.", "exec bun scripts/build.ts"),
  "scripts/build.ts": text("// Builds.", "", 'const ENTRIES = ["src/main.ts"];'),
  "src/main.ts": MAIN,
  "src/errors.ts": text("// Faults.", "", "export type Fault = number;"),
  "src/io/clock.ts": CLOCK,
  "test/io/clock.test.ts": text(
    'import { HOUR } from "../../src/io/clock.ts";',
    'describe("a clock", () => {',
    ...times(70, '  test("has hours", () => {});'),
    "});",
  ),
};

const CLEAN_RULES: Rules = {
  ...RULES,
  stillOver: { lines: {}, imports: [], circles: [] },
  beingBuilt: [],
};

/** What all rules say of the clean tree with these files changed. */
function failuresOf(files: Files, rules: Partial<Rules> = {}): string[] {
  const root = temp.fresh("tree");
  for (const [path, content] of Object.entries({ ...CLEAN, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  Bun.spawnSync(["git", "init", "--quiet"], { cwd: root });
  const tree = readTree(root);
  return Object.values(CHECKS).flatMap((check) => check(tree, { ...CLEAN_RULES, ...rules }));
}

const longFunction = (lines: number) =>
  text("function long() {", ...times(lines - 2, "  now();"), "}");
const listed = (still: Partial<Rules["stillOver"]>): Partial<Rules> => ({
  stillOver: { ...CLEAN_RULES.stillOver, ...still },
});

/** A broken tree: what it is, the files that break it, and what is said. */
type Case = readonly [what: string, files: Files, failures: readonly string[]];

const BROKEN: readonly Case[] = [
  [
    "long files",
    {
      "src/main.ts": MAIN + text(...times(316, "")),
      "scripts/build": text("#!/bin/sh", "# Builds.", ...times(319, ":")),
      "test/a.test.ts": text(...times(361, "")),
    },
    [
      "scripts/build has 321 lines, 320 allowed",
      "src/main.ts has 321 lines, 320 allowed",
      "test/a.test.ts has 361 lines, 360 allowed",
    ],
  ],
  [
    "long functions",
    {
      "src/main.ts": MAIN + longFunction(71),
      "scripts/build.ts": CLEAN["scripts/build.ts"] + longFunction(71),
      "test/a.test.ts": text('test("waits", () => {', ...times(59, ""), "});"),
    },
    [
      "scripts/build.ts:4 long has 71 lines, 70 allowed",
      "src/main.ts:6 long has 71 lines, 70 allowed",
      "test/a.test.ts:1 waits has 61 lines, 60 allowed",
    ],
  ],
  [
    "an import of a room behind",
    { "src/io/clock.ts": CLOCK + 'import type { A } from "../main.ts";\n' },
    [
      "src/io/clock.ts:10 imports src/main.ts: io may not import main",
      "src/io/clock.ts:10 is in a circle of 2 files, 0 allowed: src/io/clock.ts > src/main.ts > src/io/clock.ts",
    ],
  ],
  [
    "an import between rooms of one step",
    {
      "src/main.ts": `${MAIN}import "./audit/look.ts";\nimport "./replica/follow.ts";\n`,
      "src/audit/look.ts": text("// Looks.", "", 'import "../replica/follow.ts";'),
      "src/replica/follow.ts": text("// Follows."),
    },
    ["src/audit/look.ts:3 imports src/replica/follow.ts: audit/look may not import replica"],
  ],
  [
    "a file in no room",
    {
      "src/main.ts": `${MAIN}import "./lost/place.ts";\n`,
      "src/lost/place.ts": text("// A place."),
    },
    ["src/lost/place.ts:1 is in no room"],
  ],
  [
    "a circle of types",
    {
      "test/a.ts": text('import type { B } from "./b.ts";'),
      "test/b.ts": text('export type { C } from "./c.ts";'),
      "test/c.ts": text('const late = await import("./a.ts");'),
    },
    [
      "test/a.ts:1 is in a circle of 3 files, 0 allowed: test/a.ts > test/b.ts > test/c.ts > test/a.ts",
    ],
  ],
  [
    "a circle over a path that is run",
    {
      "scripts/a.ts": text("// Runs b.", "", 'new Worker(new URL("./b.ts", import.meta.url));'),
      "scripts/b.ts": text("// Needs a.", "", 'import "./a.ts";'),
    },
    [
      "scripts/a.ts:3 is in a circle of 2 files, 0 allowed: scripts/a.ts > scripts/b.ts > scripts/a.ts",
    ],
  ],
  [
    "a file that nothing reaches",
    { "src/io/old.ts": text("// Old.") },
    ["src/io/old.ts:1 is reached from no entry of the build and from no script"],
  ],
  [
    "an export that nobody imports",
    { "src/io/clock.ts": `${CLOCK}export function now() {}\n` },
    ["src/io/clock.ts:10 exports now, which no other file imports"],
  ],
  [
    "an export that only a test imports",
    {
      "src/io/clock.ts": `${CLOCK}export const DAY = 1;\n`,
      "test/a.test.ts": text('import { DAY, type Clock } from "../src/io/clock.ts";'),
    },
    ["src/io/clock.ts:10 exports DAY, which only tests use"],
  ],
  [
    "src that needs test and scripts",
    {
      "src/main.ts": text("// Main.", "", 'import "../test/io/clock.test.ts";', MAIN),
      "src/errors.ts": text("// Faults.", "", 'import "../scripts/build.ts";'),
    },
    [
      "src/errors.ts:3 imports scripts/build.ts, which src/ may not",
      "src/main.ts:3 imports test/io/clock.test.ts, which src/ may not",
    ],
  ],
  [
    "scripts that need tests",
    {
      "scripts/a.ts": text(
        "// Needs a test.",
        "",
        'import "../test/io/clock.test.ts";',
        'import "../test/support/oracle.ts";',
      ),
      "test/support/oracle.ts": "",
    },
    ["scripts/a.ts:3 imports test/io/clock.test.ts, which scripts/ may not"],
  ],
  [
    "files that open with nothing, with too much, or with what is not theirs",
    {
      "src/main.ts": MAIN.replace("// The program.\n\n", ""),
      "src/errors.ts": text(...times(13, "// Faults.")),
      "src/io/clock.ts": CLOCK.replace("// The clock.\n\n", "// Needed for its type.\n"),
      "scripts/build": text("#!/bin/sh", "exec bun scripts/build.ts"),
    },
    [
      "scripts/build:1 opens with a comment of 0 lines, 1 to 12 allowed",
      "src/errors.ts:1 opens with a comment of 13 lines, 1 to 12 allowed",
      "src/io/clock.ts:1 opens with a comment of 0 lines, 1 to 12 allowed",
      "src/main.ts:1 opens with a comment of 0 lines, 1 to 12 allowed",
    ],
  ],
  [
    "index.ts",
    { "test/support/index.ts": "" },
    ["test/support/index.ts has a name that says nothing: no index.ts"],
  ],
  [
    "comments that need another place",
    {
      "src/errors.ts": text("// Faults, as #12 has them."),
      "test/a.test.ts": text("const a = 1; // See the issue.", "/** In /home/me/a, once. */"),
      "scripts/build": text("#!/bin/sh", "# Builds.", "exit 0 # for issue 7"),
    },
    [
      "scripts/build:3 names an issue: # for issue 7",
      "src/errors.ts:1 names an issue: // Faults, as #12 has them.",
      "test/a.test.ts:1 names an issue: // See the issue.",
      "test/a.test.ts:2 names a path of one machine: /** In /home/me/a, once. */",
    ],
  ],
  [
    "a name at the top",
    { "nohup.out": "" },
    [`nohup.out is not one of the ${RULES.topNames.length} names at the top`],
  ],
  [
    "tests that all need quiet",
    Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`test/${n}.alone.test.ts`, ""])),
    [1, 2, 3, 4, 5, 6].map((n) => `test/${n}.alone.test.ts is one of 6 alone, 5 allowed`),
  ],
  [
    "settings without effect",
    { "bunfig.toml": text("[test]", "timeout = 1", "retry = 1", "coverage = true") },
    [
      "bunfig.toml:2 sets timeout below [test], which scripts/test alone may give",
      "bunfig.toml:3 sets retry below [test], which scripts/test alone may give",
    ],
  ],
];

describe("a rule", () => {
  test("is broken by nothing in a clean tree", () => {
    expect(failuresOf({})).toEqual([]);
  });

  test.each(BROKEN)("is broken by %s", (_, files, failures) => {
    expect(failuresOf(files)).toEqual([...failures]);
  });
});

describe("what is still over", () => {
  const long = { "src/main.ts": MAIN + text(...times(317, "")) };

  test("stays as it is", () => {
    expect(failuresOf(long, listed({ lines: { "src/main.ts": 322 } }))).toEqual([]);
  });

  test("does not grow", () => {
    const failures = ["src/main.ts has 322 lines, 321 allowed"];
    expect(failuresOf(long, listed({ lines: { "src/main.ts": 321 } }))).toEqual(failures);
  });

  test("is listed anew when it has shrunk, and no more when it is within", () => {
    const shrunk = failuresOf(long, listed({ lines: { "src/main.ts": 323 } }));
    expect(shrunk).toEqual(["src/main.ts has 322 lines, 323 listed: list 322"]);
    const within = failuresOf({}, listed({ lines: { "src/main.ts": 322, "src/main.ts run": 80 } }));
    expect(within).toEqual([
      "src/main.ts is within the bound: remove its line",
      "src/main.ts run is within the bound: remove its line",
    ]);
  });

  test("is an import, for as long as it is there", () => {
    const files = {
      "src/audit/look.ts": text("// Looks.", "", 'import "../replica/follow.ts";'),
      "src/main.ts": `${MAIN}import "./audit/look.ts";\n`,
      "src/replica/follow.ts": text("// Follows."),
    };
    const still = listed({ imports: ["src/audit/look.ts > src/replica/follow.ts"] });
    expect(failuresOf(files, still)).toEqual([]);
    expect(failuresOf({}, still)).toEqual([
      "src/audit/look.ts > src/replica/follow.ts is within the order: remove its line",
    ]);
  });

  test("is a circle, for as long as it has all its files", () => {
    const files = {
      "test/a.ts": text('import "./b.ts";'),
      "test/b.ts": text('import "./a.ts";'),
    };
    const circles = (...names: string[]) =>
      listed({ circles: [names.map((name) => `test/${name}.ts`)] });
    expect(failuresOf(files, circles("a", "b"))).toEqual([]);
    expect(failuresOf(files, circles("a", "b", "c"))).toEqual([
      "a circle of 3 files has 2: list test/a.ts test/b.ts",
    ]);
    expect(failuresOf({}, circles("a", "b"))).toEqual([
      "test/a.ts test/b.ts are no circle: remove their line",
    ]);
  });
});

describe("what is being built", () => {
  const files = {
    "src/relay/machine.ts": text("// A machine.", "", "export function turn() {}"),
    "test/a.test.ts": text('import { turn } from "../src/relay/machine.ts";'),
  };

  test("needs no user but its tests", () => {
    expect(failuresOf(files, { beingBuilt: ["src/relay"] })).toEqual([]);
    expect(failuresOf(files, { beingBuilt: ["src/relay/machine.ts"] })).toEqual([]);
  });

  test("is listed no more when it is used", () => {
    const used = {
      ...files,
      "src/main.ts": `${MAIN}import { turn } from "./relay/machine.ts";\n`,
    };
    expect(failuresOf(used, { beingBuilt: ["src/relay"] })).toEqual([
      "src/relay is not being built any more: remove its line",
    ]);
  });
});
