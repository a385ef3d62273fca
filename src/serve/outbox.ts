// What goes out on one follower's link: keeps the queue below its bound, notices a follower that takes nothing, and closes
// in order. Used by the session and its two phases.
// Promises: never more than SERVE_QUEUE_BYTES_MAX wait in the link; waiting for room ends after 10 s without progress.

import type { Clock, Timer } from "../io/clock.ts";
import type { Link } from "../io/net.ts";
import { SERVE_QUEUE_BYTES_MAX } from "../limits.ts";
import { BATCH_FRAME_BYTES_MAX, STALLED_READER_LOOK_MS, STALLED_READER_MS } from "./bounds.ts";

export class Outbox {
  readonly #link: Link;
  readonly #clock: Clock;
  /** Called when the follower is to be given up. */
  readonly #giveUp: (reason: string) => void;
  #timer: Timer | null = null;

  constructor(link: Link, clock: Clock, giveUp: (reason: string) => void) {
    this.#link = link;
    this.#clock = clock;
    this.#giveUp = giveUp;
  }

  /** True when everything sent was taken by the system. */
  get isEmpty(): boolean {
    return this.#link.queuedBytes === 0;
  }

  /** Sends one whole frame. Batches ask for room first. */
  send(frame: Uint8Array): void {
    this.#link.send(frame);
  }

  /** True when a batch of any size may be sent; else the session's `drained` comes, or the follower is given up. */
  hasRoom(): boolean {
    if (this.#link.queuedBytes + BATCH_FRAME_BYTES_MAX <= SERVE_QUEUE_BYTES_MAX) return true;
    if (this.#timer === null) this.#watch(this.#link.queuedBytes);
    return false;
  }

  /** True while `drained` is waited for. */
  get waitsForRoom(): boolean {
    return this.#timer !== null;
  }

  /** Closes once the link has taken what is queued. */
  closeWhenSent(): void {
    if (!this.isEmpty && this.#timer === null) this.#watch(this.#link.queuedBytes);
    this.#link.finish();
  }

  /** Closes now; what is queued is lost. */
  close(): void {
    this.#link.close();
  }

  /** The link has taken all, or is over: lets go of the timer. */
  release(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** The deadline is for standing still: each look that finds the queue shorter begins it anew. */
  #watch(queuedBytes: number, stillMs = 0): void {
    this.#timer = this.#clock.after(STALLED_READER_LOOK_MS, () => {
      this.#timer = null;
      const now = this.#link.queuedBytes;
      const still = now < queuedBytes ? 0 : stillMs + STALLED_READER_LOOK_MS;
      if (still < STALLED_READER_MS) this.#watch(now, still);
      else this.#giveUp("it took nothing for 10 s");
    });
  }
}
