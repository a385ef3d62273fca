// Says once that a follower was held up. A stopped process or a paused machine holds up every shard's thread, and each finds out by
// itself; a write that hangs holds up its own. Used by supervisor.ts.

import type { Clock, Timer } from "../io/clock.ts";
import type { FollowerReport } from "./follower-types.ts";

type Log = Extract<FollowerReport, { kind: "log" }>;

/** Threads that were held up by the same find out within a tick of each other. */
const GATHER_MS = 1_200;

export class HeldUpLog {
  readonly #clock: Clock;
  readonly #say: (log: Log) => void;
  #gathered: Log[] = [];
  #timer: Timer | null = null;

  constructor(clock: Clock, say: (log: Log) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Keeps what a shard says of it for a moment; false: it speaks of something else. */
  takes(log: Log): boolean {
    if (log.heldUpMs === undefined) return false;
    this.#gathered.push(log);
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.flush());
    return true;
  }

  /** Says what was gathered: the longest, without a shard's number where it was not one alone. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const longest = this.#gathered.toSorted((left, right) => msOf(right) - msOf(left))[0];
    const shards = new Set(this.#gathered.map(({ shard }) => shard));
    this.#gathered = [];
    if (longest === undefined) return;
    this.#say(shards.size === 1 ? longest : { ...longest, shard: null });
  }
}

function msOf({ heldUpMs = 0 }: Log): number {
  return heldUpMs;
}
