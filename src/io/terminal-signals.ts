// What a terminal tells the program on it by signals: that its size changed, that a shell stops the program (Ctrl-Z) and has it go
// on (`fg`). Used by main.ts for the lines that are redrawn in place.

import type { Clock, Timer } from "./clock.ts";

export interface TerminalSignals {
  /** Another size, or the program goes on. */
  changed(): void;
  /** Right before it is stopped. */
  suspends(): void;
}

/** The runtime asks for the new size after the signal; a window that is drawn wider sends many. */
const SETTLES_MS = 50;

/** Calls them from now on; returns what ends that. */
export function watchTerminal(clock: Pick<Clock, "after">, events: TerminalSignals): () => void {
  let timer: Timer | null = null;
  const resized = () => {
    timer?.cancel();
    timer = clock.after(SETTLES_MS, events.changed);
  };
  const suspended = () => {
    events.suspends();
    // As if nobody had listened: where no shell could have it go on, the kernel does not stop it.
    process.off("SIGTSTP", suspended);
    process.kill(process.pid, "SIGTSTP");
    process.on("SIGTSTP", suspended);
    events.changed();
  };
  process.on("SIGWINCH", resized);
  process.on("SIGTSTP", suspended);
  // After a SIGSTOP too, which nobody hears.
  process.on("SIGCONT", resized);
  return () => {
    timer?.cancel();
    process.off("SIGWINCH", resized);
    process.off("SIGTSTP", suspended);
    process.off("SIGCONT", resized);
  };
}
