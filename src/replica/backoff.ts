// How long to wait before the next connect: 1 s doubling to 30 s with jitter, and back to 1 s only after real progress.
// Pure: chance is passed in.

import type { RandomSource } from "../io/clock.ts";
import { RECONNECT_DELAY_MS_MAX, RECONNECT_DELAY_MS_MIN, RECONNECT_JITTER } from "../limits.ts";

export class Backoff {
  readonly #random: RandomSource;
  #delayMs = RECONNECT_DELAY_MS_MIN;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** The delay before the next attempt, ms; each call doubles the one after it. */
  next(): number {
    const spread = 1 + RECONNECT_JITTER * (2 * this.#random.fraction() - 1);
    const delayMs = this.#delayMs * spread;
    this.#delayMs = Math.min(this.#delayMs * 2, RECONNECT_DELAY_MS_MAX);
    return Math.round(delayMs);
  }

  /** A whole scan came through: the next failure starts again at the shortest delay. */
  progressed(): void {
    this.#delayMs = RECONNECT_DELAY_MS_MIN;
  }
}
