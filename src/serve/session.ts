// One follower's connection: a state machine over its link and the clock. Everything comes in through LinkEvents, timers
// and the live sink, and nothing blocks (wire.md: A session; What a leader owes a crate follower).
//
//   handshake --SyncRequest--> scanning --CaughtUp--> live          any --reason--> closing --queue empty--> ended
//
// Promises: frames go out whole and in order; every wait has a deadline; heartbeats are never echoed; a gap in the live
// events ends the connection instead of passing for a stream.

import { type ArmdbError, assert, unreachable } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Link, LinkEnd, LinkEvents } from "../io/net.ts";
import { HEARTBEAT_INTERVAL_MS } from "../limits.ts";
import { FrameDecoder, type FrameProblem } from "../wire/frame-decoder.ts";
import {
  decodeAck,
  encodeCaughtUp,
  encodeErrorFrame,
  encodeHeartbeat,
  encodeShardInfo,
  ERROR_EVENTS_DROPPED,
  FRAME_ACK,
  FRAME_HEARTBEAT,
  type FrameType,
  frameName,
  type ProtocolVersion,
} from "../wire/messages.ts";
import { REQUEST_TIMEOUT_MS } from "./bounds.ts";
import { CatchUp } from "./catch-up.ts";
import type { CatchUpScan } from "./catch-up-scan.ts";
import { answerFirstFrame, type HandshakeAnswer } from "./handshake.ts";
import type { LiveSource } from "./live-source.ts";
import { LiveStream } from "./live-stream.ts";
import { Outbox } from "./outbox.ts";
import type { FollowerReport } from "./report.ts";
import type { ServedDatabase } from "./served-database.ts";

export interface SessionOptions {
  readonly database: ServedDatabase;
  readonly live: LiveSource;
  readonly clock: Clock;
  /** `host:port` of the follower. */
  readonly peer: string;
  /** What became of it, each time that changes. */
  report(report: FollowerReport): void;
  /** The last call: the connection is over. */
  ended(session: FollowerSession): void;
}

/** What a follower was granted, and the two phases of it. */
interface Granted {
  readonly shard: number;
  readonly protocol: ProtocolVersion;
  readonly catchUp: CatchUp;
  readonly stream: LiveStream;
}

type Phase = "handshake" | "scanning" | "live" | "closing" | "ended";

