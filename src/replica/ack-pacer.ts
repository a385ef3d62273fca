// Sends the acks of one connection when they are due. The numbers in them are what is written by then; the window that
// runs ahead, the pace and the wait for a sync are told apart here and nowhere else.

import type { Clock, Timer } from "../io/clock.ts";
import type { Durability } from "./durability.ts";
import type { BatchIntake } from "./batch-intake.ts";
import type { AckSender } from "../link/scan-types.ts";
import type { ShardLink } from "../link/shard-link.ts";

/** Acks are never held back longer than this: a leader gives up after 10 s. */
const ACK_DELAY_MS_MAX = 4_000;

/**
 * A live batch of protocol 1 is acked together with others: its leaders, 0.1.13 to 0.1.16, make nothing of these acks
 * (wire.md, point 11) and keep what they do not read (13). A system call less a batch: 12 to 22 % of the processor time at
 * 1,000 puts a second.
 */
const LIVE_ACK_INTERVAL_MS = 250;

/**
 * Acks more with a batch while a heartbeat is due. A leader from crate 0.7.0 on waits for one behind each batch; what is written
 * meanwhile is the next batch, and it never rests. With one that is there already it looks into an empty ring, and sends its heartbeat.
 * 500 puts a second, 2 ms away: without them a lag of 26 s after 150 s, with them 5 s at most.
 */
const ACKS_TO_REST = 2;

/** What holds acks back. */
export interface AckLimits {
  /** --sync batch. */
  readonly waitForSync: boolean;
  /** Of this shard, bytes a second. */
  readonly limitRateBytes: number | null;
}

export interface AckPacerOptions extends AckLimits {
  readonly clock: Clock;
  readonly link: ShardLink;
  readonly intake: BatchIntake;
  readonly durability: Durability;
}

/** Sends a link's acks when they are due: at once, when durable (--sync batch), or paced (--limit-rate). */
export class AckPacer implements AckSender {
  readonly #options: AckPacerOptions;
  #due = 0;
  #delayed = 0;
  #bytesPaced = 0;
  #pacedSinceMs: number | null = null;
  #timer: Timer | null = null;
  #liveAckAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: AckPacerOptions) {
    this.#options = options;
  }

  /**
   * The window: acks that run ahead of its batches. Measured at 8x64 over 2 shards: without them a catch-up takes
   * 1.7 times as long on one machine, and a round trip for each batch over a network.
   */
  sendAhead(): void {
    this.#send(this.#options.link.session.windowAcks);
  }

  /** One batch of this many payload bytes has been applied. */
  applied(payloadBytes: number): void {
    const { link, limitRateBytes } = this.#options;
    if (link.session.ackIsDue()) this.#due++;
    if (limitRateBytes !== null && link.session.phase === "scanning") {
      this.#bytesPaced += payloadBytes;
    }
  }

  /** A heartbeat is due: lets a busy leader come to it. */
  letRest(): void {
    if (this.#due > 0) this.#due += ACKS_TO_REST;
  }

  /** Everything of the chunk is written: acks what is due, in one write. */
  chunkEnded(): void {
    if (this.#due === 0) return;
    const count = this.#isLiveOfProtocol1() ? this.#joinedLiveAcks() : this.#due;
    if (count === 0) return;
    this.#due = 0;
    // Durable first, then paced: a limit on the rate holds with a sync before each ack too.
    const { waitForSync, durability } = this.#options;
    if (waitForSync) durability.whenDurable(() => this.#pace(count));
    else this.#pace(count);
  }

  #isLiveOfProtocol1(): boolean {
    const { link, waitForSync } = this.#options;
    const { phase, protocol } = link.session;
    return phase === "streaming" && protocol === 1 && !waitForSync;
  }

  /** One ack for all that came since the last, or none yet. */
  #joinedLiveAcks(): number {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#liveAckAtMs < LIVE_ACK_INTERVAL_MS) return 0;
    this.#liveAckAtMs = nowMs;
    return 1;
  }

  #pace(count: number): void {
    if (this.#stopped) return;
    const delayMs = this.#delayMs();
    if (delayMs <= 0 && this.#delayed === 0) {
      this.#send(count);
      return;
    }
    this.#delayed += count;
    this.#timer ??= this.#options.clock.after(delayMs, () => {
      this.#timer = null;
      const waiting = this.#delayed;
      this.#delayed = 0;
      this.#send(waiting);
    });
  }

  #delayMs(): number {
    const { clock, link, limitRateBytes } = this.#options;
    if (limitRateBytes === null || link.session.phase !== "scanning") return 0;
    const nowMs = clock.nowMs();
    this.#pacedSinceMs ??= nowMs;
    const dueMs = this.#pacedSinceMs + (this.#bytesPaced / limitRateBytes) * 1000;
    return Math.min(dueMs - nowMs, ACK_DELAY_MS_MAX);
  }

  #send(count: number): void {
    const { link, intake } = this.#options;
    link.sendAcks(count, intake.appliedTotal, intake.maxVersionSeen);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
