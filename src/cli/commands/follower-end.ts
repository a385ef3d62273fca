// With what status and which last words a follower ends. Used by replicate.ts.

import { shellWord } from "../../shell-words.ts";
import { ArmdbError } from "../../errors.ts";
import type { Supervisor } from "../../replica/supervisor.ts";
import { readCopyState } from "../../store/copy-state.ts";
import { STATE_FILE } from "../../store/state-file.ts";
import { type Context, signalStatus } from "../command.ts";
import type { FollowDisplay } from "../render/follow-display.ts";
import { formatCount } from "../surface/numbers.ts";

export interface Ending {
  readonly context: Context;
  readonly display: FollowDisplay;
  readonly error: ArmdbError | null;
  /** What it says then; null: it did not. */
  readonly timedOut: string | null;
  readonly finished: boolean;
  readonly dir: string;
  readonly once: boolean;
  /** There was no directory before. */
  readonly isNew: boolean;
  readonly supervisor: Supervisor;
}

/** Exit status of a follower that is over (cli.md: Exit codes). */
export function endStatus(ending: Ending): number {
  const { context, display, error, timedOut, finished, dir, once, supervisor } = ending;
  if (error !== null) {
    display.summary("failed");
    throw error;
  }
  if (once && finished) {
    const diverged = divergedSlots(supervisor);
    display.summary(diverged > 0 ? "diverged" : "caught-up");
    if (diverged > 0) throw differs(diverged, dir, supervisor.leader);
    return 0;
  }
  if (timedOut !== null) {
    display.summary("timed-out");
    throw new ArmdbError("leader-unreachable", timedOut, {
      hint: `armdb doctor ${supervisor.leader}`,
    });
  }
  warnUnsaved(ending);
  display.summary("stopped", { isIncomplete: isIncomplete(ending) });
  return once ? signalStatus(context.stop.reason) : 0;
}

/**
 * By what this run knows of its shards, else by the state file, as everybody else sees it; where the directory was to be made and is
 * not, nothing is complete.
 */
function isIncomplete({ context, dir, isNew, supervisor }: Ending): boolean {
  const { geometry, snapshots } = supervisor;
  if (geometry === null) return isNew;
  if (snapshots.some(({ complete }) => complete === false)) return true;
  const isKnown =
    snapshots.length === geometry.shardCount &&
    snapshots.every(({ complete }) => complete === true);
  if (isKnown) return false;
  const { complete } = readCopyState(context.disk, dir, geometry.shardCount);
  return complete === false || (complete === null && isNew);
}

/** What was learned and could not be kept is said at the end once more: the first time may be hours ago. */
function warnUnsaved({ context, supervisor }: Ending): void {
  const { failure } = supervisor.saved;
  if (failure === null) return;
  context.messages.warn(
    `${STATE_FILE} is not saved, so the next start knows less of this replica: ${failure}`,
  );
}

/** Of all shards. */
export function divergedSlots({ snapshots }: Supervisor): number {
  return snapshots.reduce((sum, shard) => sum + shard.divergedSlots, 0);
}

function differs(slots: number, dir: string, leader: string): ArmdbError {
  const are =
    slots === 1 ? "slot differs from the leader and is" : "slots differ from the leader and are";
  return new ArmdbError("differs", `${formatCount(slots)} ${are} kept`, {
    hint: `armdb compare ${shellWord(dir)} ${leader}`,
  });
}
