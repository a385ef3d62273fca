// `armdb status DIR`: am I safe? From the follower that runs on DIR, over its socket, else from the files without a scan
// (cli.md). Writes nothing, takes no lock.

import type { Net } from "../../io/net.ts";
import { type LineSockets, lineSockets } from "../../io/unix-socket.ts";
import { statusLine } from "../../status/status-line.ts";
import type { StatusDocument } from "../../status/status-types.ts";
import { verdictStatus } from "../../status/verdict.ts";
import { type Command, type Context, signalStatus } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { escapeText } from "../surface/escape.ts";
import { formatTime } from "../surface/numbers.ts";
import { statusLines } from "../render/status.ts";
import { lookAtStatus } from "./status-look.ts";
import { cutText } from "../surface/tables.ts";

const spec: CommandSpec = {
  name: "status",
  summary: "am I safe? a line a shard, from the running follower or from the files",
  description:
    "Asks the follower that runs on DIR, over DIR/armdb.sock; where none runs, says what headers, sidecars, cursors and " +
    "armdb.state.json tell, without a scan. The lag is an upper bound of the age of what is here. Of a live shard it is worked out from " +
    "the leader's heartbeats, which come every 5 s, plus the age of the oldest write that is not durable; of a polling one it is the age of the " +
    "start of its last whole scan; of one that has never caught up it is infinite (null in JSON, with caughtUp false).",
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
    [
      4,
      "behind, stalled or diverged; or no follower runs, and the first copy has not ended or slots differ",
    ],
    [
      5,
      "stopped: no follower runs; or a process is there that gives no status, or may not be asked",
    ],
    [10, "no database there"],
    [13, "another format"],
    [130, "--watch: stopped by SIGINT (143: by SIGTERM, 129: by SIGHUP)"],
  ],
  runsOn: { flag: "watch" },
  next: ["armdb doctor LEADER --data DIR", "armdb compare DIR LEADER", "armdb verify DIR"],
};

/** On a terminal it is redrawn, elsewhere it is a line each time. */
const REDRAW_INTERVAL_MS = 1_000;
const LINE_INTERVAL_MS = 5_000;

/** What the command stands on besides its context. */
export interface StatusSurroundings {
  sockets(net: Net): LineSockets;
}

export function createStatusCommand(around: StatusSurroundings): Command {
  return { spec, run: (context) => run(context, around) };
}

export const statusCommand: Command = createStatusCommand({
  sockets: lineSockets,
});

async function run(context: Context, around: StatusSurroundings): Promise<number> {
  const dir = context.args.argument("DIR") ?? "";
  if (context.args.flag("watch")) return await watch(context, around, dir);
  const document = await lookAtStatus(context, around.sockets(context.net), dir);
  if (context.json) context.out.json(document);
  else for (const line of linesOf(context, document, dir)) context.out.line(line);
  return verdictStatus(document.verdict);
}

function linesOf({ out }: Context, document: StatusDocument, dir: string): string[] {
  return statusLines(document, { palette: out.palette, columns: out.columns, dir });
}

/** Shows it until it is stopped or nobody reads any more. */
async function watch(context: Context, around: StatusSurroundings, dir: string): Promise<number> {
  const { out, stop, json, env } = context;
  const canDraw = out.isTerminal && env["TERM"] !== "dumb" && !json;
  const display = canDraw ? out.drawing() : null;
  const intervalMs = display === null && !json ? LINE_INTERVAL_MS : REDRAW_INTERVAL_MS;
  let shown: string[] = [];
  let status = 5;
  try {
    while (!stop.aborted && !out.closed) {
      const document = await lookAtStatus(context, around.sockets(context.net), dir);
      status = verdictStatus(document.verdict);
      if (json) out.json(document);
      else if (display === null) out.line(plainLine(document));
      else {
        const draw = () => {
          shown = linesOf(context, document, dir);
          return screenOf(shown, out.columns, out.rows);
        };
        display.draw(draw);
      }
      if (!out.closed) await pause(context, intervalMs);
    }
  } finally {
    display?.end();
    // What was last seen stays on the screen, as much of it as fits.
    for (const line of screenOf(shown, out.columns, out.rows)) out.line(line);
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
