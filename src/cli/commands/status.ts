// `armdb status DIR`: am I safe? From the follower that runs on DIR, over its socket, else from the files without a scan
// (cli.md). Writes nothing, takes no lock.

import { SOCKET_FILE } from "../../audit/compare-request.ts";
import { ArmdbError } from "../../errors.ts";
import { DiskError } from "../../io/disk.ts";
import type { Net } from "../../io/net.ts";
import { type LineSockets, lineSockets } from "../../io/unix-socket.ts";
import { statusLine } from "../../status/status-line.ts";
import { stoppedStatus } from "../../status/status-offline.ts";
import { askForStatus } from "../../status/status-request.ts";
import type { StatusDocument } from "../../status/status-types.ts";
import { verdictStatus } from "../../status/verdict.ts";
import { lockHolder } from "../../store/holders.ts";
import { type Command, type Context, signalStatus } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { createDisplay, type Display } from "../surface/display.ts";
import { escapeText } from "../surface/escape.ts";
import { formatTime } from "../surface/numbers.ts";
import { statusLines } from "../render/status.ts";
import { processSink } from "../surface/streams.ts";
import { cutText } from "../surface/tables.ts";

const spec: CommandSpec = {
  name: "status",
  summary: "am I safe? a line a shard, from the running follower or from the files",
  description:
    "Asks the follower that runs on DIR, over DIR/armdb.sock; where none runs, says what headers, sidecars, cursors and " +
    "armdb.state.json tell, without a scan. The lag of a live shard is the age of the last frame (the leader sends one every " +
    "5 s at least) plus that of the oldest write that is not durable; of a polling one, the age of the start of its last whole scan; of one that " +
    "has never caught up, infinite (null in JSON, with caughtUp false).",
  arguments: [
    { name: "DIR", required: true, summary: "a replica's directory", complete: "directory" },
  ],
  options: [{ name: "watch", kind: "flag", summary: "show it again and again, until Ctrl-C" }],
  examples: [
    { command: "armdb status /var/lib/armdb/orders", explains: "a table, and what to do next" },
    { command: "armdb status ./replica --watch", explains: "every second, in place" },
    {
      command: "armdb status ./replica --json | jq '.verdict, (.shards[] | .lagMs)'",
      explains: "for scripts",
    },
  ],
  exits: [
    [0, "live: every shard follows the live stream"],
    [4, "behind, stalled or diverged; or no follower runs and the first copy has not ended"],
    [5, "stopped: no follower runs; or its socket may not be used, or does not answer"],
    [10, "no database there"],
    [13, "another format"],
    [130, "--watch: stopped by SIGINT (143: by SIGTERM)"],
  ],
  next: ["armdb doctor LEADER --data DIR", "armdb compare DIR LEADER", "armdb verify DIR"],
};

/** On a terminal it is redrawn, elsewhere it is a line each time. */
const REDRAW_INTERVAL_MS = 1_000;
const LINE_INTERVAL_MS = 5_000;

/** What the command stands on besides its context. */
export interface StatusSurroundings {
  sockets(net: Net): LineSockets;
  /** Lines that are redrawn in place, for a terminal. */
  newDisplay(): Display;
  /** Lines that the terminal shows. */
  rows(): number;
}

export function createStatusCommand(around: StatusSurroundings): Command {
  return { spec, run: (context) => run(context, around) };
}

export const statusCommand: Command = createStatusCommand({
  sockets: lineSockets,
  newDisplay: () => createDisplay(processSink(1)),
  rows: () => processSink(1).rows(),
});

async function run(context: Context, around: StatusSurroundings): Promise<number> {
  const dir = context.args.argument("DIR") ?? "";
  if (context.args.flag("watch")) return await watch(context, around, dir);
  const document = await look(context, around.sockets(context.net), dir);
  if (context.json) context.out.json(document);
  else for (const line of linesOf(context, document, dir)) context.out.line(line);
  return verdictStatus(document.verdict);
}

function linesOf({ out }: Context, document: StatusDocument, dir: string): string[] {
  return statusLines(document, { palette: out.palette, columns: out.columns, dir });
}

/** The status now. Throws `unknown` (5) where we are not allowed to look, or get no answer. */
async function look(
  { disk, clock }: Context,
  sockets: LineSockets,
  dir: string,
): Promise<StatusDocument> {
  try {
    const path = `${dir}/${SOCKET_FILE}`;
    // A socket is neither a file nor a link; anything else at that name is nobody's.
    if (disk.facts(path)?.kind === "other") {
      const answer = await askForStatus(sockets, clock, path);
      switch (answer.kind) {
        case "status":
          return answer.document;
        case "forbidden":
          throw notAllowed(dir, answer.reason);
        case "mute":
          if (lockHolder(dir) !== null) throw noAnswer(dir, answer.reason);
          break;
        case "nobody":
          break;
      }
    }
    return stoppedStatus(disk, dir, clock.wallMs());
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
    if (thrown.errno !== "EACCES" && thrown.errno !== "EPERM") throw thrown;
    throw notAllowed(dir, thrown.errno);
  }
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

function noAnswer(dir: string, reason: string): ArmdbError {
  const pid = lockHolder(dir)?.pid ?? null;
  const who = pid === null ? "The follower" : `The follower, process ${pid},`;
  return new ArmdbError("unknown", `${who} on "${dir}" gives no status: ${reason}`, {
    path: dir,
    hint: "its log; a process that answers nobody is stuck: kill -9 and a new start are safe",
  });
}

/** Shows it until it is stopped or nobody reads any more. */
async function watch(context: Context, around: StatusSurroundings, dir: string): Promise<number> {
  const { out, stop, json, env } = context;
  const canDraw = out.isTerminal && env["TERM"] !== "dumb" && !json;
  const display = canDraw ? around.newDisplay() : null;
  const intervalMs = display === null && !json ? LINE_INTERVAL_MS : REDRAW_INTERVAL_MS;
  let shown: string[] = [];
  let status = 5;
  try {
    while (!stop.aborted && !out.closed) {
      const document = await look(context, around.sockets(context.net), dir);
      status = verdictStatus(document.verdict);
      if (json) out.json(document);
      else if (display === null) out.line(plainLine(document));
      else {
        shown = linesOf(context, document, dir);
        display.draw(screenOf(shown, out.columns, around.rows()));
      }
      if (!out.closed) await pause(context, intervalMs);
    }
  } finally {
    display?.end();
    // What was last seen stays on the screen.
    for (const line of shown) out.line(line);
  }
  return stop.aborted ? signalStatus(stop.reason) : status;
}

/** What fits on the screen: a display taller than it could not be taken back. */
function screenOf(lines: readonly string[], columns: number, rows: number): string[] {
  const most = Math.max(1, rows - 1);
  const shown = lines.length <= most ? lines : lines.slice(0, most - 1);
  const hidden = lines.length - shown.length;
  const more = hidden === 0 ? [] : [`and ${hidden} more lines`];
  return [...shown, ...more].map((line) => cutText(line, columns - 1));
}

function plainLine(document: StatusDocument): string {
  return `${formatTime(document.atMs)} ${escapeText(statusLine(document))}`;
}

async function pause({ clock, stop }: Context, ms: number): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      timer.cancel();
      stop.removeEventListener("abort", end);
      resolve();
    };
    const timer = clock.after(ms, end);
    stop.addEventListener("abort", end);
  });
}
