// What long work of the audit throws when its AbortSignal fires: neither a failure nor a bug. The commands turn it into
// the exit status of the signal (cli.md: Exit codes, 130 and 143), after printing what was found until then.

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
