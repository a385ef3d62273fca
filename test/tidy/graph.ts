// Files and what they import, as a graph: what is reached, and what comes back to itself. Used by import-checks.ts. Pure.

import type { Tree } from "./source.ts";

/** The files of the tree that a file imports. */
function nextOf(tree: Tree, path: string): string[] {
  const imports = tree.files.get(path)?.imports ?? [];
  return [...new Set(imports.map((one) => one.path))].filter((next) => tree.files.has(next));
}

/** Everything that is imported from these files, by whatever way, and themselves. */
export function reachedFrom(tree: Tree, roots: Iterable<string>): Set<string> {
  const reached = new Set(roots);
  for (const path of reached) for (const next of nextOf(tree, path)) reached.add(next);
  return reached;
}

/** The groups of files that import all others of their group in the end; the files sorted. One alone is none. */
export function circlesOf(tree: Tree): string[][] {
  const suspects = suspectsOf(tree);
  const after = new Map([...suspects].map((path) => [path, reachedFrom(tree, nextOf(tree, path))]));
  const circles = new Set<string>();
  for (const [path, reached] of after) {
    if (!reached.has(path)) continue;
    const others = [...reached].filter((other) => after.get(other)?.has(path));
    if (others.length > 1) circles.add(others.sort().join(" "));
  }
  return [...circles].sort().map((files) => files.split(" "));
}

/** Files that import something and are imported, again and again until none falls away: few, and all circles are in them. */
function suspectsOf(tree: Tree): Set<string> {
  const suspects = new Set(tree.files.keys());
  for (let size = Infinity; suspects.size < size;) {
    size = suspects.size;
    const next = new Map(
      [...suspects].map((path) => [path, nextOf(tree, path).filter((to) => suspects.has(to))]),
    );
    const imported = new Set([...next.values()].flat());
    for (const [path, to] of next)
      if (to.length === 0 || !imported.has(path)) suspects.delete(path);
  }
  return suspects;
}

/** A shortest way from a file over its imports back to itself, both ends included; of a file in a circle. */
export function pathBack(tree: Tree, from: string): string[] {
  const before = new Map<string, string>();
  const seen = new Set([from]);
  for (const path of seen) {
    for (const next of nextOf(tree, path)) {
      if (!before.has(next)) before.set(next, path);
      seen.add(next);
    }
  }
  const way = [from];
  do way.unshift(before.get(way[0] ?? "") ?? from);
  while (way[0] !== from);
  return way;
}
