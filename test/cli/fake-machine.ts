// A machine for runs inside the test process: streams that remember, no network, no config files unless given. Used by
// tests of run.ts, messages and output.

import { type Machine, runArmdb } from "../../src/cli/run.ts";
import type { StopControl } from "../../src/cli/signals.ts";
import type { Sink } from "../../src/cli/surface/streams.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { withoutTimes } from "../support/line-times.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";

/** A sink that keeps what was written, and fails when told to. */
export class MemorySink implements Sink {
  text = "";
  isTerminal: boolean;
  failure: string | null = null;
  columnCount = 80;
  rowCount = 24;

  constructor(isTerminal = false) {
    this.isTerminal = isTerminal;
  }

  columns(): number {
    return this.columnCount;
  }

  rows(): number {
    return this.rowCount;
  }

  write(text: string): string | null {
    if (this.failure === null) this.text += text;
    return this.failure;
  }

  readonly isBehind = false;
  readonly droppedLines = 0;
  neverWaits = false;

  neverWait(): void {
    this.neverWaits = true;
  }

  async finish(): Promise<void> {}

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

/** What a run may be given; all of it optional. */
export interface FakeMachineOptions {
  readonly env?: Record<string, string>;
  readonly files?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  /** Called with the stop control once the run listens to it. */
  readonly onListen?: (control: StopControl) => void;
}

export interface FinishedRun {
  readonly status: number;
  readonly stdout: string;
  /** Without the times of its lines. */
  readonly stderr: string;
  /** Statuses with which the run would have ended the process at once. */
  readonly endedNow: readonly number[];
}

export interface FakeMachine {
  readonly machine: Machine;
  readonly stdout: MemorySink;
  readonly stderr: MemorySink;
  readonly endedNow: number[];
}

export function fakeMachine(
  argv: readonly string[],
  options: FakeMachineOptions = {},
): FakeMachine {
  const stdout = new MemorySink(options.terminal);
  const stderr = new MemorySink(options.terminal);
  const endedNow: number[] = [];
  const clock = new ManualClock();
  const machine: Machine = {
    streams: {
      stdout,
      stderr,
      stdinIsTerminal: false,
      journal: false,
      env: { HOME: "/home/somebody", ...options.env },
      watchTerminal: () => () => {},
      nowMs: () => 0,
      wallMs: () => 1_800_000_000_000,
    },
    argv,
    disk: realDisk,
    net: new MemoryNet(clock),
    clock,
    random: { fraction: () => 0.5 },
    readConfigText: (path) => options.files?.[path] ?? null,
    listen(control) {
      options.onListen?.(control);
      return () => {};
    },
    endNow: (status) => void endedNow.push(status),
  };
  return { machine, stdout, stderr, endedNow };
}

/** Runs a command line in this process. */
export async function runFake(
  argv: readonly string[],
  options: FakeMachineOptions = {},
): Promise<FinishedRun> {
  const { machine, stdout, stderr, endedNow } = fakeMachine(argv, options);
  const status = await runArmdb(machine);
  return { status, stdout: stdout.text, stderr: withoutTimes(stderr.text), endedNow };
}
