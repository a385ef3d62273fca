// Who has a directory open, and the errors for a follower that is there and does not answer. Used by status and compare. Reads
// /proc only.

import { SOCKET_FILE } from "../../audit/compare/request.ts";
import { ArmdbError } from "../../errors.ts";
import { lockHolder, writersOf } from "../../store/holders.ts";
import { isSuspended } from "../../store/running-followers.ts";

/** Who holds the lock alone, or has a file of the database open for writing; null: somebody whose pid is hidden. */
export function writerOf(dir: string): number | null | undefined {
  const holder = lockHolder(dir);
  if (holder?.kind === "exclusive") return holder.pid;
  return writersOf(dir).pids[0];
}

/** Somebody is behind the socket and does not answer; `what`: `gives no status`. */
export function noAnswer(dir: string, what: string, reason: string): ArmdbError {
  const pid = writerOf(dir);
  if (typeof pid === "number" && isSuspended(pid)) return suspended(dir, pid);
  const [who, hint] =
    pid === undefined
      ? ["Whoever listens", `fuser -v "${dir}/${SOCKET_FILE}" shows who that is`]
      : [
          pid === null ? "The follower" : `The follower, process ${pid},`,
          "its log; a process that answers nobody is stuck: kill -9 and a new start are safe",
        ];
  return new ArmdbError("unknown", `${who} on "${dir}" ${what}: ${reason}`, {
    path: dir,
    hint,
  });
}

/** It was stopped by Ctrl-Z or SIGSTOP. */
export function suspended(dir: string, pid: number): ArmdbError {
  return new ArmdbError(
    "unknown",
    `Process ${pid} on "${dir}" was suspended (Ctrl-Z or SIGSTOP): it follows nothing until it is continued`,
    { path: dir, hint: `kill -CONT ${pid}` },
  );
}
