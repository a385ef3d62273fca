// The pace of a catch-up: one Ack frame per batch, which may come ahead of it (wire.md: A session, 3; point 18). Pure.
//
//   credit  Acks that came before their batch        waiting  a batch is out and its Ack is not here
//
// Invariant: waiting implies credit = 0.

import { HEARTBEATS_PER_ACK_MAX } from "./bounds.ts";

export class AckGate {
  #credit = 0;
  #waiting = false;
  #heartbeats = 0;

  /** True while the next batch must not go out. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** A batch went out: its Ack is either here already or is waited for from now on. */
  batchSent(): void {
    if (this.#credit > 0) this.#credit--;
    else {
      this.#waiting = true;
      this.#heartbeats = 0;
    }
  }

  /** An Ack came. Its numbers decide nothing, as in every crate leader. */
  ack(): void {
    if (this.#waiting) this.#waiting = false;
    else this.#credit++;
  }

  /**
   * A Heartbeat came; false when it is one too many for the Ack that is waited for. Those that came while the leader
   * was reading a sparse stretch are not held against the follower.
   */
  heartbeat(): boolean {
    if (!this.#waiting) return true;
    this.#heartbeats++;
    return this.#heartbeats <= HEARTBEATS_PER_ACK_MAX;
  }
}
