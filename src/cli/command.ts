// What a command is: a row of the table that help, completion, the man page and the README's reference are made of, and
// a function that runs. Commands get everything they touch through the context, so that tests can drive them.

import type { Clock, RandomSource } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Net } from "../io/net.ts";
import type { Surroundings } from "./precedence.ts";

/** How the value of an option is written and checked (cli.md: opening lines). */
export type OptionKind =
  | "flag"
  | "text"
  | "integer"
  /** `64KiB`, `10MB`: bytes. */
  | "size"
  /** A size a second, or `off`. */
  | "rate"
  /** `500ms`, `5s`, `10m`, `1h`, or `off` where `offAllowed`. */
  | "duration"
  | "choice"
  /** `A..B`, slots. */
  | "range";

export interface OptionSpec {
  /** Without the dashes: `leader-connections`. */
  readonly name: string;
  readonly short?: string;
  readonly kind: OptionKind;
  /** Placeholder of the value in help: `DIR`, `HOST:PORT`. Absent for flags. */
  readonly value?: string;
  readonly summary: string;
  /** As the user would write it. */
  readonly default?: string;
  readonly choices?: readonly string[];
  readonly offAllowed?: boolean;
  readonly repeatable?: boolean;
  /** Only on the command line, never from environment or file (cli.md: Common options). */
  readonly commandLineOnly?: boolean;
  /** What a shell completes for the value. */
  readonly complete?: "directory" | "file";
}

export interface ArgumentSpec {
  /** `DIR`, `LEADER`, `SHARD`. */
  readonly name: string;
  readonly required: boolean;
  readonly summary: string;
  readonly complete?: "directory" | "file";
  /** The only words that are accepted. */
  readonly choices?: readonly string[];
}

export interface Example {
  readonly command: string;
  readonly explains: string;
}

export interface CommandSpec {
  /** `replicate`, `inspect shard`. */
  readonly name: string;
  readonly summary: string;
  /** A short paragraph or two for help and man page. */
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  /** Besides the common options. */
  readonly options: readonly OptionSpec[];
  /** Two to four, one of them with `--json | jq`. */
  readonly examples: readonly Example[];
  /** Exit status and when. */
  readonly exits: readonly (readonly [number, string])[];
  /** What to run next. */
  readonly next: readonly string[];
}

/** Values of arguments and options after precedence (flag, environment, file, default) and checks. */
export interface ParsedArguments {
  /** A positional argument, null when it is optional and absent. */
  argument(name: string): string | null;
  flag(name: string): boolean;
  /** Text or choice; null when absent and without default. */
  text(name: string): string | null;
  texts(name: string): readonly string[];
  integer(name: string): number | null;
  /** Bytes, or bytes a second for a rate; null for `off` or absent. */
  bytes(name: string): number | null;
  /** ms; null for `off` or absent. */
  durationMs(name: string): number | null;
  /** Both ends included; null when absent. */
  range(name: string): { readonly first: number; readonly last: number } | null;
}

/** Wraps text in colour where the stream shows colour, and returns it unchanged elsewhere. */
export interface Palette {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** stdout: data for scripts and people. Never throws: a closed pipe sets `closed`. */
export interface Output {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly palette: Palette;
  /** True after the reader went away (`| head`): long work may stop. */
  readonly closed: boolean;
  line(text: string): void;
  /** One JSON document (or NDJSON object) and a newline. bigint becomes a string. */
  json(document: unknown): void;
}

/** One row of a progress display. */
export interface ProgressRow {
  /** `shard 3` */
  readonly label: string;
  /** What is happening: `scanning`, `live`. */
  readonly state: string;
  readonly done: number;
  /** 0 when unknown. */
  readonly total: number;
  /** `slots`, `bytes`: bytes are shown as KiB, MiB. */
  readonly unit: "slots" | "bytes";
}

/** Rate and time left are worked out from successive updates. On a terminal redrawn in place, else a line per interval. */
export interface Progress {
  update(rows: readonly ProgressRow[]): void;
  /** Removes or finishes the display. */
  stop(): void;
}

/** stderr: everything for people, and `--json`'s error objects. */
export interface Messages {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly palette: Palette;
  /** Level debug needs `--verbose`; info is silent with `--quiet`. */
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  progress(title: string): Progress;
  /** Only where both ends are a terminal and CI is not set; elsewhere null: the caller then demands `--yes`. */
  readonly confirm: ((question: string) => Promise<boolean>) | null;
}

/** Everything a command may touch. */
export interface Context {
  readonly args: ParsedArguments;
  readonly out: Output;
  readonly messages: Messages;
  readonly disk: Disk;
  readonly net: Net;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Aborted by the first SIGINT or SIGTERM; `reason` is the signal's name. The second one ends the process at once. */
  readonly stop: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
  /** What may have set options besides the command line; only `armdb config` looks at it. */
  readonly around?: Surroundings;
}

export interface Command {
  readonly spec: CommandSpec;
  /** Returns the exit status, or throws an ArmdbError. */
  run(context: Context): Promise<number>;
}

/** Exit status of a command that was stopped by this signal (cli.md: Exit codes). */
export function signalStatus(reason: unknown): number {
  return reason === "SIGTERM" ? 143 : 130;
}
