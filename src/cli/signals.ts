// SIGINT, SIGTERM and SIGHUP: the first asks the command to stop and says so at once, the second ends the process.

import { readFileSync } from "node:fs";
import { signalStatus } from "./command.ts";

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** What a signal may do. */
export interface SignalActions {
  /** Says to the operator that the signal was heard. */
  announce(name: StopSignal): void;
  /** Ends the process, whatever becomes of its words. */
  endNow(status: number): void;
}

/** The stop signal of a run. `raise` is what a signal handler calls. */
export interface StopControl {
  readonly signal: AbortSignal;
  raise(name: StopSignal): void;
}

export function createStopControl(actions: SignalActions): StopControl {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    raise(name) {
      if (controller.signal.aborted) {
        actions.endNow(signalStatus(name));
        return;
      }
      actions.announce(name);
      controller.abort(name);
    },
  };
}

/** The process's signals: to one control at a time, or to nobody. */
export class ProcessSignals {
  readonly #names: readonly StopSignal[];
  readonly #handler = (name: string) => this.#control?.raise(name as StopSignal);
  #control: StopControl | null = null;

  /** `readStatus` gives the text of /proc/self/status, null where there is none. */
  constructor(readStatus: () => string | null = ownStatus) {
    const names: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
    this.#names = ignoresHangup(readStatus()) ? names.filter((name) => name !== "SIGHUP") : names;
  }

  /** Hands the signals to a control; returns what takes the handlers off again. */
  listen(control: StopControl): () => void {
    this.#control = control;
    this.#on();
    return () => {
      this.#off();
      this.#control = null;
    };
  }

  /** Runs a wait in which no handler can be called: a signal ends the process there, as one without handlers. */
  suspended(wait: () => void): void {
    if (this.#control === null) return wait();
    this.#off();
    try {
      wait();
    } finally {
      this.#on();
    }
  }

  #on(): void {
    for (const name of this.#names) process.on(name, this.#handler);
  }

  #off(): void {
    for (const name of this.#names) process.off(name, this.#handler);
  }
}

/** Under nohup SIGHUP was ignored before this process began, and a handler would take that away. */
export function ignoresHangup(status: string | null): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & 1n) === 1n;
}

function ownStatus(): string | null {
  try {
    return readFileSync("/proc/self/status", "utf8");
  } catch {
    return null;
  }
}
