// Keeps a leader patient while a link rests until the shard's files are made: it gives up a follower that does not ack a batch of the
// scan for 10 s, and one before 0.2.0 gives its stream only once (wire.md: A session, 3). Used by connection.ts.

import type { Clock, Timer } from "../io/clock.ts";
import type { ShardLink } from "../link/shard-link.ts";

/** Each grants as long again, eight times before an ack. */
const HEARTBEAT_MS = 8_000;

export class RestingLink {
  readonly #link: ShardLink;
  readonly #clock: Clock;
  #timer: Timer | null = null;
  /** The window went out: it is not to be sent again. */
  #isAhead = false;

  constructor(link: ShardLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  get isAhead(): boolean {
    return this.#isAhead;
  }

  /**
   * Nothing is heard from here on. The acks that may run ahead go out at once, as making the files can hold up this whole thread; with
   * none (a sync before each ack) it is heartbeats, as long as the thread is free.
   */
  begin(): void {
    const { windowAcks } = this.#link.session;
    this.#link.pause();
    this.#isAhead = windowAcks > 0;
    if (this.#isAhead) this.#link.sendAcks(windowAcks, 0n, 0);
    else this.#beat();
  }

  /** It is heard again, or it is over. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #beat(): void {
    this.#timer = this.#clock.after(HEARTBEAT_MS, () => {
      this.#link.sendHeartbeat();
      this.#beat();
    });
  }
}
