// Who waits for a comparison of which shard (difference-recorder.ts makes them, in the shards' threads). Used by supervisor.ts.
// Promises: what a comparison that was given up still says reaches nobody; each one that was not ends with `compared` or `failed`.

import { assert } from "../errors.ts";
import type { CompareEvent } from "./compare/compare-types.ts";

interface Waiting {
  readonly id: number;
  readonly received: (event: CompareEvent) => void;
}

export class ShardComparisons {
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;

  /** One comparison a shard at a time. Returns its id. */
  begin(shard: number, received: (event: CompareEvent) => void): number {
    assert(!this.#waiting.has(shard), "one comparison a shard at a time");
    const id = ++this.#ids;
    this.#waiting.set(shard, { id, received });
    return id;
  }

  received(shard: number, id: number, event: CompareEvent): void {
    const waiting = this.#waiting.get(shard);
    if (waiting?.id !== id) return;
    if (event.kind !== "progress") this.#waiting.delete(shard);
    waiting.received(event);
  }

  /** The shard cannot go on, whatever comparison it was at. */
  fail(shard: number, reason: string): void {
    const waiting = this.#waiting.get(shard);
    this.#waiting.delete(shard);
    waiting?.received({ kind: "failed", reason });
  }

  /** Nobody waits any more; false when nobody did. */
  giveUp(shard: number, id: number): boolean {
    if (this.#waiting.get(shard)?.id !== id) return false;
    return this.#waiting.delete(shard);
  }
}
