// The rules between files: the order of the rooms, circles, and what nobody uses. Used by checks.ts, in the same form.

import { circlesOf, pathBack, reachedFrom } from "./graph.ts";
import type { Check, Rules } from "./rules.ts";
import type { SourceFile, Tree } from "./source.ts";

export const importChecks: Readonly<Record<string, Check>> = {
  "imports go one way, up the list of rooms": checkDirection,
  "no file imports itself through others": checkCircles,
  "every file of src is used": checkReached,
  "every export of src is imported": checkExports,
  "no code of src is kept alive by tests alone": checkTestedOnly,
  "src stands without test and scripts": checkBorders,
};

const filesOf = (tree: Tree, start: string): SourceFile[] =>
  [...tree.files.values()].filter(({ path }) => path.startsWith(start));

interface Room {
  /** The names of all that is in it. */
  readonly names: string;
  readonly step: number;
}

/** The room of each file of src: of the longest name that it is, or lies below. */
function roomsOf(tree: Tree, rules: Rules): Map<string, Room | undefined> {
  const rooms = rules.rooms
    .flatMap((names, step) => names.split(", ").map((room) => ({ names: room, step })))
    .flatMap((room) => room.names.split(" ").map((name) => ({ name, room })))
    .sort((one, other) => other.name.length - one.name.length);
  const roomOf = (path: string) =>
    rooms.find(({ name }) => path === `src/${name}.ts` || isBelow(path, `src/${name}`))?.room;
  return new Map(filesOf(tree, "src/").map(({ path }) => [path, roomOf(path)]));
}

const isBelow = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

function checkDirection(tree: Tree, rules: Rules): string[] {
  const rooms = roomsOf(tree, rules);
  const still = new Set(rules.stillOver.imports);
  const failures: string[] = [];
  for (const file of filesOf(tree, "src/")) {
    const here = rooms.get(file.path);
    if (here === undefined) failures.push(`${file.path}:1 is in no room`);
    for (const { path, line } of distinct(file)) {
      const there = rooms.get(path);
      if (here === undefined || there === undefined) continue;
      const isAllowed =
        (there === here || there.step < here.step) && !areApart(file.path, path, rules);
      if (isAllowed || still.delete(`${file.path} > ${path}`)) continue;
      failures.push(
        `${file.path}:${line} imports ${path}: ${here.names} may not import ${there.names}`,
      );
    }
  }
  return [...failures, ...[...still].map((gone) => `${gone} is within the order: remove its line`)];
}

function areApart(here: string, there: string, { apart }: Rules): boolean {
  const folderOf = (path: string) => path.split("/")[1] ?? "";
  const pair = [folderOf(here), folderOf(there)];
  return apart.some((names) => names.every((name) => pair.includes(name)));
}

/** One import of each file that is imported. */
function distinct({ imports }: SourceFile): readonly { path: string; line: number }[] {
  const first = new Map<string, number>();
  for (const { path, line } of imports) if (!first.has(path)) first.set(path, line);
  return [...first].map(([path, line]) => ({ path, line }));
}

function checkCircles(tree: Tree, rules: Rules): string[] {
  const still = new Set(rules.stillOver.circles);
  const failures = circlesOf(tree).flatMap((circle) => {
    const listed = [...still].find((files) => circle.every((path) => files.includes(path)));
    if (listed !== undefined) {
      still.delete(listed);
      const isSame = listed.length === circle.length;
      const shrunk = `a circle of ${listed.length} files has ${circle.length}: list ${circle.join(" ")}`;
      return isSame ? [] : [shrunk];
    }
    const path = pathBack(tree, circle[0] ?? "");
    const line = tree.files.get(path[0] ?? "")?.imports.find((one) => one.path === path[1])?.line;
    const way = path.join(" > ");
    return [`${path[0]}:${line} is in a circle of ${circle.length} files, 0 allowed: ${way}`];
  });
  const gone = [...still].map((files) => `${files.join(" ")} are no circle: remove their line`);
  return [...failures, ...gone];
}

