// What long work of the audit throws when its AbortSignal fires: neither a failure nor a bug. The commands turn it into
// the exit status of the signal (cli.md: Exit codes, 130 and 143), after printing what was found until then.

import type { Clock } from "../io/clock.ts";

export class Stopped extends Error {
  constructor() {
    super("stopped by a signal");
    this.name = "Stopped";
  }
}

/** Throws Stopped once the signal has fired. */
export function throwIfStopped(stop: AbortSignal): void {
  if (stop.aborted) throw new Stopped();
}

/** Waits, at most until `stop` fires; then it throws Stopped. */
export async function pauseUnlessStopped(
  clock: Clock,
  delayMs: number,
  stop: AbortSignal,
): Promise<void> {
  throwIfStopped(stop);
  await new Promise<void>((resolve) => {
    const finish = () => {
      timer.cancel();
      stop.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.after(delayMs, finish);
    stop.addEventListener("abort", finish);
  });
  throwIfStopped(stop);
}
