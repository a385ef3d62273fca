// One full scan of one shard of a leader, read and thrown away again (link/shard-scan.ts), with the errors of the audit. Used by
// compare and by `repair --from LEADER`. Never writes, never keeps a live stream. Promises: a scan counts only when it was whole
// and the leader answered afterwards, batches are validated before they are handed on, and every wait has an end.

import { type Address, formatAddress } from "../../io/address.ts";
import type { Clock } from "../../io/clock.ts";
import type { Net } from "../../io/net.ts";
import { LeaderWitness } from "../../link/leader-witness.ts";
import { ShardLink } from "../../link/shard-link.ts";
import type { ScanEnd, ScanSink } from "../../link/scan-types.ts";
import { ShardScan } from "../../link/shard-scan.ts";
import { WindowAcks } from "../../link/window-acks.ts";
import { type SlotLayout, slotLayout } from "../../format/slot.ts";
import {
  ERROR_ALREADY_STREAMING,
  type ProtocolVersion,
  type ShardInfo,
  versionMismatchLeader,
} from "../../wire/messages.ts";
import { checkBatch, type SlotEvent } from "../../wire/slot-batch.ts";
import {
  alreadyStreaming,
  brokeProtocol,
  leaderUnreachable,
  notALeader,
  refusedByLeader,
  scanLost,
} from "./errors.ts";
import { FarSlots } from "./far-slots.ts";
import { pauseUnlessStopped, Stopped, throwIfStopped } from "../stopped.ts";

/** Acks sent ahead of the batches (wire.md, point 18). */
const WINDOW_ACKS = 64;
/** What a leader puts into a batch of a scan, about. */
const BATCH_BYTES = 64 * 1024;
/** After our own close a leader of protocol 2 may still say `shard already streaming` for 0.1 s (wire.md, point 14). */
const STREAMING_RETRIES = 5;
const STREAMING_RETRY_MS = 250;

export interface LeaderScanOptions {
  readonly leader: Address;
  readonly shard: number;
  /** Tried first; the leader's mismatch Error corrects it. */
  readonly protocol: ProtocolVersion;
  readonly stop: AbortSignal;
  /** Of what the leader sends, kept by the acks; null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
  /** Without a higher slot the scan ends after this long; null: by the shard's size (link/shard-scan.ts). */
  readonly timeoutMs: number | null;
}

/** Takes what a scan brings, in order. What it throws ends the scan and comes out of `scanLeader` as it is. */
export interface LeaderScanReceiver {
  /** Once, before any event, with a ShardInfo that is possible; refuse another geometry here. */
  begin(info: ShardInfo, protocol: ProtocolVersion): void;
  /** An event of the catch-up; slots come in ascending order, each once. Views are valid during the call only. */
  event(event: SlotEvent): void;
  /** Does its own work for the slots below this one in small steps: before an event that lies far behind the last. */
  reach?(slot: number): Promise<void>;
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
    const end = await scanOnce(net, clock, { ...options, protocol }, receiver);
    if (end.kind === "whole") return end;
    const text = end.leaderText;
    if (text === null) throw errorOf(end, name, shard);
    const spoken = versionMismatchLeader(text);
    if ((spoken === 1 || spoken === 2) && !corrected) {
      protocol = spoken;
      corrected = true;
    } else if (spoken !== null) {
      throw notALeader(name, `it speaks protocol ${spoken}, armdb speaks 1 and 2`);
    } else if (text !== ERROR_ALREADY_STREAMING) throw refusedByLeader(name, shard, text);
    else if (attempt < STREAMING_RETRIES) {
      attempt++;
      await pauseUnlessStopped(clock, STREAMING_RETRY_MS, stop);
    } else throw alreadyStreaming(name, shard);
  }
}

