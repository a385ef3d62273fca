// Pauses: for signals to get through, for a rate limit, for a writer to finish. Used by scan/shard.ts and what it calls.

import type { Clock } from "../../io/clock.ts";

/** Lets the event loop turn once. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves after `delayMs` of the given clock. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** A pause is cut into pieces of this length, so that a stop is seen soon. */
const PIECE_MS = 100;

/** Keeps reading below a rate (cli.md: `--limit-rate`). */
export class Throttle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number | null;
  readonly #startMs: number;
  #bytes = 0;

  constructor(clock: Clock, bytesPerSecond: number | null) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#startMs = bytesPerSecond === null ? 0 : clock.nowMs();
  }

  /** Notes bytes read and waits until they were due. */
  async spend(bytes: number, shouldStop: () => boolean): Promise<void> {
    if (this.#bytesPerSecond === null) return;
    this.#bytes += bytes;
    const dueMs = this.#startMs + (this.#bytes / this.#bytesPerSecond) * 1000;
    for (;;) {
      const leftMs = dueMs - this.#clock.nowMs();
      if (leftMs <= 0 || shouldStop()) return;
      await pause(this.#clock, Math.min(leftMs, PIECE_MS));
    }
  }
}
