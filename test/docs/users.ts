// Whether users are really changed where documents are run. ARMDB_TEST_USERS=1 says so, and needs root. Otherwise every name of
// a place stands for the user of the test: what uses a name that is not there fails all the same, what a wrong owner would
// forbid does not.

import { chmodSync, cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { programWords } from "../support/program.ts";

const OTHERS_ENTER = 0o001;

export const CHANGES_USERS = changesUsers(process.env, process.getuid?.() ?? null);

/** What the ordinary run does not see, in a sentence; null where it sees all. */
export const LEFT_OUT = CHANGES_USERS
  ? null
  : "left out: users. Every user of the documents was the one who runs the test; as root, ARMDB_TEST_USERS=1 changes them";

export function changesUsers(
  env: Readonly<Record<string, string | undefined>>,
  uid: number | null,
): boolean {
  if (env["ARMDB_TEST_USERS"] !== "1") return false;
  if (uid === 0) return true;
  throw new Error("ARMDB_TEST_USERS=1 changes users, which root alone can: run this as root");
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The users of a place: its /etc/passwd, to which the stand-in of useradd adds. */
export class Users {
  readonly #path: string;

  /** Begins with root alone. */
  constructor(path: string) {
    this.#path = path;
    writeFileSync(path, `root:x:${process.getuid?.()}:${process.getgid?.()}::/root:/bin/sh\n`);
  }

  /** Null: there is no such user. */
  named(name: string): User | null {
    const lines = readFileSync(this.#path, "utf8").split("\n");
    const found = lines.map((line) => line.split(":")).find(([known]) => known === name);
    if (found === undefined) return null;
    return { uid: Number(found[2]), gid: Number(found[3]), home: found[5] ?? "/" };
  }
}

/** Words that run what follows as another user; none for the user of the test itself. */
export function wordsToBecome({ uid, gid }: User): readonly string[] {
  if (uid === process.getuid?.()) return [];
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
}

/**
 * The words that start armdb, for every user: an executable that others cannot reach is copied into `dir`. A TMPDIR that
 * mkdtemp made, 0700, is opened for passing through.
 */
export function programForAll(dir: string): readonly string[] {
  const words = programWords();
  if (!CHANGES_USERS) return words;
  if (!isOpen(tmpdir())) chmodSync(tmpdir(), statSync(tmpdir()).mode | OTHERS_ENTER);
  if (!isReached(dir)) throw new Error(`other users cannot enter ${dir}: choose another TMPDIR`);
  if (words.every(isReached)) return words;
  const [executable = ""] = words;
  if (words.length > 1)
    throw new Error(`other users cannot enter ${executable}: set ARMDB_TEST_PROGRAM to an armdb`);
  const copy = join(dir, "armdb");
  cpSync(executable, copy);
  chmodSync(copy, 0o755);
  return [copy];
}

/** Whether others may pass through every directory on the way, and the last. */
function isReached(path: string): boolean {
  const above = dirname(path);
  return above === path || (isOpen(path) && isReached(above));
}

function isOpen(path: string): boolean {
  const stats = statSync(path);
  // A source file is read, not executed.
  const wanted = stats.isFile() && path.endsWith(".ts") ? 0o004 : OTHERS_ENTER;
  return (stats.mode & wanted) !== 0;
}
