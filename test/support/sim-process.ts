// A process that can be held up, as by Ctrl-Z, a frozen container or a paused machine: it runs nothing meanwhile, and the rest of the
// world goes on. When it continues, the timers that have fallen due run first, and a moment later what its sockets have received is heard.

import type { Clock, Timer } from "../../src/io/clock.ts";
import type { Net } from "../../src/io/net.ts";

export class SimProcess {
  readonly #outside: Clock;
  #timers: (() => void)[] | null = null;
  #heard: (() => void)[] = [];
  readonly clock: Clock;
  readonly net: Net;

  constructor(outside: Clock, net: Net) {
    this.#outside = outside;
    this.clock = {
      nowMs: () => outside.nowMs(),
      wallMs: () => outside.wallMs(),
      after: (delayMs, run) => this.#after(delayMs, run),
    };
    this.net = {
      listen: (options) => net.listen(options),
      connect: (options, events) =>
        net.connect(options, {
          opened: (link) => this.#hear(() => events.opened(link)),
          received: (link, chunk) => {
            // It is lent for this call alone.
            const kept = chunk.slice();
            this.#hear(() => events.received(link, kept));
          },
          ended: (link, end) => this.#hear(() => events.ended(link, end)),
        }),
    };
  }

  /** Holds it up, until `goOn`. */
  stop(): void {
    this.#timers ??= [];
  }

  goOn(): void {
    const timers = this.#timers ?? [];
    const heard = this.#heard;
    this.#timers = null;
    this.#heard = [];
    for (const run of timers) run();
    // Also after what its threads have told each other: they wake up in any order.
    this.#outside.after(1, () => {
      for (const run of heard) run();
    });
  }

  #after(delayMs: number, run: () => void): Timer {
    let isOver = false;
    const runOnce = () => {
      if (isOver) return;
      isOver = true;
      run();
    };
    const timer = this.#outside.after(delayMs, () => {
      if (this.#timers === null) runOnce();
      else this.#timers.push(runOnce);
    });
    return {
      cancel: () => {
        isOver = true;
        timer.cancel();
      },
    };
  }

  #hear(run: () => void): void {
    if (this.#timers === null) run();
    else this.#heard.push(run);
  }
}
