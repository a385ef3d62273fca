// The program: gives a run its machine and ends the process with its status. The only process.exit is here.

import { isatty } from "node:tty";
import { readConfigText } from "./cli/words/config-file.ts";
import { restoreCursor } from "./cli/surface/display.ts";
import { runArmdb, tellFailure } from "./cli/run.ts";
import { ProcessSignals } from "./cli/signals.ts";
import { isJournal, processSink } from "./cli/surface/streams.ts";
import { createVoice, guessManner, type Streams } from "./cli/voice.ts";
import { realDisk } from "./io/real-disk.ts";
import { realNet } from "./io/sockets.ts";
import { watchTerminal } from "./io/terminal-signals.ts";
import { realClock, realRandom } from "./io/time.ts";

/** What the last words get to be read. */
const LAST_WORDS_MS = 1_000;

const argv = process.argv.slice(2);
const signals = new ProcessSignals();
const sinkOptions = {
  clock: realClock,
  whileWaiting: (wait: () => void) => signals.suspended(wait),
};
const streams: Streams = {
  stdout: processSink(1, sinkOptions),
  stderr: processSink(2, sinkOptions),
  stdinIsTerminal: isatty(0),
  journal: isJournal(process.env),
  env: process.env,
  watchTerminal: (events) => watchTerminal(realClock, events),
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};

function end(status: number): never {
  process.exit(status);
}

/** A bug outside of every promise that is awaited: said as any other failure, then the end. */
function endWithBug(thrown: unknown): void {
  restoreCursor(streams.stderr);
  const voice = createVoice(streams, guessManner(argv, process.env), AbortSignal.abort());
  const status = tellFailure(voice, thrown);
  void lastWords().then(() => end(status));
}

async function lastWords(): Promise<void> {
  await Promise.all([streams.stdout.finish(LAST_WORDS_MS), streams.stderr.finish(LAST_WORDS_MS)]);
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
  listen: (control) => signals.listen(control),
  endNow: end,
});
await lastWords();
end(status);
