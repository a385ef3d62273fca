// Builds what a run says things with (output, messages, colours, the display) from the common options. Built twice: first
// from a tolerant look at argv, so that even a usage error comes out as asked, then from the options that hold.

import { paceOf } from "./words/pace.ts";
import type { ParsedArguments } from "./words/settled.ts";
import { createDisplay, type Display, type WatchTerminal } from "./surface/display.ts";
import { glyphsOf } from "./surface/glyphs.ts";
import { createMessages, type ProcessMessages } from "./surface/messages.ts";
import { createOutput, type FlushedOutput } from "./surface/output.ts";
import { createPalette, showsColor } from "./surface/palette.ts";
import type { Pace } from "./surface/schedule.ts";
import type { Sink } from "./surface/streams.ts";
import { loadPrompts } from "./surface/terminal.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The streams of a process and what surrounds them. */
export interface Streams {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdinIsTerminal: boolean;
  readonly journal: boolean;
  readonly env: Environment;
  readonly watchTerminal: WatchTerminal;
  /** Monotonic ms of this thread. */
  nowMs(): number;
  wallMs(): number;
}

/** The common options that shape what is said. */
export interface Manner {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: string;
  readonly logFormat: "text" | "json";
  readonly pace: Pace;
}

export interface Voice {
  readonly manner: Manner;
  readonly out: FlushedOutput;
  readonly messages: ProcessMessages;
  readonly display: Display | null;
}

/** The manner that the settled options ask for. */
export function mannerOf(args: ParsedArguments): Manner {
  return {
    json: args.flag("json"),
    quiet: args.flag("quiet"),
    verbose: args.flag("verbose"),
    color: args.text("color") ?? "auto",
    logFormat: args.text("log-format") === "json" ? "json" : "text",
    pace: args.has("progress") ? paceOf(args) : null,
  };
}

/** The manner as far as a look at the words and variables tells; never fails. */
export function guessManner(argv: readonly string[], env: Environment): Manner {
  const end = argv.indexOf("--");
  const words = end === -1 ? argv : argv.slice(0, end);
  const isOn = (text: string | undefined) => ["1", "true", "yes", "on"].includes(text ?? "");
  const valueOf = (name: string, variable: string | undefined) => {
    const index = words.lastIndexOf(`--${name}`);
    const joined = words.find((word) => word.startsWith(`--${name}=`));
    return joined?.slice(name.length + 3) ?? (index === -1 ? variable : words[index + 1]);
  };
  const color = valueOf("color", env["ARMDB_COLOR"]) ?? "auto";
  const format = valueOf("log-format", env["ARMDB_LOG_FORMAT"]);
  return {
    json: words.includes("--json") || isOn(env["ARMDB_JSON"]),
    quiet: false,
    verbose: words.includes("--verbose") || words.includes("-v") || isOn(env["ARMDB_VERBOSE"]),
    color,
    logFormat: format === "json" ? "json" : "text",
    pace: null,
  };
}

/** `stop` ends a question that is open. */
export function createVoice(streams: Streams, manner: Manner, stop: AbortSignal): Voice {
  const { stdout, stderr, env, watchTerminal } = streams;
  const styledOut = showsColor({ choice: manner.color, env, isTerminal: stdout.isTerminal });
  const styledErr = showsColor({ choice: manner.color, env, isTerminal: stderr.isTerminal });
  const canDraw = stderr.isTerminal && env["TERM"] !== "dumb";
  const display = canDraw ? createDisplay(stderr, watchTerminal) : null;
  const out = createOutput({
    sink: stdout,
    palette: createPalette(styledOut),
    styled: styledOut,
    display: stdout.isTerminal ? display : null,
    watchTerminal,
  });
  const canAsk = canPrompt(streams);
  const messages = createMessages({
    sink: stderr,
    palette: createPalette(styledErr),
    styled: styledErr,
    display,
    level: manner.quiet ? "warn" : manner.verbose ? "debug" : "info",
    format: manner.logFormat,
    json: manner.json,
    journal: streams.journal,
    glyphs: glyphsOf(env),
    pace: manner.pace,
    confirm: canAsk ? (question) => confirm(question, display, stop) : null,
    nowMs: () => streams.nowMs(),
    wallMs: () => streams.wallMs(),
  });
  return { manner, out, messages, display };
}

/** True where a person can be asked: both ends are a terminal, and no CI pretends to have one. */
export function canPrompt(streams: Streams): boolean {
  const { CI, TERM } = streams.env;
  const isCi = CI !== undefined && CI !== "" && CI !== "false" && CI !== "0";
  return streams.stdinIsTerminal && streams.stderr.isTerminal && !isCi && TERM !== "dumb";
}

/** Throws Interrupted when the question is left with Ctrl-C or ended by a signal. */
async function confirm(
  question: string,
  display: Display | null,
  stop: AbortSignal,
): Promise<boolean> {
  display?.end();
  const prompts = await loadPrompts(stop);
  return prompts.confirm(question, false);
}
