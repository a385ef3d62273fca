// Phase 2 for one follower: live events from the source through a bounded ring into batches (wire.md: A session, 4; point
// 4). Collects from the beginning of the scan, sends from CaughtUp on. Owned by a session, which owns the link.

import type { Clock, Timer } from "../io/clock.ts";
import { type SlotLayout, STATUS_FREE, statusOf } from "../format/slot.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import { SlotBatchEncoder } from "../wire/slot-batch.ts";
import { LIVE_GATHER_MS, STOP_QUIET_MS } from "./bounds.ts";
import type { Outbox } from "./outbox.ts";
import { type LiveEvent, LiveRing, type LiveSource } from "./live-source.ts";

export interface LiveStreamOptions {
  readonly source: LiveSource;
  readonly shard: number;
  readonly protocol: ProtocolVersion;
  readonly clock: Clock;
  readonly layout: SlotLayout;
}

export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly #outbox: Outbox;
  /** The ring ran over: the stream has a gap and must end. */
  readonly #overflowed: () => void;
  readonly #ring = new LiveRing();
  #unsubscribe: (() => void) | null;
  #encoder: SlotBatchEncoder | null = null;
  #started = false;
  #timer: Timer | null = null;
  /** Batches that no Ack has answered, of both phases; below 0 when Acks came ahead. */
  #unacked = 0;
  #lastMoveMs: number;
  #finished: (() => void) | null = null;

  constructor(options: LiveStreamOptions, outbox: Outbox, overflowed: () => void) {
    this.#options = options;
    this.#outbox = outbox;
    this.#overflowed = overflowed;
    this.#lastMoveMs = options.clock.nowMs();
    this.#unsubscribe = options.source.subscribe(options.shard, {
      event: (event) => this.#event(event),
    });
  }

  /** CaughtUp is out: what came during the scan goes out now, later events as they come. */
  start(): void {
    this.#started = true;
    this.flush();
  }

  /** A batch of the scan went out. */
  sentBatch(): void {
    this.#unacked++;
    this.#lastMoveMs = this.#options.clock.nowMs();
  }

  /** An Ack came. Live batches do not wait for it; a stop does. */
  acked(): void {
    this.#unacked--;
    this.#lastMoveMs = this.#options.clock.nowMs();
  }

  /** Sends what the ring holds, as far as there is room. */
  flush(): void {
    this.#cancelTimer();
    if (!this.#started) return;
    if (this.#ring.overflowed) {
      this.#overflowed();
      return;
    }
    while (!this.#ring.isEmpty && this.#outbox.hasRoom()) this.#sendBatch();
    if (this.#ring.isEmpty) this.#encoder = null;
    if (this.#finished !== null) this.#awaitQuiet();
  }

  /** Takes no more events and calls `finished` when the last one is out and, by all signs, applied. */
  finish(finished: () => void): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#finished = finished;
    this.flush();
  }

  /** Lets go of everything; nothing is called any more. */
  end(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#cancelTimer();
    this.#ring.clear();
    this.#encoder = null;
    this.#finished = null;
    this.#started = false;
  }

  #event(event: LiveEvent): void {
    // A follower of protocol 1 would take a reset for a delete (wire.md: What a leader owes a crate follower).
    if (this.#options.protocol === 1 && statusOf(event.meta) === STATUS_FREE) return;
    this.#ring.push(event);
    if (!this.#started) return;
    if (this.#ring.overflowed) this.#overflowed();
    else this.#timer ??= this.#options.clock.after(LIVE_GATHER_MS, () => this.flush());
  }

  #sendBatch(): void {
    this.#encoder ??= new SlotBatchEncoder(this.#options.shard, this.#options.layout);
    while (!this.#encoder.full) {
      const event = this.#ring.take();
      if (event === null) break;
      this.#encoder.add(event.slot, event.meta, event.image);
    }
    this.#outbox.send(this.#encoder.take());
    this.sentBatch();
  }

  /** Acks may have come ahead by any number, so the end of them is known by their silence only. */
  #awaitQuiet(): void {
    const quietMs = this.#options.clock.nowMs() - this.#lastMoveMs;
    const isOut = this.#ring.isEmpty && this.#outbox.isEmpty;
    if (isOut && this.#unacked <= 0 && quietMs >= STOP_QUIET_MS) {
      const finished = this.#finished;
      this.#finished = null;
      finished?.();
      return;
    }
    this.#timer = this.#options.clock.after(STOP_QUIET_MS, () => this.flush());
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
