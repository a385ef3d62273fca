// The order in which shards begin: few at a time, so that the main thread answers questions and signals in between, and a
// shard's own slots are read by as many threads as there are cores. Used by shard-crew.ts. Pure but for `start`.

export class ShardStarts {
  readonly #startingMax: number;
  readonly #start: (shard: number) => void;
  readonly #waiting: number[] = [];
  /** Begun, and not heard of yet. */
  readonly #starting = new Set<number>();

  constructor(startingMax: number, start: (shard: number) => void) {
    this.#startingMax = startingMax;
    this.#start = start;
  }

  /** Starts it now or after others. */
  add(shard: number): void {
    this.#waiting.push(shard);
    this.#next();
  }

  /** It has read what is on disk, or is no more: the next one may begin. */
  begun(shard: number): void {
    if (this.#starting.delete(shard)) this.#next();
  }

  /** No other one begins. Returns those that were still to begin. */
  stop(): number[] {
    return this.#waiting.splice(0);
  }

  #next(): void {
    while (this.#starting.size < this.#startingMax) {
      const shard = this.#waiting.shift();
      if (shard === undefined) return;
      this.#starting.add(shard);
      this.#start(shard);
    }
  }
}
