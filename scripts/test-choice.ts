// Which test files a run takes, and in which order: what changed (the short loop), what is slow, and what took long the last
// time, which starts first.

import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The rules of the house: runs before all others, alone. */
export const TIDY_TEST = "test/tidy/tidy.test.ts";

const TIMINGS = "test/timings.json";
/** Measured by the runner, not kept; git does not see it. */
const MEASURED = "build/timings.json";
const TIMING_MS_MIN = 2_000;

/** The runner's words for each part of the loop: what imports a changed file, and what reads one. `ref` is a commit. */
export function changedTests(ref = "HEAD"): readonly (readonly string[])[] {
  const changed = [
    ...linesOf(["git", "diff", "--name-only", ref]),
    ...linesOf(["git", "ls-files", "--others", "--exclude-standard"]),
  ];
  const read = new Set<string>();
  for (const path of changed) {
    // Documents and units are not imported: their tests read them.
    if (/^(?:[^/]+\.md|docs\/.*|contrib\/.*)$/.test(path)) read.add("./test/docs/");
    const snapshot = /^(.*)\/__snapshots__\/(.*)\.snap$/.exec(path);
    if (snapshot !== null) read.add(`./${join(snapshot[1] ?? "", snapshot[2] ?? "")}`);
  }
  const imported = [`--changed=${ref}`, "--path-ignore-patterns=**/*.slow.test.ts"];
  return read.size === 0 ? [imported] : [imported, [...read]];
}

/** Test files that say in their name how they want to be run: `alone`, or `slow`. */
export function testsNamed(how: "alone" | "slow"): readonly string[] {
  return [...new Bun.Glob(`test/**/*.${how}.test.ts`).scanSync()].sort();
}

/** The runner's words for the order of files; with `anew` it measures them as well. */
export function timingWords(anew: boolean): readonly string[] {
  if (!existsSync(TIMINGS) && !anew) return [];
  if (!anew) return [`--timings=${TIMINGS}`];
  rmSync(MEASURED, { force: true });
  if (existsSync(TIMINGS)) copyFileSync(TIMINGS, MEASURED);
  return [`--timings=${MEASURED}`, "--update-timings"];
}

/** Keeps what was measured: whole seconds, and only of files that take long, so that the file changes when the tests do. */
export function writeTimings(): void {
  const { files } = JSON.parse(readFileSync(MEASURED, "utf8")) as { files: Record<string, number> };
  const rows = Object.entries(files)
    .filter(([file, ms]) => ms >= TIMING_MS_MIN && existsSync(file))
    .map(([file, ms]): [string, number] => [file, Math.round(ms / 1000) * 1000])
    .sort(([left, leftMs], [right, rightMs]) => rightMs - leftMs || left.localeCompare(right));
  const kept = { version: 1, files: Object.fromEntries(rows) };
  writeFileSync(join(dirname(TIMINGS), "timings.json"), `${JSON.stringify(kept, null, 2)}\n`);
  rmSync(MEASURED);
}

function linesOf(words: readonly string[]): readonly string[] {
  const { stdout } = Bun.spawnSync([...words], { stderr: "inherit" });
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}
