// How fast something counts up, from samples of the last seconds. Used by progress and tested without a clock.

const WINDOW_MS = 10_000;
const SAMPLE_MS = 200;

interface Sample {
  readonly atMs: number;
  readonly done: number;
}

export class RateMeter {
  #samples: Sample[] = [];

  /** Notes a count. A count below the one before (a new scan) starts afresh. */
  add(atMs: number, done: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && done < last.done) this.#samples = [];
    // The newest sample is replaced while it is fresh, so that the window holds few of them.
    const before = this.#samples.at(-2);
    if (before !== undefined && atMs - before.atMs < SAMPLE_MS) this.#samples.pop();
    this.#samples.push({ atMs, done });
    while (this.#samples.length > 2 && atMs - (this.#samples[0]?.atMs ?? atMs) > WINDOW_MS) {
      this.#samples.shift();
    }
  }

  /** Counts a second over the window; 0 when it cannot be told. */
  perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return ((last.done - first.done) / (last.atMs - first.atMs)) * 1000;
  }
}
