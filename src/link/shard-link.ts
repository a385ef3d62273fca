// One live connection of a shard: a Session driven by a Link and the clock. Watches the deadlines that a session has
// (wire.md), which is how a stall is noticed, and ends with one reason. Knows nothing of disks: batches go to its owner.
//
//   handshake   ShardInfo within 5 s
//   any phase   a frame that began must end within 15 s
//   scanning    silence is no stall while TCP keepalive answers (a sparse scan)
//   streaming   where heartbeats are due: a frame within 15 s

import type { Clock, Timer } from "../io/clock.ts";
import { LATE_MS } from "../io/deadline.ts";
import type { Link, Net } from "../io/net.ts";
import {
  CONNECT_TIMEOUT_MS,
  FRAME_TIMEOUT_MS,
  HANDSHAKE_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  SEND_QUEUE_BYTES_MAX,
  SILENCE_TIMEOUT_MS,
} from "../limits.ts";
import { FrameDecoder } from "../wire/frame-decoder.ts";
import {
  encodeAck,
  encodeHeartbeat,
  encodeSyncRequest,
  FLAG_EMPTY_STATE,
  type FrameType,
  type ProtocolVersion,
} from "../wire/messages.ts";
import { frameProblemText, type ShardLinkEnd, shardLinkEnd } from "./link-end.ts";
import { Session, type SessionEvent, type WindowFor } from "./session.ts";

export interface ShardLinkOptions {
  readonly host: string;
  readonly port: number;
  readonly shard: number;
  readonly protocol: ProtocolVersion;
  readonly windowFor: WindowFor;
  /** True when no slot here is occupied: DELETED slots need not come. */
  readonly isEmpty: boolean;
}

/** Who hears of a link. Nothing is heard before `start` has returned, and nothing after `ended`. */
export interface ShardLinkOwner {
  /** The connection is made, and the SyncRequest sent. */
  opened?(link: ShardLink): void;
  /** A session event other than `violation` and `leader-error`, in order. */
  received(link: ShardLink, event: SessionEvent): void;
  /** All whole frames of what the socket delivered have been handed over: the time to write and to ack. */
  chunkEnded(link: ShardLink): void;
  ended(link: ShardLink, end: ShardLinkEnd): void;
}

/** Between two looks at the deadlines: before the stream, and at most while there is nothing but the stream. */
const LOOK_MS = 1_000;
const LOOK_STREAMING_MS_MAX = 5_000;

export class ShardLink {
  readonly session: Session;
  readonly #net: Net;
  readonly #clock: Clock;
  readonly #options: ShardLinkOptions;
  #owner: ShardLinkOwner | null = null;
  #link: Link | null = null;
  readonly #decoder = new FrameDecoder();
  #watch: Timer | null = null;
  #openedAtMs: number | null = null;
  #frameBegunAtMs: number | null = null;
  #lastFrameAtMs: number;
  #lastChunkAtMs: number;
  #lastSentAtMs: number;
  #lookDueMs: number;
  /** Deadlines count from here at the earliest: before it we were held up ourselves, or had asked for nothing. */
  #judgedFromMs = Number.NEGATIVE_INFINITY;
  #bytesReceived = 0;
  #ended = false;
  #paused = false;
  /** Whether a streaming leader's heartbeats are due: not on an L1 connection without the stream. */
  expectsHeartbeats = true;

  constructor(net: Net, clock: Clock, options: ShardLinkOptions) {
    this.#net = net;
    this.#clock = clock;
    this.#options = options;
    this.session = new Session(options.shard, options.protocol, options.windowFor);
    const nowMs = clock.nowMs();
    this.#lastFrameAtMs = nowMs;
    this.#lastChunkAtMs = nowMs;
    this.#lastSentAtMs = nowMs;
    this.#lookDueMs = nowMs;
  }

