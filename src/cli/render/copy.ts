// What to run where a first copy has not ended, and its words. Used by verify, inspect and status. Pure.

import type { CopyState } from "../../store/copy-state.ts";
import { shellWord } from "../../shell-words.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCounted } from "../surface/numbers.ts";

/** The command that goes on with it: the same as the one that began it. */
export function goOnCommand({ leader }: Pick<CopyState, "leader">, dir: string): string {
  const from = leader === null ? "LEADER" : shellWord(escapeText(leader));
  return `armdb replicate ${from} --data ${shellWord(escapeText(dir))}`;
}

/** `1 shard is not a whole copy`, `2 shards are not whole copies` */
export function notWholeText(shards: number): string {
  const what = shards === 1 ? "is not a whole copy" : "are not whole copies";
  return `${formatCounted(shards, "shard")} ${what}`;
}
