// When a shard last heard from its leader, told by its thread to the supervisor's without a message: its figures come once a
// second, and the lag of a busy stream would be that of the figures.

/** One number that two threads share. The thread that follows notes, any thread reads. */
export class LastFrame {
  /** Crosses to a thread as it is. */
  readonly memory: SharedArrayBuffer;
  /** One f64, aligned: written and read in one piece by the processors that this runs on. */
  readonly #cell: Float64Array;

  constructor(memory = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cell = new Float64Array(memory);
  }

  /** Monotonic ms (io/clock.ts). */
  note(atMs: number): void {
    this.#cell[0] = atMs;
  }

  /** Null: none since the thread was started. */
  get atMs(): number | null {
    const atMs = this.#cell[0] as number;
    return atMs === 0 ? null : atMs;
  }
}
