// What a command is, and everything it may touch: tests drive commands through a context of their own.

import type { Clock, RandomSource } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Net } from "../io/net.ts";
import type { Surroundings } from "./precedence.ts";
import type { ParsedArguments } from "./settled.ts";
import type { CommandSpec } from "./spec.ts";

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
