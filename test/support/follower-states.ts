// Questions about a running follower: its shards' states, its lines by type, the processor time it uses.

import { readFile } from "node:fs/promises";
import type { Armdb, Line } from "./armdb.ts";

const STATE_LIMIT_MS = 60_000;

/** Lines of one type from `from` on. */
export function linesOf(follower: Armdb, type: string, from = 0): Line[] {
  return follower.lines.slice(from).filter((line) => line.type === type);
}

/** The state of each shard as last reported. */
export function statesOf(follower: Armdb): Map<number, string> {
  const states = new Map<number, string>();
  for (const line of linesOf(follower, "shard")) {
    states.set(Number(line["shard"]), String(line["state"]));
  }
  return states;
}

/** Every state that a shard went through from `from` on, in order. */
export function stepsOf(follower: Armdb, shard: number, from = 0): string[] {
  const lines = linesOf(follower, "shard", from).filter((line) => line["shard"] === shard);
  return lines.map((line) => String(line["state"]));
}

/** Waits until `shards` shards are in this state, all at a time. */
export async function inState(
  follower: Armdb,
  state: string,
  shards: number,
  limitMs = STATE_LIMIT_MS,
): Promise<void> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const from = follower.mark;
    const there = [...statesOf(follower).values()].filter((now) => now === state).length;
    if (there === shards) return;
    await follower.line({ type: "shard" }, from, endMs - performance.now());
  }
}

/** Clock ticks of /proc/PID/stat a second. */
export const TICKS_PER_SECOND = 100;

/** utime + stime of a process with all its threads, in ticks. */
export async function processTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The second field is the name in brackets and may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