/** Files of src that scripts name: a build starts from them, and what they export is called from outside. */
function entriesOf(tree: Tree): Set<string> {
  const code = filesOf(tree, "scripts/").map((file) => file.code);
  const named = code.flatMap((text) => [...text.matchAll(/(?<![/\w])src\/[\w./-]+\.ts\b/g)]);
  return new Set(named.map(([path]) => path));
}

const isOf = (path: string, name: string): boolean => path === name || isBelow(path, name);
const isBeingBuilt = (path: string, rules: Rules): boolean =>
  rules.beingBuilt.some((name) => isOf(path, name));

function checkReached(tree: Tree, rules: Rules): string[] {
  const imported = filesOf(tree, "scripts/").flatMap(({ imports }) =>
    imports.map(({ path }) => path),
  );
  const reached = reachedFrom(tree, [...entriesOf(tree), ...imported]);
  const lost = filesOf(tree, "src/")
    .map(({ path }) => path)
    .filter((path) => !reached.has(path) && !path.endsWith(".d.ts"));
  const built = rules.beingBuilt.filter((name) => !lost.some((path) => isOf(path, name)));
  return [
    ...lost
      .filter((path) => !isBeingBuilt(path, rules))
      .map((path) => `${path}:1 is reached from no entry of the build and from no script`),
    ...built.map((name) => `${name} is not being built any more: remove its line`),
  ];
}

interface Use {
  readonly path: string;
  readonly line: number;
  readonly name: string;
  /** Files that import it. */
  readonly users: readonly string[];
}

/** The values that files of src export, but for the entries. */
function usesOf(tree: Tree): Use[] {
  const users = new Map<string, string[]>();
  for (const { path: user, imports } of tree.files.values()) {
    for (const { path, names } of imports) {
      for (const name of names) {
        const key = `${path} ${name}`;
        users.set(key, [...(users.get(key) ?? []), user]);
      }
    }
  }
  const entries = entriesOf(tree);
  return filesOf(tree, "src/").flatMap(({ path, exports }) =>
    exports
      .filter(({ isValue }) => isValue && !entries.has(path))
      .map(({ name, line }) => {
        const all = [...(users.get(`${path} ${name}`) ?? []), ...(users.get(`${path} *`) ?? [])];
        return { path, line, name, users: all };
      }),
  );
}

function checkExports(tree: Tree): string[] {
  return usesOf(tree)
    .filter(({ users }) => users.length === 0)
    .map(({ path, line, name }) => `${path}:${line} exports ${name}, which no other file imports`);
}

function checkTestedOnly(tree: Tree, rules: Rules): string[] {
  return usesOf(tree)
    .filter(({ users }) => users.length > 0 && users.every((user) => user.startsWith("test/")))
    .filter(({ path, name }) => {
      const said = tree.files.get(path)?.code.match(new RegExp(`\\b${name}\\b`, "g"));
      return (said?.length ?? 0) < 2 && !isBeingBuilt(path, rules);
    })
    .map(({ path, line, name }) => `${path}:${line} exports ${name}, which only tests use`);
}

function checkBorders(tree: Tree, rules: Rules): string[] {
  const crossings = (start: string, isBad: (path: string) => boolean): string[] =>
    filesOf(tree, start).flatMap((file) =>
      distinct(file)
        .filter(({ path }) => isBad(path))
        .map(({ path, line }) => `${file.path}:${line} imports ${path}, which ${start} may not`),
    );
  const isForScripts = (path: string) =>
    rules.testForScripts.some((allowed) => path.startsWith(allowed));
  return [
    ...crossings("src/", (path) => /^(test|scripts)\//.test(path)),
    ...crossings("scripts/", (path) => path.startsWith("test/") && !isForScripts(path)),
  ];
}
