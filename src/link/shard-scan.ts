// One full scan of one shard over one link: from connect to the moment at which it is known to have been whole. Used by the
// follower, by compare and by `repair --from`. Knows no disk, no thread, no reconnect and no reason why the scan is made; what
// comes goes to its sink, in order and without a pause on the way. A later scan is another object.
//
//   whole   CaughtUp with the total that came, and then a sign of life (wire.md, points 15 and 19)
//   cut     anything else: the link is closed by then

import type { Clock, Timer } from "../io/clock.ts";
import { LATE_MS } from "../io/deadline.ts";
import {
  CAUGHT_UP_CONFIRM_MS,
  LEADER_READ_BYTES_PER_MS,
  SCAN_STALL_MS_BASE,
  SCAN_STALL_MS_MAX,
  SLOT_JUMP_MAX,
} from "../limits.ts";
import { shardFileBytes } from "../format/shard-header.ts";
import { slotLayout } from "../format/slot.ts";
import { ERROR_EVENTS_DROPPED, type ShardInfo } from "../wire/messages.ts";
import type { AckSender, ScanCut, ScanEnd, ScanSink } from "./scan-types.ts";
import type { BatchFacts } from "../wire/slot-batch.ts";
import type { SessionEvent } from "./session.ts";
import type { ShardLinkEnd } from "./link-end.ts";
import type { ShardLink, ShardLinkOwner } from "./shard-link.ts";

export interface ShardScanOptions {
  readonly clock: Clock;
  readonly acks: AckSender;
  /** Asks whether the leader lives, 100 ms after a CaughtUp that adds up; answered once, now or later. */
  vouch(answer: (lives: boolean) => void): void;
  /** Settles once. */
  ended(end: ScanEnd): void;
  /** Ms without a higher slot after which the leader does not scan; by the shard's size unless given. */
  readonly stallMs?: number;
}

const WATCH_INTERVAL_MS = 1_000;

export class ShardScan implements ShardLinkOwner {
  readonly #link: ShardLink;
  readonly #sink: ScanSink;
  readonly #options: ShardScanOptions;
  #info: ShardInfo | null = null;
  #beganAtMs: number;
  #caughtUpAtMs: number | null = null;
  #slotLast = -1;
  /** Slot ids from here on are a lie, however much the shard has grown since ShardInfo. */
  #slotsMax = 0;
  #stallMs = 0;
  #movedAtMs: number;
  #lookedAtMs: number;
  #timer: Timer | null = null;
  #isOpen = false;
  #settled = false;

  constructor(link: ShardLink, sink: ScanSink, options: ShardScanOptions) {
    this.#link = link;
    this.#sink = sink;
    this.#options = options;
    const nowMs = options.clock.nowMs();
    this.#beganAtMs = nowMs;
    this.#movedAtMs = nowMs;
    this.#lookedAtMs = nowMs;
  }

  /** Connects; nothing is heard before this returns. */
  start(): void {
    this.#link.start(this);
  }

  /** Ends it with `stopped`; nothing when it has ended. */
  stop(): void {
    this.#cut("stopped", "stopped here");
  }

  /** The last slot that came, -1 before the first. */
  get slotLast(): number {
    return this.#slotLast;
  }

  /** What came by now was asked for late: the time without progress counts from here. */
  rested(): void {
    this.#movedAtMs = this.#options.clock.nowMs();
  }

  opened(): void {
    this.#isOpen = true;
    this.#beganAtMs = this.#options.clock.nowMs();
    this.#guarded(() => this.#sink.opened?.());
  }

  received(_link: ShardLink, event: SessionEvent): void {
    this.#guarded(() => this.#take(event));
  }

