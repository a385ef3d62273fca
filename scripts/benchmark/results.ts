// What a group of rows came to, kept in bench-results/ from run to run, so that one group can be measured again without the
// others; and how the README is written from what is kept.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import type { Row } from "./figures.ts";

export interface Measured {
  readonly rows: readonly Row[];
  /** Where they are not those that were asked for. */
  readonly rounds?: number;
}

interface Kept extends Measured {
  readonly rounds: number;
  readonly commit: string;
  readonly processor: string;
}

const FOLDER = "bench-results";

const NAMES_NOTE =
  "`crate` is its own follower, `null` the null follower; `ours` is `--sync off` unless it says more; `again` is a second run over a complete copy. Of live rows `off` and `group` are what `--sync` was, and the leader has its files in memory (Linux). `never`: in a round the watched record was not seen to change in that follower's file. Of verify `rust` is one Rust thread with the same checks, `one` and `two` are our workers, `cold` is with files that are not cached, `cold read` a plain read of them.";

export function keep(group: string, rounds: number, measured: Measured): void {
  const commit = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"]).stdout.toString().trim();
  const kept: Kept = { rounds, ...measured, commit, processor: processor() };
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/${group}.json`, `${JSON.stringify(kept, null, 2)}\n`);
}

function processor(): string {
  return `${cpus().length} cores of ${cpus()[0]?.model ?? "unknown"}`;
}

/** Writes the table between the markers of the README, from the kept groups in this order. */
export function writeReadme(groups: readonly string[]): void {
  const found = new Set(readdirSync(FOLDER));
  const kept = groups
    .filter((group) => found.has(`${group}.json`))
    .map((group): [string, Kept] => [
      group,
      JSON.parse(readFileSync(`${FOLDER}/${group}.json`, "utf8")) as Kept,
    ]);
  const processors = [...new Set(kept.map(([, { processor }]) => processor))].join(" and ");
  const rows = kept.flatMap(([, { rows }]) => rows);
  const rounds = kept
    .map(([group, { rounds, commit }]) => `${group} ${rounds} (${commit})`)
    .join(", ");
  const lines = [
    `On ${processors}, leader and follower on the same machine. Medians of rounds in which the contestants take turns.`,
    "",
    "| what | measured | goal |",
    "| --- | --- | --- |",
    ...rows.map((row) => `| ${row.what} | ${row.measured} | ${row.goal} |`),
    "",
    ...spreads(rows, rounds),
  ];
  const readme = readFileSync("README.md", "utf8");
  const marked = /<!-- bench -->[\s\S]*<!-- \/bench -->/;
  // A function, as `$` in a replacement string means something.
  const block = `<!-- bench -->\n\n${lines.join("\n")}\n\n<!-- /bench -->`;
  writeFileSync(
    "README.md",
    readme.replace(marked, () => block),
  );
}

/** What the rows were made from, each once, for who wants to know more than a ratio. */
function spreads(rows: readonly Row[], rounds: string): readonly string[] {
  const details = new Map<string, string>();
  for (const { what, detail } of rows) if (!details.has(detail)) details.set(detail, what);
  return [
    "<details><summary>Medians and spreads of every contestant</summary>",
    "",
    NAMES_NOTE,
    "",
    `Rounds, and the commit that was measured: ${rounds}.`,
    "",
    "| row (and those below it with the same runs) | median [least-most] |",
    "| --- | --- |",
    ...[...details].map(([detail, what]) => `| ${what} | ${detail} |`),
    "",
    "</details>",
  ];
}
