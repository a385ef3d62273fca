// Named one-shot timers of one owner, all stopped together: a loop that waits can always be stopped.

import type { Clock, Timer } from "./clock.ts";

export class Timers<Name extends string> {
  readonly #clock: Clock;
  readonly #running = new Map<Name, Timer>();
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True once `stop` was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Starts or restarts the timer of that name. */
  set(name: Name, delayMs: number, run: () => void): void {
    this.cancel(name);
    if (this.#stopped) return;
    const timer = this.#clock.after(delayMs, () => {
      this.#running.delete(name);
      run();
    });
    this.#running.set(name, timer);
  }

  has(name: Name): boolean {
    return this.#running.has(name);
  }

  cancel(name: Name): void {
    this.#running.get(name)?.cancel();
    this.#running.delete(name);
  }

  /** Cancels all; later `set` calls do nothing. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#running.values()) timer.cancel();
    this.#running.clear();
  }
}
