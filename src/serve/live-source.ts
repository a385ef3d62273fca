// Where live events come from, and the ring that holds them for one follower. The source is passed in: none for
// `armdb serve`, a writer in the sample leader, a follower that relays in later work.
// Promises: a slow follower costs at most one ring; what does not fit is never dropped in silence (wire.md, point 4).

import { LEADER_RING_EVENTS } from "../limits.ts";

/** One change of a slot. */
export interface LiveEvent {
  readonly slot: number;
  /** The slot's new meta word; FREE is a reset. */
  readonly meta: number;
  /** The slot's bytes after the change. Shared by all followers: never changed again by anybody. */
  readonly image: Uint8Array;
}

export interface LiveSink {
  /** Takes an event at once; never waits and never throws. */
  event(event: LiveEvent): void;
}

export interface LiveSource {
  /**
   * Sends every later change of a shard to `sink`, in the order in which they were made; a change that a scan which
   * begins after this call does not see is sent. Returns what ends it.
   */
  subscribe(shard: number, sink: LiveSink): () => void;
}

/** The source of a directory at rest: nothing ever changes. */
export const NO_LIVE_EVENTS: LiveSource = {
  subscribe: () => () => {},
};

/** The events that wait for one follower, oldest first, at most 8192. */
export class LiveRing {
  readonly #events: LiveEvent[] = [];
  #head = 0;
  #overflowed = false;

  get isEmpty(): boolean {
    return this.#head === this.#events.length;
  }

  /** True once an event found no room: the stream has a gap from then on and must not go on. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  push(event: LiveEvent): void {
    if (this.#overflowed) return;
    if (this.#events.length - this.#head >= LEADER_RING_EVENTS) {
      this.#overflowed = true;
      this.clear();
    } else this.#events.push(event);
  }

  /** The oldest event, or null. */
  take(): LiveEvent | null {
    const event = this.#events[this.#head];
    if (event === undefined) return null;
    this.#head++;
    // Shifting one by one would move the whole array each time.
    if (this.#head >= LEADER_RING_EVENTS || this.isEmpty) {
      this.#events.splice(0, this.#head);
      this.#head = 0;
    }
    return event;
  }

  /** Forgets the events; an overflow stays. */
  clear(): void {
    this.#events.length = 0;
    this.#head = 0;
  }
}
