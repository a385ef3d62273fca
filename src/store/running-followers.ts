// What /proc says of a process beyond its files: whether it is suspended, and which `armdb replicate` runs for a directory that is
// not made yet, where there is neither lock nor socket to find it by. Used by `armdb status`. Reads /proc only; a hint, as a
// command line says what was asked for and not what became of it.

import { basename, dirname, join, resolve } from "node:path";
import { parseAddress } from "../io/address.ts";
import { type ProcessTable, systemTable } from "./holders.ts";

/** Stopped by a signal (Ctrl-Z, SIGSTOP) or by a debugger: it does nothing until it is continued. */
export function isSuspended(pid: number, table: ProcessTable = systemTable): boolean {
  const stat = table.text(`/proc/${pid}/stat`) ?? "";
  // The second field is the name in brackets and may hold anything.
  const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  return state === "T" || state === "t";
}

export interface WaitingFollower {
  readonly pid: number;
  /** As it was given; null: not seen on its command line. */
  readonly leader: string | null;
}

/** A process whose command line follows into `dir`; null: none is seen. */
export function followerFor(
  dir: string,
  table: ProcessTable = systemTable,
): WaitingFollower | null {
  for (const pid of table.pids() ?? []) {
    if (pid === table.ownPid) continue;
    const words = (table.text(`/proc/${pid}/cmdline`) ?? "").split("\0").slice(0, -1);
    const at = words.indexOf("replicate");
    if (at <= 0 || !isArmdb(pid, words[0] ?? "", table)) continue;
    const data = dataOf(pid, words.slice(at + 1), table);
    if (data !== null && isSamePlace(pid, data, dir, table)) {
      return { pid, leader: leaderOf(words.slice(at + 1)) };
    }
  }
  return null;
}

/** Not what it was started by: sudo, timeout and setpriv have the same words behind them. */
function isArmdb(pid: number, program: string, table: ProcessTable): boolean {
  if (basename(program).startsWith("armdb")) return true;
  const own = table.file("/proc/self/exe");
  return own !== null && own === table.file(`/proc/${pid}/exe`);
}

/** `--data`, or ARMDB_DATA where there is none. */
function dataOf(pid: number, words: readonly string[], table: ProcessTable): string | null {
  const joined = words.findLast((word) => word.startsWith("--data="));
  if (joined !== undefined) return joined.slice("--data=".length);
  const at = words.lastIndexOf("--data");
  if (at >= 0) return words[at + 1] ?? null;
  const variables = (table.text(`/proc/${pid}/environ`) ?? "").split("\0");
  const given = variables.find((variable) => variable.startsWith("ARMDB_DATA="));
  return given === undefined ? null : given.slice("ARMDB_DATA=".length);
}

/** Whether the path means `dir` to that process. What is not made yet is named by its parent. */
function isSamePlace(pid: number, data: string, dir: string, table: ProcessTable): boolean {
  const own = resolve(dir);
  const base = data.startsWith("/") ? `/proc/${pid}/root` : `/proc/${pid}/cwd`;
  const there = table.file(join(base, data));
  if (there !== null) return there === table.file(own);
  const parent = table.file(dirname(own));
  return (
    basename(data) === basename(own) &&
    parent !== null &&
    parent === table.file(join(base, dirname(data)))
  );
}

/** The first word that is an address and no option's value. */
function leaderOf(words: readonly string[]): string | null {
  const isValue = (index: number) => /^--[^=]+$/.test(words[index - 1] ?? "");
  return words.find((word, index) => !isValue(index) && parseAddress(word) !== null) ?? null;
}
