// One full scan of one shard of a leader, read and thrown away again: connects, takes the catch-up in slot order, hands
// every batch on, closes after CaughtUp (wire.md: A session). Used by compare and by `repair --from LEADER`. Never
// writes, never keeps a live stream. Promises: a scan counts only when it was whole (point 15), batches are validated
// before they are handed on, and every wait has an end.

import { type Address, formatAddress } from "../io/address.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { CAUGHT_UP_CONFIRM_MS, SLOT_JUMP_MAX } from "../limits.ts";
import { type SlotLayout, slotLayout } from "../format/slot.ts";
import { shardFileBytes } from "../format/shard-header.ts";
import type { SessionEvent } from "../link/session.ts";
import { ShardLink, type ShardLinkEnd } from "../link/shard-link.ts";
import {
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  type ProtocolVersion,
  type ShardInfo,
  versionMismatchLeader,
} from "../wire/messages.ts";
import { batchEvents, checkBatch, type SlotEvent } from "../wire/slot-batch.ts";
import {
  alreadyStreaming,
  brokeProtocol,
  leaderUnreachable,
  notALeader,
  refusedByLeader,
  scanLost,
} from "./leader-errors.ts";
import { pauseUnlessStopped, Stopped, throwIfStopped } from "./stopped.ts";

/** Acks sent ahead of the batches (wire.md, point 18). */
const WINDOW_ACKS = 64;
/** After our own close a leader of protocol 2 may still say `shard already streaming` for 0.1 s (wire.md, point 14). */
const STREAMING_RETRIES = 5;
const STREAMING_RETRY_MS = 250;
/** A sparse scan brings nothing while the leader reads; slower than this, whole file included, it is not reading. */
const STILL_MS_BASE = 60_000;
const LEADER_READ_BYTES_PER_MS = 8 * 1024;
const STILL_MS_MAX = 30 * 60_000;
const WATCH_INTERVAL_MS = 1_000;

export interface LeaderScanOptions {
  readonly leader: Address;
  readonly shard: number;
  /** Tried first; the leader's mismatch Error corrects it. */
  readonly protocol: ProtocolVersion;
  readonly stop: AbortSignal;
}

/** Takes what a scan brings, in order. What it throws ends the scan and comes out of `scanLeader` as it is. */
export interface LeaderScanReceiver {
  /** Once, before any event, with a ShardInfo that is possible; refuse another geometry here. */
  begin(info: ShardInfo, protocol: ProtocolVersion): void;
  /** An event of the catch-up; slots come in ascending order, each once. Views are valid during the call only. */
  event(event: SlotEvent): void;
}

/** A scan that was whole. */
export interface LeaderScan {
  readonly protocol: ProtocolVersion;
  readonly info: ShardInfo;
  readonly events: bigint;
}

/**
 * Scans one shard. Throws leader-unreachable (12) when the leader is not there, goes away or stalls, incompatible (13)
 * for what is not a leader of protocol 1 or 2, unknown (5) when it refuses, Stopped.
 */
export async function scanLeader(
  net: Net,
  clock: Clock,
  options: LeaderScanOptions,
  receiver: LeaderScanReceiver,
): Promise<LeaderScan> {
  const { leader, shard, stop } = options;
  const name = formatAddress(leader);
  let { protocol } = options;
  let corrected = false;
  for (let attempt = 0; ;) {
    throwIfStopped(stop);
    const outcome = await new Promise<ScanOutcome>(
      (resolve) => new ScanRun(net, clock, { ...options, protocol }, receiver, resolve),
    );
    if (outcome.kind === "whole") return outcome.scan;
    if (outcome.kind === "failed") throw outcome.error;
    const spoken = versionMismatchLeader(outcome.text);
    if ((spoken === 1 || spoken === 2) && !corrected) {
      protocol = spoken;
      corrected = true;
    } else if (spoken !== null) {
      throw notALeader(name, `it speaks protocol ${spoken}, armdb speaks 1 and 2`);
    } else if (outcome.text !== ERROR_ALREADY_STREAMING) {
      throw refusedByLeader(name, shard, outcome.text);
    } else if (attempt < STREAMING_RETRIES) {
      attempt++;
      await pauseUnlessStopped(clock, STREAMING_RETRY_MS, stop);
    } else throw alreadyStreaming(name, shard);
  }
}

