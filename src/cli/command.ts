// What a command is, and everything it may touch: tests drive commands through a context of their own.

import type { Clock, RandomSource } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Net } from "../io/net.ts";
import type { Surroundings } from "./words/precedence.ts";
import type { ParsedArguments } from "./words/settled.ts";
import type { CommandSpec } from "./words/spec.ts";
import type { Messages, Output } from "./surface/surface.ts";

/** Everything a command may touch. */
export interface Context {
  readonly args: ParsedArguments;
  readonly out: Output;
  readonly messages: Messages;
  readonly disk: Disk;
  readonly net: Net;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP; `reason` is the signal's name. A second one ends the process at once. */
  readonly stop: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
  /** Lines for stdout and stderr that were dropped because nobody read them. */
  droppedLines(): number;
  /** What may have set options besides the command line; only `armdb config` looks at it. */
  readonly around?: Surroundings;
}

export interface Command {
  readonly spec: CommandSpec;
  /** Returns the exit status, or throws an ArmdbError. */
  run(context: Context): Promise<number>;
}

/** A command by the one or two words that are typed; loaded when it is run or its table is needed. */
export interface RegistryEntry {
  readonly name: string;
  load(): Promise<Command>;
}

/** The exit status of what was stopped before its end, null of what was not (findings.ts: outcomeOf). */
export function stopStatus(wasStopped: boolean, { reason }: AbortSignal): number | null {
  return wasStopped ? signalStatus(reason) : null;
}

/** Exit status of a command that was stopped by this signal (cli.md: Exit codes). */
export function signalStatus(reason: unknown): number {
  if (reason === "SIGHUP") return 129;
  return reason === "SIGTERM" ? 143 : 130;
}
