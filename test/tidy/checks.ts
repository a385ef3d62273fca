// The rules on a file by itself: its length, its functions, its comments, its name. Those between files are in
// import-checks.ts. Each takes a tree and the rules, and returns a line for each failure: file, line, value and bound.

import { importChecks } from "./import-checks.ts";
import type { Check, Rules } from "./rules.ts";
import type { SourceFile, Tree } from "./source.ts";

/** Every rule, by the sentence that it holds. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "a file is read in one sitting": checkFileLines,
  "a function is read at one glance": checkFunctionLines,
  ...importChecks,
  "a file opens with who uses it and what it promises": checkOpenings,
  "a file is named after what it holds": checkNames,
  "a comment makes sense by itself": checkComments,
  "nothing new lies at the top": checkTopNames,
  "few tests need the machine alone": checkAloneTests,
  "bunfig.toml sets nothing that has no effect": checkBunfig,
};

interface Measured {
  /** As listed in the rules. */
  readonly key: string;
  /** As told. */
  readonly where: string;
  readonly lines: number;
  readonly linesMax: number;
}

function checkFileLines(tree: Tree, rules: Rules): string[] {
  const measured = [...tree.files.values()].map(({ path, lines }) => ({
    key: path,
    where: path,
    lines: lines.length,
    linesMax: boundOf(path, rules.fileLinesMax),
  }));
  return checkLines(measured, rules, (key) => !key.includes(" "));
}

function checkFunctionLines(tree: Tree, rules: Rules): string[] {
  const measured = [...tree.files.values()].flatMap(({ path, functions }) =>
    functions.map(({ name, line, lines }) => ({
      key: `${path} ${name}`,
      where: `${path}:${line} ${name}`,
      lines,
      linesMax: boundOf(path, rules.functionLinesMax),
    })),
  );
  return checkLines(measured, rules, (key) => key.includes(" "));
}

function boundOf(path: string, bounds: Readonly<Record<string, number>>): number {
  return Object.entries(bounds).find(([start]) => path.startsWith(start))?.[1] ?? Infinity;
}

/** Holds lengths to their bounds, and what is over them to the very length that is listed. */
function checkLines(
  measured: readonly Measured[],
  rules: Rules,
  isMine: (key: string) => boolean,
): string[] {
  const listed = Object.entries(rules.stillOver.lines).filter(([key]) => isMine(key));
  const allowed = new Map(listed);
  const over = measured.filter(({ lines, linesMax }) => lines > linesMax);
  const longest = new Map(over.map(({ key, lines }) => [key, lines]));
  return [
    ...over.flatMap(({ key, where, lines, linesMax }) => {
      const most = allowed.get(key) ?? linesMax;
      return lines > most ? [`${where} has ${lines} lines, ${most} allowed`] : [];
    }),
    ...listed.flatMap(([key, lines]) => {
      const now = longest.get(key);
      if (now === undefined) return [`${key} is within the bound: remove its line`];
      return now < lines ? [`${key} has ${now} lines, ${lines} listed: list ${now}`] : [];
    }),
  ];
}

function checkOpenings(tree: Tree, rules: Rules): string[] {
  return [...tree.files.values()].flatMap((file) => {
    if (file.path.startsWith("test/")) return [];
    const lines = openingLines(file);
    return lines >= 1 && lines <= rules.openingLinesMax
      ? []
      : [
          `${file.path}:1 opens with a comment of ${lines} lines, 1 to ${rules.openingLinesMax} allowed`,
        ];
  });
}

/**
 * Lines of the comment at the beginning, which may stand below the line that names the interpreter. One that code follows
 * at once is that code's, and not the file's.
 */
function openingLines({ path, lines, comments }: SourceFile): number {
  const first = lines[0]?.startsWith("#!") ? 2 : 1;
  const commented = new Set(comments.map(({ line }) => line));
  let after = first;
  while (commented.has(after)) after++;
  const isOfCode = path.endsWith(".ts") && (lines[after - 1] ?? "") !== "";
  return isOfCode ? 0 : after - first;
}

function checkNames(tree: Tree): string[] {
  const paths = [...tree.files.keys()].filter((path) => path.endsWith("/index.ts"));
  return paths.map((path) => `${path} has a name that says nothing: no index.ts`);
}

const ISSUE = /#\d+\b|\bissues?\b/i;
const PATH_OF_A_MACHINE = /(?:^|[\s"'`(=])\/(?:home|Users|root|work|mnt|tmp)\/\w/;

function checkComments(tree: Tree): string[] {
  return [...tree.files.values()].flatMap(({ path, comments }) =>
    comments.flatMap(({ line, text }) => {
      const what = ISSUE.test(text) ? "an issue" : "a path of one machine";
      const isBad = ISSUE.test(text) || PATH_OF_A_MACHINE.test(text);
      return isBad ? [`${path}:${line} names ${what}: ${text.trim()}`] : [];
    }),
  );
}

function checkTopNames(tree: Tree, rules: Rules): string[] {
  const unknown = tree.topNames.filter((name) => !rules.topNames.includes(name));
  return unknown.map(
    (name) => `${name} is not one of the ${rules.topNames.length} names at the top`,
  );
}

function checkAloneTests(tree: Tree, rules: Rules): string[] {
  const alone = [...tree.files.keys()].filter((path) => path.endsWith(".alone.test.ts"));
  const isGood = alone.length <= rules.aloneFilesMax;
  return isGood
    ? []
    : alone.map(
        (path) => `${path} is one of ${alone.length} alone, ${rules.aloneFilesMax} allowed`,
      );
}

function checkBunfig(tree: Tree, rules: Rules): string[] {
  const settings = Bun.TOML.parse(tree.bunfig) as { readonly test?: object };
  return Object.keys(settings.test ?? {})
    .filter((name) => rules.bunfigTestBanned.includes(name))
    .map((name) => {
      const line = tree.bunfig.split("\n").findIndex((text) => text.trim().startsWith(name)) + 1;
      return `bunfig.toml:${line} sets ${name} below [test], which scripts/test alone may give`;
    });
}