type ScanOutcome =
  | { readonly kind: "whole"; readonly scan: LeaderScan }
  | { readonly kind: "refused"; readonly text: string }
  | { readonly kind: "failed"; readonly error: unknown };

/** One connection, from connect to the outcome. */
class ScanRun {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #options: LeaderScanOptions;
  readonly #receiver: LeaderScanReceiver;
  readonly #settle: (outcome: ScanOutcome) => void;
  readonly #link: ShardLink;
  readonly #onStop = () => this.#finish({ kind: "failed", error: new Stopped() });
  #info: ShardInfo | null = null;
  #layout: SlotLayout | null = null;
  #slotLast = -1;
  /** When the scan came further: heartbeats and empty batches are no progress. */
  #movedAtMs = 0;
  /** Slot ids from here on are a lie, however much the shard has grown since ShardInfo. */
  #slotsMax = 0;
  #events = 0n;
  /** Batches of the chunk under way: acked together in one write. */
  #acksDue = 0;
  #whole: LeaderScan | null = null;
  #timer: Timer | null = null;
  #settled = false;

  constructor(
    net: Net,
    clock: Clock,
    options: LeaderScanOptions,
    receiver: LeaderScanReceiver,
    settle: (outcome: ScanOutcome) => void,
  ) {
    this.#name = formatAddress(options.leader);
    this.#clock = clock;
    this.#options = options;
    this.#receiver = receiver;
    this.#settle = settle;
    options.stop.addEventListener("abort", this.#onStop);
    const { host, port } = options.leader;
    const { shard, protocol } = options;
    // DELETED slots are wanted even where nothing is occupied here: isEmpty would leave them out.
    const linkOptions = {
      host,
      port,
      shard,
      protocol,
      windowFor: () => WINDOW_ACKS,
      isEmpty: false,
    };
    this.#link = new ShardLink(net, clock, linkOptions, {
      received: (_link, event) => this.#guarded(() => this.#received(event)),
      chunkEnded: (link) => {
        link.sendAcks(this.#acksDue, this.#events, 0);
        this.#acksDue = 0;
      },
      ended: (_link, end) => this.#ended(end),
    });
  }

  /** Whatever the receiver throws (its disk, its refusal, a bug) becomes the outcome, unchanged. */
  #guarded(run: () => void): void {
    if (this.#settled) return;
    try {
      run();
    } catch (thrown) {
      this.#finish({ kind: "failed", error: thrown });
    }
  }

