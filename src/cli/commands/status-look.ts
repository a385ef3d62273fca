// What `armdb status` knows of a directory now: from the follower that runs there, else from the files, and from /proc where
// neither can be true. Used by status.ts. "Stopped" is said only where nobody answers and nobody is seen to write.

import { dirname } from "node:path";
import { shellWord } from "../../shell-words.ts";
import { SOCKET_FILE } from "../../audit/compare/request.ts";
import { ArmdbError } from "../../errors.ts";
import { DiskError } from "../../io/disk.ts";
import type { LineSockets } from "../../io/unix-socket.ts";
import { stoppedStatus, unreachedStatus } from "../../status/status-offline.ts";
import { askForStatus } from "../../status/status-request.ts";
import type { StatusDocument } from "../../status/status-types.ts";
import { followerFor, isSuspended } from "../../store/running-followers.ts";
import type { Context } from "../command.ts";
import { noAnswer, suspended, writerOf } from "./mute-follower.ts";

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
      if (answer.kind === "mute") throw noAnswer(dir, "gives no status", answer.reason);
    }
    const pid = writerOf(dir);
    if (pid !== undefined) throw inUse(dir, pid);
    return await withoutFollower({ disk, clock, stop }, dir);
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
    if (thrown.errno === "ENOTDIR") throw noDirectory(dir);
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

function noDirectory(dir: string): ArmdbError {
  return new ArmdbError("usage", `"${dir}" is a file: armdb status takes a database directory`, {
    path: dir,
    hint: `armdb status ${shellWord(dirname(dir))}`,
  });
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
