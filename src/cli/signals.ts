// SIGINT and SIGTERM: the first asks the command to stop and says so at once, the second ends the process.

import { signalStatus } from "./command.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

/** What a signal may do. */
export interface SignalActions {
  /** Says to the operator that the signal was heard. */
  announce(text: string): void;
  /** Gives the terminal back and ends the process. */
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
      actions.announce(`stopping on ${name}; once more ends at once`);
      controller.abort(name);
    },
  };
}

/** Hands the process's signals to a control; returns what takes the handlers off again. */
export function listenToSignals(control: StopControl): () => void {
  const onInterrupt = () => control.raise("SIGINT");
  const onTerminate = () => control.raise("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return () => {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
  };
}