  chunkEnded(): void {
    this.#guarded(() => {
      this.#sink.chunkEnded();
      this.#options.acks.chunkEnded();
    });
  }

  ended(link: ShardLink, end: ShardLinkEnd): void {
    // The scan itself was whole: live events behind it were lost, and the leader lived to say so.
    const isAfterWhole = end.kind === "leader-error" && end.text === ERROR_EVENTS_DROPPED;
    if (isAfterWhole && this.#caughtUpAtMs !== null) this.#settleWhole();
    else this.#cutBy(end);
    link.tellOwner(this, end);
  }

  /** Whatever the sink throws (its disk, its refusal, a bug) becomes the end, unchanged. */
  #guarded(run: () => void): void {
    if (this.#settled) return;
    try {
      run();
    } catch (thrown) {
      this.#cut("sink", "what came could not be taken", null, thrown);
    }
  }

  #take(event: SessionEvent): void {
    switch (event.kind) {
      case "shard-info":
        return this.#begin(event.info);
      case "batch":
        return this.#batch(event.payload, event.full);
      case "caught-up":
        return this.#caughtUp(event.adds, event.caughtUp.totalScanned);
      case "heartbeat":
        return this.#sink.heartbeat(event.isPlain);
      case "leader-error":
      case "violation":
        // The link ends for these, and says so in `ended`.
        return;
    }
  }

  #begin(info: ShardInfo): void {
    this.#info = info;
    this.#slotsMax = Math.max(2 * info.slotCount, info.slotCount + SLOT_JUMP_MAX);
    this.#stallMs = this.#options.stallMs ?? scanStallMs(info);
    this.rested();
    this.#sink.begin(info);
    this.#options.acks.sendAhead();
    this.#watch();
  }

  #batch(payload: Uint8Array, full: boolean): void {
    if (this.#caughtUpAtMs !== null) {
      this.#sink.live(payload, full);
      this.#options.acks.applied(payload.length);
      return;
    }
    const facts = this.#sink.batch(payload);
    if ("fault" in facts) return this.#cut("violation", facts.fault);
    const fault = this.#orderFault(facts);
    if (fault !== null) return this.#cut("violation", `The peer sent ${fault}`);
    if (facts.slotLast > this.#slotLast) {
      this.#slotLast = facts.slotLast;
      this.rested();
    }
    this.#options.acks.applied(payload.length);
  }

  /** A scan brings each slot once, in ascending order, and no more than there are; null when this batch does. */
  #orderFault({ events, slotFirst, slotLast, ascending }: BatchFacts): string | null {
    if (events === 0) return null;
    if (!ascending) return "a scan out of order, inside a batch";
    if (slotFirst <= this.#slotLast) {
      return `a scan out of order: slot ${slotFirst} after slot ${this.#slotLast}`;
    }
    const slotCount = this.#info?.slotCount ?? 0;
    if (slotLast >= this.#slotsMax)
      return `slot ${slotLast}, far out of a shard of ${slotCount} slots`;
    // The shard may have grown right behind ShardInfo: then the next scan is told so.
    if (this.#link.session.eventsScanned <= slotCount) return null;
    return `${this.#link.session.eventsScanned} events in a scan of ${slotCount} slots`;
  }

  #caughtUp(adds: boolean, total: bigint): void {
    if (!adds) {
      const counts = `it announced ${total} events and sent ${this.#link.session.eventsScanned}`;
      return this.#cut("short", `the leader cut its scan short: ${counts}; it may be stopping`);
    }
    this.#caughtUpAtMs = this.#options.clock.nowMs();
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(CAUGHT_UP_CONFIRM_MS, () => {
      this.#options.vouch((lives) => {
        if (lives) this.#settleWhole();
        else this.#cut("lost", "nothing came from the leader after CaughtUp; it may be stopping");
      });
    });
    this.#sink.caughtUp();
  }

  #watch(): void {
    this.#timer = this.#options.clock.after(WATCH_INTERVAL_MS, () => {
      const nowMs = this.#options.clock.nowMs();
      if (nowMs - this.#lookedAtMs > WATCH_INTERVAL_MS + LATE_MS) this.rested();
      this.#lookedAtMs = nowMs;
      const stillMs = nowMs - this.#movedAtMs;
      if (stillMs < this.#stallMs) return this.#watch();
      const seconds = Math.round(stillMs / 1000);
      this.#cut("stalled", `no slot came for ${seconds} s in the middle of the scan`);
    });
    this.#lookedAtMs = this.#options.clock.nowMs();
  }

  #cutBy(end: ShardLinkEnd): void {
    switch (end.kind) {
      case "closed-here":
        return this.#cut("stopped", "stopped here");
      case "lost": {
        const isBehind = this.#caughtUpAtMs !== null;
        const when = isBehind ? " right after CaughtUp; it may be stopping" : "";
        return this.#cut("lost", `${end.reason}${when}`);
      }
      case "stalled":
        return this.#cut("stalled", end.reason);
      case "violation":
        return this.#cut("violation", end.reason);
      case "leader-error":
        return this.#cut("refused", `the leader says: ${end.text}`, end.text);
    }
  }

  #settleWhole(): void {
    const { session } = this.#link;
    if (this.#settled || this.#info === null || this.#caughtUpAtMs === null) return;
    this.#settled = true;
    this.#timer?.cancel();
    this.#options.ended({
      kind: "whole",
      info: this.#info,
      protocol: session.protocol,
      events: session.eventsScanned,
      beganAtMs: this.#beganAtMs,
      caughtUpAtMs: this.#caughtUpAtMs,
    });
  }

  #cut(
    why: ScanCut,
    reason: string,
    leaderText: string | null = null,
    error: unknown = null,
  ): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer?.cancel();
    this.#options.acks.stop();
    this.#link.close();
    const reached = this.#reached();
    this.#options.ended({ kind: "cut", why, reason, leaderText, error, reached });
  }

  #reached(): "nothing" | "connection" | "shard-info" | "caught-up" {
    if (this.#caughtUpAtMs !== null) return "caught-up";
    if (this.#info !== null) return "shard-info";
    return this.#isOpen ? "connection" : "nothing";
  }
}

/** How long a scan may stand still: a sparse one is silent while the leader reads its file, at 8 MiB/s at the least. */
export function scanStallMs({ slotCount, keyLen, valueLen }: ShardInfo): number {
  const bytes = shardFileBytes(slotCount, slotLayout(keyLen, valueLen).slotSize);
  return Math.min(SCAN_STALL_MS_MAX, SCAN_STALL_MS_BASE + bytes / LEADER_READ_BYTES_PER_MS);
}
