// Notices that a leader may have dropped events: its ring holds 8192, and a ring that was full shows as a long run of full
// batches. It says so as soon as a loss is possible. Pure.

import { RUN_EVENTS_SUSPECT } from "../limits.ts";

export class RunWatch {
  #runEvents = 0;

  /** A live batch came. True when a run that was long enough to hide a loss has just ended. */
  batch(events: number, full: boolean): boolean {
    if (full) {
      this.#runEvents += events;
      return false;
    }
    this.#runEvents += events;
    return this.end();
  }

  /** Nothing came for a while, or a heartbeat did: a run, if there was one, is over. */
  end(): boolean {
    const suspect = this.#runEvents >= RUN_EVENTS_SUSPECT;
    this.#runEvents = 0;
    return suspect;
  }

  /** A new stream begins. */
  reset(): void {
    this.#runEvents = 0;
  }
}
