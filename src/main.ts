// The program: gives a run its machine and ends the process with its status. The only process.exit is here.

import { isatty } from "node:tty";
import { readConfigText } from "./cli/words/config-file.ts";
import { restoreCursor } from "./cli/surface/display.ts";
import { runArmdb, tellFailure } from "./cli/run.ts";
import { listenToSignals } from "./cli/signals.ts";
import { isJournal, processSink } from "./cli/surface/streams.ts";
import { createVoice, guessManner, type Streams } from "./cli/voice.ts";
import { realDisk } from "./io/real-disk.ts";
import { realNet } from "./io/sockets.ts";
import { realClock, realRandom } from "./io/time.ts";

const argv = process.argv.slice(2);
const streams: Streams = {
  stdout: processSink(1),
  stderr: processSink(2),
  stdinIsTerminal: isatty(0),
  journal: isJournal(process.env),
  env: process.env,
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};

function end(status: number): never {
  process.exit(status);
}

/** A bug outside of every promise that is awaited: said as any other failure, then the end. */
function endWithBug(thrown: unknown): never {
  restoreCursor(streams.stderr);
  const voice = createVoice(streams, guessManner(argv, process.env), AbortSignal.abort());
  end(tellFailure(voice, thrown));
}

process.on("uncaughtException", endWithBug);
process.on("unhandledRejection", endWithBug);

const status = await runArmdb({
  streams,
  argv,
  disk: realDisk,
  net: realNet,
  clock: realClock,
  random: realRandom,
  readConfigText,
  listen: listenToSignals,
  endNow: end,
});
end(status);
