// Runs a command as main.ts would, with everything it says captured. Arguments are parsed by the program's own parser.

import { ArmdbError } from "../../src/errors.ts";
import { nameArguments, readArguments } from "../../src/cli/words/arguments.ts";
import type { Command, Context } from "../../src/cli/command.ts";
import type { Messages, Output, Palette, ProgressRow } from "../../src/cli/surface/surface.ts";
import { resolveOptions } from "../../src/cli/words/precedence.ts";
import { createParsedArguments } from "../../src/cli/words/settled.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock, realRandom } from "../../src/io/time.ts";
import { plainMessages, plainOutput } from "./plain-output.ts";

export interface RunOptions {
  readonly disk?: Disk;
  readonly clock?: Clock;
  readonly stop?: AbortSignal;
  readonly columns?: number;
  /** The reader of stdout goes away after so many lines. */
  readonly closeAfterLines?: number;
  /** Sees every update of a progress display. */
  readonly onProgress?: (rows: readonly ProgressRow[]) => void;
}

export interface CommandRun {
  /** What the command returned, or the exit status of the ArmdbError it threw. */
  readonly status: number;
  /** Lines of stdout. */
  readonly lines: readonly string[];
  /** The JSON documents of stdout, as a reader would parse them. */
  readonly documents: readonly unknown[];
  /** Lines of stderr, as `level: text`. */
  readonly messages: readonly string[];
  readonly error: ArmdbError | null;
}

const plain = (text: string) => text;
const PLAIN_PALETTE: Palette = {
  bold: plain,
  dim: plain,
  red: plain,
  green: plain,
  yellow: plain,
  cyan: plain,
};

/** Runs `command` with these words (without the command's own name). Throws only bugs. */
export async function runCommand(
  command: Command,
  words: readonly string[],
  options: RunOptions = {},
): Promise<CommandRun> {
  const lines: string[] = [];
  const documents: unknown[] = [];
  const messages: string[] = [];
  const given = readArguments(command.spec, words);
  const resolved = resolveOptions(command.spec, given.options, { env: {}, files: [] });
  const args = createParsedArguments(nameArguments(command.spec, given.positionals), resolved);
  const context: Context = {
    args,
    out: captureOutput(lines, documents, options),
    messages: captureMessages(messages, options),
    disk: options.disk ?? realDisk,
    net: realNet,
    clock: options.clock ?? realClock,
    random: realRandom,
    stop: options.stop ?? new AbortController().signal,
    env: {},
    json: args.flag("json"),
    droppedLines: () => 0,
  };
  try {
    const status = await command.run(context);
    return { status, lines, documents, messages, error: null };
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return { status: thrown.exitStatus, lines, documents, messages, error: thrown };
  }
}

function captureOutput(lines: string[], documents: unknown[], options: RunOptions): Output {
  const linesMax = options.closeAfterLines ?? Number.POSITIVE_INFINITY;
  return {
    ...plainOutput,
    isTerminal: false,
    columns: options.columns ?? 100,
    palette: PLAIN_PALETTE,
    get closed() {
      return lines.length >= linesMax;
    },
    line(text) {
      if (lines.length < linesMax) lines.push(text);
    },
    json(document) {
      const text = JSON.stringify(document, (_name, value: unknown) =>
        typeof value === "bigint" ? value.toString() : value,
      );
      documents.push(JSON.parse(text));
    },
  };
}

function captureMessages(messages: string[], options: RunOptions): Messages {
  const say = (level: string) => (text: string) => void messages.push(`${level}: ${text}`);
  return {
    ...plainMessages,
    columns: options.columns ?? 100,
    palette: PLAIN_PALETTE,
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    progress: () => ({ update: (rows) => options.onProgress?.(rows), stop: () => {} }),
    confirm: null,
  };
}