  /** Connects; once. What comes is told to `owner`. */
  start(owner: ShardLinkOwner): void {
    const { host, port, shard, protocol, isEmpty } = this.#options;
    this.#owner = owner;
    const flags = isEmpty ? FLAG_EMPTY_STATE : 0;
    const request = encodeSyncRequest({ shardId: shard, protocolVersion: protocol, flags });
    this.#link = this.#net.connect(
      { host, port, timeoutMs: CONNECT_TIMEOUT_MS, sendQueueBytesMax: SEND_QUEUE_BYTES_MAX },
      {
        opened: (link) => {
          this.#openedAtMs = this.#clock.nowMs();
          this.#scheduleWatch();
          link.send(request);
          this.#owner?.opened?.(this);
        },
        received: (_link, chunk) => this.#receive(chunk),
        ended: (_link, end) => this.#end(shardLinkEnd(end)),
      },
    );
  }

  /** From now on `owner` hears of it. */
  handOver(owner: ShardLinkOwner): void {
    this.#owner = owner;
  }

  /** For an owner that handed it over while it heard of its end: tells the new one. */
  tellOwner(before: ShardLinkOwner, end: ShardLinkEnd): void {
    if (this.#owner !== before) this.#owner?.ended(this, end);
  }

  /** Monotonic time of the last whole frame, ms. */
  get lastFrameAtMs(): number {
    return this.#lastFrameAtMs;
  }

  /** Monotonic time of the last bytes, ms. */
  get lastChunkAtMs(): number {
    return this.#lastChunkAtMs;
  }

  /** What came last is the begin of a frame: the leader has sent more than is here. */
  get isMidFrame(): boolean {
    return this.#decoder.midFrame;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  get shard(): number {
    return this.#options.shard;
  }

  /** Bytes that came over this connection. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  /** When the connection was made; null before. */
  get openedAtMs(): number | null {
    return this.#openedAtMs;
  }

  /** Sends `count` acks that say the same, in one write: a frame cut in two can cost an L1 or L2 session. */
  sendAcks(count: number, appliedCount: bigint, maxVersionSeen: number): void {
    if (count === 0 || this.#ended) return;
    this.#lastSentAtMs = this.#clock.nowMs();
    const ack = encodeAck({ shardId: this.session.shard, appliedCount, maxVersionSeen });
    const frames = new Uint8Array(ack.length * count);
    for (let index = 0; index < count; index++) frames.set(ack, index * ack.length);
    this.#link?.send(frames);
  }

  sendHeartbeat(): void {
    this.#lastSentAtMs = this.#clock.nowMs();
    this.#link?.send(encodeHeartbeat());
  }

  /** Stops delivery, for a short time only: a leader's stream dies when its socket stays full. */
  pause(): void {
    this.#paused = true;
    this.#link?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#judgedFromMs = this.#clock.nowMs();
    this.#link?.resume();
  }

  /** Ends it with `closed-here`, at once. */
  close(): void {
    this.#end({ kind: "closed-here" });
  }

  /** Ends it for a reason found by the owner (a batch it refused, a geometry that differs). */
  fail(end: ShardLinkEnd): void {
    this.#end(end);
  }

  #receive(chunk: Uint8Array): void {
    this.#bytesReceived += chunk.length;
    // One look at the clock for all frames of a chunk: they came together.
    this.#lastChunkAtMs = this.#clock.nowMs();
    const problem = this.#decoder.push(chunk, (type, payload) => this.#frame(type, payload));
    if (this.#ended) return;
    if (problem !== null) {
      this.#violation(frameProblemText(problem));
      return;
    }
    if (!this.#decoder.midFrame) this.#frameBegunAtMs = null;
    else this.#frameBegunAtMs ??= this.#clock.nowMs();
    this.#owner?.chunkEnded(this);
  }

  #frame(type: FrameType, payload: Uint8Array): boolean {
    this.#lastFrameAtMs = this.#lastChunkAtMs;
    this.#frameBegunAtMs = null;
    const event = this.session.receive(type, payload);
    if (event.kind === "violation") this.#violation(event.reason);
    else if (event.kind === "leader-error") this.#end({ kind: "leader-error", text: event.text });
    else this.#owner?.received(this, event);
    return !this.#ended;
  }

  #violation(reason: string): void {
    const beforeShardInfo = this.session.phase === "handshake";
    this.#end({ kind: "violation", reason, beforeShardInfo });
  }

  #end(end: ShardLinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.cancel();
    this.#link?.close();
    this.#owner?.ended(this, end);
  }

  #scheduleWatch(): void {
    const nowMs = this.#clock.nowMs();
    this.#lookDueMs = this.#nextLookMs(nowMs);
    this.#watch = this.#clock.after(this.#lookDueMs - nowMs, () => {
      this.#look();
      if (!this.#ended) this.#scheduleWatch();
    });
  }

  /** An idle stream costs a look with each heartbeat of ours, and no more: there are 255 of them. */
  #nextLookMs(nowMs: number): number {
    if (this.session.phase !== "streaming" || this.#frameBegunAtMs !== null) return nowMs + LOOK_MS;
    const beatsAtMs =
      this.session.protocol === 2
        ? this.#lastSentAtMs + HEARTBEAT_INTERVAL_MS
        : Number.POSITIVE_INFINITY;
    const silentAtMs = this.#lastFrameAtMs + SILENCE_TIMEOUT_MS;
    const dueMs = Math.min(beatsAtMs, silentAtMs, nowMs + LOOK_STREAMING_MS_MAX);
    return Math.max(dueMs, nowMs + LOOK_MS);
  }

  /** Holds the deadlines; on protocol 2 also keeps our own heartbeat going after CaughtUp. */
  #look(): void {
    const nowMs = this.#clock.nowMs();
    const lateMs = nowMs - this.#lookDueMs;
    // What the leader sent meanwhile lies in our own socket: it is read first, and judged at a later look.
    if (lateMs > LATE_MS) this.#judgedFromMs = nowMs;
    if (this.#paused) return;
    const sinceMs = (atMs: number) => nowMs - Math.max(atMs, this.#judgedFromMs);
    const silentMs = sinceMs(this.#lastFrameAtMs);
    const seconds = Math.round(silentMs / 1000);
    const begun = this.#frameBegunAtMs;
    if (begun !== null && sinceMs(begun) >= FRAME_TIMEOUT_MS) {
      this.#end({ kind: "stalled", reason: "a frame began and did not end within 15 s" });
    } else if (this.session.phase === "handshake") {
      if (sinceMs(this.#openedAtMs ?? nowMs) >= HANDSHAKE_TIMEOUT_MS) {
        this.#end({ kind: "stalled", reason: "the leader accepted and said nothing for 5 s" });
      }
    } else if (this.session.phase === "streaming") {
      if (this.expectsHeartbeats && silentMs >= SILENCE_TIMEOUT_MS) {
        // A frame that drips is named as such: the leader is there, and something in between is slow.
        const reason =
          begun === null
            ? `no heartbeat from the leader for ${seconds} s`
            : `a frame began and did not end within ${Math.round((nowMs - begun) / 1000)} s`;
        this.#end({ kind: "stalled", reason });
      } else if (
        this.session.protocol === 2 &&
        nowMs - this.#lastSentAtMs >= HEARTBEAT_INTERVAL_MS
      ) {
        this.sendHeartbeat();
      }
    }
  }
}
