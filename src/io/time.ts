// The clock and the random source of the machine.

import type { Clock, RandomSource } from "./clock.ts";
import { monotonicMs } from "./libc.ts";

let originMs: number | null = null;

export const realClock: Clock = {
  nowMs() {
    // performance.now() starts at 0 in each worker; one system call fixes its origin for this thread.
    originMs ??= monotonicMs() - performance.now();
    return originMs + performance.now();
  },
  wallMs() {
    return Date.now();
  },
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

export const realRandom: RandomSource = {
  fraction() {
    return Math.random();
  },
};