  #received(event: SessionEvent): void {
    switch (event.kind) {
      case "shard-info":
        return this.#begin(event.info);
      case "batch":
        return this.#batch(event.payload);
      case "caught-up":
        return this.#caughtUp(event.adds, event.caughtUp.totalScanned);
      case "heartbeat":
        // Never echoed (wire.md, point 3).
        return;
      case "leader-error":
      case "violation":
        // ShardLink ends the connection for these and says so in `ended`.
        return;
    }
  }

  #begin(info: ShardInfo): void {
    this.#info = info;
    this.#layout = slotLayout(info.keyLen, info.valueLen);
    this.#slotsMax = Math.max(2 * info.slotCount, info.slotCount + SLOT_JUMP_MAX);
    this.#receiver.begin(info, this.#options.protocol);
    this.#link.sendAcks(WINDOW_ACKS, 0n, 0);
    this.#movedAtMs = this.#clock.nowMs();
    const readMs = shardFileBytes(info.slotCount, this.#layout.slotSize) / LEADER_READ_BYTES_PER_MS;
    this.#watch(Math.min(STILL_MS_BASE + readMs, STILL_MS_MAX));
  }

  #batch(payload: Uint8Array): void {
    // After CaughtUp: live events, which are nobody's business here.
    if (this.#whole !== null || this.#layout === null) return;
    const { shard, protocol } = this.#options;
    const checked = checkBatch(payload, shard, this.#layout, protocol);
    if ("fault" in checked) {
      throw brokeProtocol(
        this.#name,
        shard,
        `${checked.fault} at event ${checked.event} of a batch`,
      );
    }
    if (checked.slotMax >= this.#slotsMax) {
      throw brokeProtocol(this.#name, shard, `slot ${checked.slotMax} is far past its last slot`);
    }
    for (const event of batchEvents(payload, this.#layout, protocol)) {
      if (event.slot <= this.#slotLast) {
        const order = `slot ${event.slot} after slot ${this.#slotLast}`;
        throw brokeProtocol(this.#name, shard, `a scan out of order: ${order}`);
      }
      this.#slotLast = event.slot;
      this.#receiver.event(event);
    }
    if (checked.count > 0) this.#movedAtMs = this.#clock.nowMs();
    this.#events += BigInt(checked.count);
    this.#acksDue++;
  }

  /** Believed only when the total agrees and the link is still open a moment later (wire.md, point 15). */
  #caughtUp(adds: boolean, total: bigint): void {
    const { shard, protocol } = this.#options;
    if (!adds) {
      const counts = `it announced ${total} events and sent ${this.#events}`;
      throw scanLost(
        this.#name,
        shard,
        `the leader cut its scan short: ${counts}; it may be stopping`,
      );
    }
    if (this.#info === null) return;
    this.#whole = { protocol, info: this.#info, events: this.#events };
    const scan = this.#whole;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(CAUGHT_UP_CONFIRM_MS, () =>
      this.#finish({ kind: "whole", scan }),
    );
  }

  #watch(stillMsMax: number): void {
    this.#timer = this.#clock.after(WATCH_INTERVAL_MS, () => {
      const stillMs = this.#clock.nowMs() - this.#movedAtMs;
      if (stillMs < stillMsMax) return this.#watch(stillMsMax);
      const seconds = Math.round(stillMs / 1000);
      const why = `no slot came for ${seconds} s in the middle of the scan`;
      this.#finish({ kind: "failed", error: scanLost(this.#name, this.#options.shard, why) });
    });
  }

  #ended(end: ShardLinkEnd): void {
    const { shard } = this.#options;
    const fail = (error: Error) => this.#finish({ kind: "failed", error });
    switch (end.kind) {
      case "closed-here":
        return;
      case "lost": {
        if (!end.connected) return fail(leaderUnreachable(this.#name, end.reason));
        if (this.#info === null)
          return fail(notALeader(this.#name, "it hung up without an answer"));
        const when = this.#whole === null ? "" : " right after CaughtUp; it may be stopping";
        return fail(scanLost(this.#name, shard, `${end.reason}${when}`));
      }
      case "stalled":
        return fail(scanLost(this.#name, shard, end.reason));
      case "violation":
        return fail(
          end.beforeShardInfo
            ? notALeader(this.#name, end.reason)
            : brokeProtocol(this.#name, shard, end.reason),
        );
      case "leader-error":
        // The scan itself was whole: only live events, which are not wanted here, were lost (wire.md: L3).
        if (this.#whole !== null && end.text === ERROR_EVENTS_DROPPED) {
          return this.#finish({ kind: "whole", scan: this.#whole });
        }
        return this.#finish({ kind: "refused", text: end.text });
    }
  }

  #finish(outcome: ScanOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer?.cancel();
    this.#options.stop.removeEventListener("abort", this.#onStop);
    this.#link.close();
    this.#settle(outcome);
  }
}
