// The acks of a scan that keeps nothing: a window ahead, then one per batch as soon as it was handed over (wire.md, point 18), or
// when a rate has it due: a leader sends no more than what is acked.

import type { Clock, Timer } from "../io/clock.ts";
import type { AckSender } from "./scan-types.ts";
import type { ShardLink } from "./shard-link.ts";

/** Acks are never held back longer than this: a leader gives up after 10 s. */
const ACK_DELAY_MS_MAX = 4_000;

export interface AckPace {
  readonly clock: Clock;
  /** Of the payload of batches; null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
}

export class WindowAcks implements AckSender {
  readonly #link: ShardLink;
  readonly #pace: AckPace;
  #due = 0;
  #bytes = 0;
  #sinceMs: number | null = null;
  #timer: Timer | null = null;

  constructor(link: ShardLink, pace: AckPace) {
    this.#link = link;
    this.#pace = pace;
  }

  sendAhead(): void {
    this.#link.sendAcks(this.#link.session.windowAcks, 0n, 0);
  }

  applied(payloadBytes: number): void {
    this.#due++;
    this.#bytes += payloadBytes;
  }

  chunkEnded(): void {
    if (this.#timer !== null) return;
    const delayMs = this.#delayMs();
    if (delayMs <= 0) return this.#send();
    this.#timer = this.#pace.clock.after(delayMs, () => {
      this.#timer = null;
      this.#send();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#due = 0;
  }

  #delayMs(): number {
    const { clock, bytesPerSecond } = this.#pace;
    if (bytesPerSecond === null || this.#link.session.phase !== "scanning") return 0;
    const nowMs = clock.nowMs();
    this.#sinceMs ??= nowMs;
    const dueMs = this.#sinceMs + (this.#bytes / bytesPerSecond) * 1000;
    return Math.min(dueMs - nowMs, ACK_DELAY_MS_MAX);
  }

  #send(): void {
    this.#link.sendAcks(this.#due, this.#link.session.eventsScanned, 0);
    this.#due = 0;
  }
}
