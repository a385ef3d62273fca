// What `armdb status` knows of a directory now: from the follower that runs there, else from the files, and from /proc where
// neither can be true. Used by status.ts. "Stopped" is said only where nobody answers and nobody is seen to write.

import { SOCKET_FILE } from "../../audit/compare/request.ts";
import { ArmdbError } from "../../errors.ts";
import { DiskError } from "../../io/disk.ts";
import type { LineSockets } from "../../io/unix-socket.ts";
import { stoppedStatus, unreachedStatus } from "../../status/status-offline.ts";
import { askForStatus } from "../../status/status-request.ts";
import type { StatusDocument } from "../../status/status-types.ts";
import { lockHolder, writersOf } from "../../store/holders.ts";
import { followerFor, isSuspended } from "../../store/running-followers.ts";
import type { Context } from "../command.ts";

/** The status now. Throws `unknown` (5) where we are not allowed to look, or who is there gives no status. */
export async function lookAtStatus(
  { disk, clock, stop }: Context,
  sockets: LineSockets,
  dir: string,
): Promise<StatusDocument> {
  try {
    const path = `${dir}/${SOCKET_FILE}`;
    // A socket is neither a file nor a link; anything else at that name is nobody's.
    if (disk.facts(path)?.kind === "other") {
      const answer = await askForStatus(sockets, clock, path);
      if (answer.kind === "status") return answer.document;
      if (answer.kind === "forbidden") throw notAllowed(dir, answer.reason);
      if (answer.kind === "mute") throw noAnswer(dir, answer.reason);
    }
    const pid = writerOf(dir);
    if (pid !== undefined) throw inUse(dir, pid);
    return await withoutFollower({ disk, clock, stop }, dir);
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
    if (thrown.errno !== "EACCES" && thrown.errno !== "EPERM") throw thrown;
    throw notAllowed(dir, thrown.errno);
  }
}

/** What the files say; where they are none, a follower may have been started that has not reached its leader yet. */
async function withoutFollower(
  tools: Pick<Context, "disk" | "clock" | "stop">,
  dir: string,
): Promise<StatusDocument> {
  const { clock } = tools;
  try {
    return await stoppedStatus(tools, dir, clock.wallMs());
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError) || thrown.code !== "no-database") throw thrown;
    const follower = followerFor(dir);
    if (follower === null) throw thrown;
    if (isSuspended(follower.pid)) throw suspended(dir, follower.pid);
    return unreachedStatus(follower, clock.wallMs());
  }
}

/** Who holds the lock alone, or has a file of the database open for writing; null: somebody whose pid is hidden. */
function writerOf(dir: string): number | null | undefined {
  const holder = lockHolder(dir);
  if (holder?.kind === "exclusive") return holder.pid;
  return writersOf(dir).pids[0];
}

function notAllowed(dir: string, reason: string): ArmdbError {
  return new ArmdbError(
    "unknown",
    `Cannot look at "${dir}": ${reason}, it belongs to another user`,
    {
      path: dir,
      hint: `ls -ld "${dir}", then sudo -u OWNER armdb status "${dir}"`,
    },
  );
}

/** Somebody is behind the socket, and gives no status. */
function noAnswer(dir: string, reason: string): ArmdbError {
  const pid = writerOf(dir);
  if (typeof pid === "number" && isSuspended(pid)) return suspended(dir, pid);
  const [who, hint] =
    pid === undefined
      ? ["Whoever listens", `fuser -v "${dir}/${SOCKET_FILE}" shows who that is`]
      : [
          pid === null ? "The follower" : `The follower, process ${pid},`,
          "its log; a process that answers nobody is stuck: kill -9 and a new start are safe",
        ];
  return new ArmdbError("unknown", `${who} on "${dir}" gives no status: ${reason}`, {
    path: dir,
    hint,
  });
}

/** Nobody answers, and yet somebody writes: a follower that has lost its socket, or another program. */
function inUse(dir: string, pid: number | null): ArmdbError {
  if (pid !== null && isSuspended(pid)) return suspended(dir, pid);
  const who = pid === null ? "Another process" : `Process ${pid}`;
  const see = pid === null ? `fuser -v "${dir}/db.lock"` : `ps -p ${pid}`;
  return new ArmdbError(
    "unknown",
    `${who} has "${dir}" open for writing, and answers no status there`,
    {
      path: dir,
      hint: `${see} shows it; a follower of armdb makes its socket anew within 10 s`,
    },
  );
}

function suspended(dir: string, pid: number): ArmdbError {
  return new ArmdbError(
    "unknown",
    `Process ${pid} on "${dir}" was suspended (Ctrl-Z or SIGSTOP): it follows nothing until it is continued`,
    { path: dir, hint: `kill -CONT ${pid}` },
  );
}