/** One connection, from connect to its end; the link is closed by then. */
async function scanOnce(
  net: Net,
  clock: Clock,
  { leader, shard, protocol, stop, bytesPerSecond, timeoutMs }: LeaderScanOptions,
  receiver: LeaderScanReceiver,
): Promise<ScanEnd> {
  const watch = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<ScanEnd>();
  const witness = new LeaderWitness({
    ...{ net, clock, leader, settled: watch.resolve },
    mayConnect: () => true,
    isNeeded: () => true,
    accepted: () => {},
    eraEnded: () => {},
  });
  // DELETED slots are wanted even where nothing is occupied here: isEmpty would leave them out.
  const linkOptions = {
    ...leader,
    shard,
    protocol,
    windowFor: () => windowFor(bytesPerSecond),
    isEmpty: false,
  };
  const link = new ShardLink(net, clock, linkOptions);
  const failure: { error: unknown } = { error: null };
  const far = new FarSlots({
    ...{ link, protocol },
    event: (event) => receiver.event(event),
    reach:
      receiver.reach === undefined ? null : (slot) => receiver.reach?.(slot) ?? Promise.resolve(),
    walked: () => scan.rested(),
    failed: (error) => {
      failure.error = error;
      scan.stop();
    },
  });
  const sink = new ReceiverSink(shard, protocol, receiver, far);
  const scan: ShardScan = new ShardScan(link, sink, {
    clock,
    acks: new WindowAcks(link, { clock, bytesPerSecond }),
    ...(timeoutMs === null ? {} : { stallMs: timeoutMs }),
    vouch: (answer) => {
      // Without the word a heartbeat says it, or the link ends for want of one; that would take up to 5 s a shard.
      sink.signOfLife = () => answer(true);
      if (witness.era === null) return;
      witness.ask((word) => {
        if (word !== "unknown") answer(word === "same");
      });
    },
    ended: resolve,
  });
  const onStop = () => {
    watch.resolve();
    scan.stop();
  };
  stop.addEventListener("abort", onStop);
  witness.begin();
  await watch.promise;
  if (!stop.aborted) scan.start();
  try {
    const end = await promise;
    await far.rest();
    if (failure.error !== null) throw failure.error;
    return end;
  } finally {
    stop.removeEventListener("abort", onStop);
    witness.stop();
    link.close();
  }
}

/** No more acks ahead than what a second of the rate brings. */
function windowFor(bytesPerSecond: number | null): number {
  if (bytesPerSecond === null) return WINDOW_ACKS;
  return Math.max(1, Math.min(WINDOW_ACKS, Math.floor(bytesPerSecond / BATCH_BYTES)));
}

/** Batches of a scan as events, none of a batch that is not sound and in order. */
class ReceiverSink implements ScanSink {
  readonly #shard: number;
  readonly #protocol: ProtocolVersion;
  readonly #receiver: LeaderScanReceiver;
  readonly #far: FarSlots;
  /** Called for what comes from the leader behind CaughtUp. */
  signOfLife: () => void = () => {};
  #layout: SlotLayout | null = null;
  #slotLast = -1;

  constructor(
    shard: number,
    protocol: ProtocolVersion,
    receiver: LeaderScanReceiver,
    far: FarSlots,
  ) {
    this.#far = far;
    this.#shard = shard;
    this.#protocol = protocol;
    this.#receiver = receiver;
  }

  begin(info: ShardInfo): void {
    this.#layout = slotLayout(info.keyLen, info.valueLen);
    this.#receiver.begin(info, this.#protocol);
  }

  batch(payload: Uint8Array): ReturnType<ScanSink["batch"]> {
    const layout = this.#layout;
    if (layout === null) return { fault: "a batch before ShardInfo" };
    const facts = checkBatch(payload, this.#shard, layout, this.#protocol);
    if ("fault" in facts) return { fault: `${facts.fault} at event ${facts.event} of a batch` };
    if (!facts.ascending || (facts.events > 0 && facts.slotFirst <= this.#slotLast)) return facts;
    this.#far.batch(payload, layout, facts.slotFirst, facts.slotLast);
    this.#slotLast = Math.max(this.#slotLast, facts.slotLast);
    return facts;
  }

  live(): void {
    this.signOfLife();
  }
  caughtUp(): void {}
  heartbeat(): void {
    this.signOfLife();
  }
  chunkEnded(): void {}
}

function errorOf(end: Extract<ScanEnd, { kind: "cut" }>, name: string, shard: number): unknown {
  switch (end.why) {
    case "sink":
      return end.error;
    case "stopped":
      return new Stopped();
    case "lost":
      if (end.reached === "nothing") return leaderUnreachable(name, end.reason);
      if (end.reached === "connection") return notALeader(name, "it hung up without an answer");
      return scanLost(name, shard, end.reason);
    case "stalled":
    case "short":
      return scanLost(name, shard, end.reason);
    case "violation":
      return end.reached === "connection"
        ? notALeader(name, end.reason)
        : brokeProtocol(name, shard, end.reason);
    case "refused":
      return refusedByLeader(name, shard, end.leaderText ?? "");
  }
}