export class FollowerSession implements LinkEvents {
  readonly #options: SessionOptions;
  readonly #decoder = new FrameDecoder();
  #outbox: Outbox | null = null;
  #phase: Phase = "handshake";
  #granted: Granted | null = null;
  /** The request's deadline first, the heartbeat later. */
  #timer: Timer | null = null;
  #reason: string | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get phase(): Phase {
    return this.#phase;
  }

  opened(link: Link): void {
    const { clock } = this.#options;
    this.#outbox = new Outbox(link, clock, (reason) => this.#giveUp(reason));
    this.#timer = clock.after(REQUEST_TIMEOUT_MS, () => {
      this.#giveUp("no SyncRequest came within 10 s");
    });
  }

  received(_link: Link, chunk: Uint8Array): void {
    if (!this.#isOpen()) return;
    const problem = this.#decoder.push(chunk, (type, payload) => this.#frame(type, payload));
    if (problem !== null) this.#close(frameProblemText(problem));
  }

  drained(): void {
    this.#outbox?.release();
    if (this.#phase === "scanning") this.#granted?.catchUp.run();
    else if (this.#phase === "live") this.#granted?.stream.flush();
  }

  ended(_link: Link, end: LinkEnd): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#release();
    this.#outbox?.release();
    this.#options.report({
      from: this.#options.peer,
      shard: this.#granted?.shard ?? null,
      state: "ended",
      reason: this.#reason ?? endText(end),
    });
    this.#options.ended(this);
  }

  /** Ends the connection at a stop of the leader: a live stream gets its last events out first. */
  finish(): void {
    const reason = "the leader stops";
    if (this.#phase === "live") this.#granted?.stream.finish(() => this.#close(reason));
    else this.#close(reason);
  }

  /** Ends the connection at once. */
  abandon(): void {
    this.#giveUp("the leader stops");
  }

  #isOpen(): boolean {
    return this.#phase !== "closing" && this.#phase !== "ended";
  }

  /** One frame from the follower; false stops the decoder because the connection is over. */
  #frame(type: FrameType, payload: Uint8Array): boolean {
    switch (this.#phase) {
      case "handshake":
        this.#answer(answerFirstFrame(type, payload, this.#options.database.shardCount));
        break;
      case "scanning":
      case "live":
        this.#laterFrame(type, payload);
        break;
      case "closing":
      case "ended":
        break;
      default:
        unreachable(this.#phase);
    }
    return this.#isOpen();
  }

  #answer(answer: HandshakeAnswer): void {
    switch (answer.kind) {
      case "close":
        this.#close(answer.reason);
        return;
      case "refuse": {
        const { text: reason, shard } = answer;
        this.#options.report({ from: this.#options.peer, shard, state: "refused", reason });
        this.#mustOutbox().send(encodeErrorFrame(reason));
        this.#close(reason);
        return;
      }
      case "serve":
        this.#serve(answer.shard, answer.protocol, answer.skipDeleted);
        return;
      default:
        unreachable(answer);
    }
  }

  #serve(shard: number, protocol: ProtocolVersion, skipDeleted: boolean): void {
    const { database, live, clock, peer } = this.#options;
    const { shardCount, shardPrefixBits, layout } = database;
    const outbox = this.#mustOutbox();
    this.#cancelTimer();
    const slotCount = database.slotCount(shard);
    outbox.send(encodeShardInfo({ ...layout, shardCount, shardPrefixBits, slotCount }));
    this.#phase = "scanning";
    // Before the first read, so that no change falls between scan and stream.
    const stream = new LiveStream({ source: live, shard, protocol, clock, layout }, outbox, () =>
      this.#eventsDropped(protocol),
    );
    const catchUp = new CatchUp({ database, shard, protocol, skipDeleted }, outbox, clock, {
      sentBatch: () => stream.sentBatch(),
      caughtUp: (scan) => this.#caughtUp(scan),
      failed: (error) => this.#failed(error),
      giveUp: (reason) => this.#giveUp(reason),
    });
    this.#granted = { shard, protocol, catchUp, stream };
    const slots = catchUp.slotCount;
    this.#options.report({ from: peer, shard, state: "scanning", protocol, slots });
    catchUp.run();
  }

  /** Frames after the handshake: a follower sends Acks and Heartbeats, nothing else (wire.md: Frames). */
  #laterFrame(type: FrameType, payload: Uint8Array): void {
    const granted = this.#granted;
    assert(granted !== null, "a frame without a grant");
    const isScanning = this.#phase === "scanning";
    if (type === FRAME_HEARTBEAT) {
      if (isScanning) granted.catchUp.heartbeat();
    } else if (type !== FRAME_ACK) {
      this.#close(`sent ${frameName(type)} where only Acks and Heartbeats are due`);
    } else if (decodeAck(payload) === null) {
      this.#close(`sent an Ack of ${payload.length} bytes, 13 are due`);
    } else {
      granted.stream.acked();
      if (isScanning) granted.catchUp.ack();
    }
  }

  #caughtUp(scan: CatchUpScan): void {
    const granted = this.#granted;
    assert(granted !== null, "caught up without a grant");
    const { shard, protocol, stream } = granted;
    const { events: sent, torn, invalid } = scan;
    this.#mustOutbox().send(encodeCaughtUp({ shardId: shard, totalScanned: BigInt(sent) }));
    this.#phase = "live";
    const from = this.#options.peer;
    this.#options.report({ from, shard, state: "live", protocol, sent, torn, invalid });
    this.#scheduleHeartbeat();
    stream.start();
  }

  #failed(error: ArmdbError): void {
    const shard = this.#granted?.shard ?? null;
    const { message: reason } = error;
    this.#options.report({ from: this.#options.peer, shard, state: "failed", reason });
    this.#close(reason);
  }

  /** Every 5 s from CaughtUp on, whatever else went out (wire.md: A session, 4). */
  #scheduleHeartbeat(): void {
    this.#timer = this.#options.clock.after(HEARTBEAT_INTERVAL_MS, () => {
      const outbox = this.#mustOutbox();
      this.#scheduleHeartbeat();
      // Bytes that wait are as good a sign of life.
      if (outbox.isEmpty) outbox.send(encodeHeartbeat());
    });
  }

  /** wire.md, L3: says so and closes; a follower of protocol 1 knows no such Error. */
  #eventsDropped(protocol: ProtocolVersion): void {
    if (protocol === 2) this.#mustOutbox().send(encodeErrorFrame(ERROR_EVENTS_DROPPED));
    this.#close(ERROR_EVENTS_DROPPED);
  }

  /** Ends the connection now, with whatever still waits for the follower. */
  #giveUp(reason: string): void {
    this.#reason ??= reason;
    this.#outbox?.close();
  }

  /** Ends the connection once the link has taken what is queued; nothing more is read or made. */
  #close(reason: string): void {
    if (!this.#isOpen()) return;
    this.#reason ??= reason;
    this.#phase = "closing";
    this.#release();
    this.#outbox?.closeWhenSent();
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #release(): void {
    this.#cancelTimer();
    this.#granted?.catchUp.end();
    this.#granted?.stream.end();
  }

  #mustOutbox(): Outbox {
    assert(this.#outbox !== null, "a session without a link");
    return this.#outbox;
  }
}

function frameProblemText(problem: FrameProblem): string {
  switch (problem.fault) {
    case "unknown-type":
      return `sent a frame of unknown type ${problem.type}: no follower of this protocol`;
    case "too-long":
      return `announced a frame of ${problem.payloadBytes} bytes, more than the 256 KiB allowed`;
    default:
      return unreachable(problem.fault);
  }
}

function endText(end: LinkEnd): string {
  switch (end.kind) {
    case "closed-here":
      return "closed here";
    case "closed-by-peer":
      return "the follower closed";
    case "broken":
    case "not-connected":
      return end.reason;
    case "send-queue-full":
      return "it takes nothing and too much waits for it";
    default:
      return unreachable(end);
  }
}
