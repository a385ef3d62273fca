// Directories of a test, under the system's temporary directory: made, hashed, copied, and gone when the test is.

import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A root of its own for one test file; removes itself with everything in it. */
export class TempRoot implements Disposable {
  readonly path: string;
  #made = 0;

  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `armdb-${name}-`));
  }

  /** A path in it where nothing is yet. */
  fresh(name = "dir"): string {
    return join(this.path, `${name}-${this.#made++}`);
  }

  /** A copy of a directory, in it. */
  async copyOf(dir: string): Promise<string> {
    const copy = this.fresh("copy");
    await cp(dir, copy, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !lstatSync(source).isSocket(),
    });
    return copy;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/**
 * A text per name in a directory: kind, mode, owner, length and a hash of the bytes. Equal texts: nothing was touched. Null
 * where there is no such name. Times are left out, as readers may change some.
 */
export function treeOf(path: string): Readonly<Record<string, string>> | null {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
  const tree: Record<string, string> = {};
  addTo(tree, path, ".");
  return tree;
}

function addTo(tree: Record<string, string>, path: string, name: string): void {
  const stats = lstatSync(path);
  const facts = `${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`;
  if (stats.isDirectory()) {
    tree[name] = `directory ${facts}`;
    for (const inner of readdirSync(path).sort()) addTo(tree, join(path, inner), join(name, inner));
  } else if (stats.isFile()) {
    const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
    tree[name] = `file ${facts} ${stats.size} ${stats.mtimeMs} ${hash.slice(0, 16)}`;
  } else tree[name] = `other ${facts}`;
}

/** Permission bits of a name, in octal. */
export function modeOf(path: string): string {
  return (lstatSync(path).mode & 0o7777).toString(8);
}

/** Gives everybody the right to enter and read a whole tree, for tests that run as another user. */
export function openToAll(path: string): void {
  const stats = lstatSync(path);
  chmodSync(path, stats.isDirectory() ? 0o755 : 0o644);
  if (stats.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name));
}
