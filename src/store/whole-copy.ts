// Refuses a directory whose first copy has not ended to whoever would take what is there for all there is (cli.md: Complete). Used by
// serve and by repair --from. Pure but for what it warns of.

import { shellWord } from "../shell-words.ts";
import { ArmdbError } from "../errors.ts";
import type { CopyState } from "./copy-state.ts";
import { STATE_FILE } from "./state-file.ts";

export interface WholeCopyOptions {
  readonly dir: string;
  /** Only this one is used; null: all. */
  readonly shard: number | null;
  readonly force: boolean;
  /** `serve`, `repair from`. */
  readonly doing: string;
  /** What comes of it all the same, behind a colon. */
  readonly outcome: string;
  /** What --force is for: `to serve what is there`. */
  readonly purpose: string;
  warn(text: string): void;
}

/** Throws `incomplete`, or warns where `force` is given. What the state file cannot tell is said, not refused. */
export function requireWholeCopy(copy: CopyState, options: WholeCopyOptions): void {
  const { dir, shard, force, doing, outcome, purpose, warn } = options;
  const { leader, shards, fault } = copy;
  if (fault !== null) {
    const why = fault.kind === "not-read" ? `cannot be read (${fault.errno})` : fault.why;
    warn(`${STATE_FILE} ${why}: whether the copy is complete is not known`);
  }
  const missing = shards.filter((complete) => complete === false).length;
  if (missing === 0 || (shard !== null && shards[shard] !== false)) return;
  const which =
    shards.length === 1
      ? "has not ended"
      : `has not ended for ${missing} of its ${shards.length} shards`;
  if (force) return warn(`The first copy in "${dir}" ${which}: ${outcome}`);
  const from = leader === null ? "" : ` from ${leader}`;
  throw new ArmdbError("incomplete", `Cannot ${doing} "${dir}": the first copy${from} ${which}`, {
    path: dir,
    hint: `armdb replicate ${leader ?? "LEADER"} --data ${shellWord(dir)}, or --force ${purpose}`,
  });
}
