// SIGUSR1: an operator asks a running program to say how it is. Used by commands/replicate.ts.

/** Calls `run` for each SIGUSR1; returns what ends that. */
export function onUserSignal(run: () => void): () => void {
  process.on("SIGUSR1", run);
  return () => void process.off("SIGUSR1", run);
}
