// The program: gives a run its machine and ends the process with its status. The only process.exit is here.

import { readConfigText } from "./cli/config-file.ts";
import { runArmdb } from "./cli/run.ts";
import { listenToSignals } from "./cli/signals.ts";
import { isJournal, processSink } from "./cli/streams.ts";
import { explain, failureLines } from "./cli/failure.ts";
import { createPalette } from "./cli/palette.ts";
import { realDisk } from "./io/real-disk.ts";
import { realNet } from "./io/sockets.ts";
import { realClock, realRandom } from "./io/time.ts";
import { isatty } from "node:tty";

function end(status: number): never {
  process.exit(status);
}

/** A bug outside of every promise that is awaited: said in one piece, then the end. */
function endWithBug(thrown: unknown): never {
  const style = { palette: createPalette(false), verbose: process.argv.includes("--verbose") };
  processSink(2).write(`${failureLines(explain(thrown), style).join("\n")}\n`);
  end(1);
}

process.on("uncaughtException", endWithBug);
process.on("unhandledRejection", endWithBug);

const status = await runArmdb({
  streams: {
    stdout: processSink(1),
    stderr: processSink(2),
    stdinIsTerminal: isatty(0),
    journal: isJournal(process.env),
    env: process.env,
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
  },
  argv: process.argv.slice(2),
  disk: realDisk,
  net: realNet,
  clock: realClock,
  random: realRandom,
  readConfigText,
  listen: listenToSignals,
  endNow: end,
});
end(status);
