// A leader that does what a test says, on any Net: plays a script per connection, malformed bytes included, and logs what
// the follower sent. Knows nothing of src/serve, so that it can say what no real leader would.
// Promises: a script runs inside the link's own events, so with MemoryNet nothing happens behind the test's back.
//
//   const leader = new ScriptedLeader(net, clock, function* (peer) {
//     const request = yield* peer.request();
//     peer.send(encodeShardInfo(info));
//     yield* peer.ack();
//   });

import type { Clock, Timer } from "../../src/io/clock.ts";
import type { Link, LinkEnd, LinkEvents, Listener, Net } from "../../src/io/net.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import {
  type Ack,
  decodeAck,
  decodeSyncRequest,
  FRAME_ACK,
  FRAME_HEARTBEAT,
  FRAME_SYNC_REQUEST,
  type FrameType,
  type SyncRequest,
} from "../../src/wire/messages.ts";

const SEND_QUEUE_BYTES_MAX = 64 * 1024 * 1024;

/** One frame that a follower sent. */
export interface ReceivedFrame {
  readonly type: FrameType;
  readonly payload: Uint8Array;
  readonly atMs: number;
}

/** What a script waits for. */
export type Wait = { readonly frame: true } | { readonly ms: number } | { readonly end: true };

/** A script ends when it returns; the link stays open unless it closed it. A lost link ends it silently. */
export type Script = (peer: ScriptedPeer) => Generator<Wait, void, ReceivedFrame | null>;

export class ScriptedLeader {
  readonly #listener: Listener;
  /** One per connection, in order; each with its log. */
  readonly peers: ScriptedPeer[] = [];

  /** `script` may differ by the connection's number, from 0. */
  constructor(net: Net, clock: Clock, script: (connection: number) => Script, port = 0) {
    this.#listener = net.listen({
      host: "127.0.0.1",
      port,
      sendQueueBytesMax: SEND_QUEUE_BYTES_MAX,
      accept: () => {
        const peer = new ScriptedPeer(clock, script(this.peers.length));
        this.peers.push(peer);
        return peer.events;
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** `host:port`. */
  get address(): string {
    return this.#listener.at;
  }

  /** SyncRequests of all connections, in order. */
  get requests(): SyncRequest[] {
    return this.peers.flatMap((peer) => (peer.syncRequest === null ? [] : [peer.syncRequest]));
  }

  /** Stops listening and closes every connection. */
  stop(): void {
    this.#listener.stop();
    for (const peer of this.peers) peer.close();
  }
}

/** One connection, as its script sees it. */
export class ScriptedPeer {
  readonly #clock: Clock;
  readonly #script: Script;
  readonly #decoder = new FrameDecoder();
  readonly #unread: ReceivedFrame[] = [];
  #run: Generator<Wait, void, ReceivedFrame | null> | null = null;
  #waits: Wait | null = null;
  #timer: Timer | null = null;
  #link: Link | null = null;
  #stepping = false;
  /** All that the follower sent, in order. */
  readonly frames: ReceivedFrame[] = [];
  /** The first SyncRequest, or null until it came. */
  syncRequest: SyncRequest | null = null;
  /** How the connection ended, or null while it is open. */
  ended: LinkEnd | null = null;
  /** True when the script returned. */
  finished = false;
  /** A frame problem in what the follower sent, or null. */
  problem: string | null = null;
  /** What the script itself threw; a test fails on it. */
  failure: unknown = null;

  constructor(clock: Clock, script: Script) {
    this.#clock = clock;
    this.#script = script;
  }

  readonly events: LinkEvents = {
    opened: (link) => {
      this.#link = link;
      this.#run = this.#script(this);
      this.#step(null);
    },
    received: (_link, chunk) => this.#received(chunk),
    ended: (_link, end) => {
      this.ended = end;
      this.#timer?.cancel();
      if (this.#waits !== null && "end" in this.#waits) this.#step(null);
    },
  };

  /** Acks that came, decoded. */
  get acks(): Ack[] {
    return this.framesOf(FRAME_ACK).flatMap((frame) => decodeAck(frame.payload) ?? []);
  }

  get heartbeats(): number {
    return this.framesOf(FRAME_HEARTBEAT).length;
  }

  framesOf(type: FrameType): ReceivedFrame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Sends any bytes, a frame or not. */
  send(bytes: Uint8Array): void {
    this.#link?.send(bytes);
  }

  /** Closes in order. */
  close(): void {
    this.#link?.close();
  }

  /** Waits for the next frame, of any type. */
  *frame(): Generator<Wait, ReceivedFrame, ReceivedFrame | null> {
    const frame = yield { frame: true };
    if (frame === null) throw new Error("resumed without a frame");
    return frame;
  }

  /** Waits for the next frame of a type; others are logged and passed over. */
  *frameOf(type: FrameType): Generator<Wait, ReceivedFrame, ReceivedFrame | null> {
    for (;;) {
      const frame = yield* this.frame();
      if (frame.type === type) return frame;
    }
  }

  /** Waits for the SyncRequest. */
  *request(): Generator<Wait, SyncRequest, ReceivedFrame | null> {
    yield* this.frameOf(FRAME_SYNC_REQUEST);
    if (this.syncRequest === null) throw new Error("the SyncRequest is too short");
    return this.syncRequest;
  }

  /** Waits for the next Ack. */
  *ack(): Generator<Wait, Ack, ReceivedFrame | null> {
    const ack = decodeAck((yield* this.frameOf(FRAME_ACK)).payload);
    if (ack === null) throw new Error("the Ack is too short");
    return ack;
  }

  /** Lets time pass. */
  *pause(ms: number): Generator<Wait, void, ReceivedFrame | null> {
    yield { ms };
  }

  /** Keeps the link open, saying nothing more, until it ends. */
  *untilEnd(): Generator<Wait, void, ReceivedFrame | null> {
    yield { end: true };
  }

  #received(chunk: Uint8Array): void {
    const problem = this.#decoder.push(chunk, (type, payload) => {
      const frame = { type, payload: payload.slice(), atMs: this.#clock.nowMs() };
      this.frames.push(frame);
      if (type === FRAME_SYNC_REQUEST) this.syncRequest ??= decodeSyncRequest(frame.payload);
      this.#unread.push(frame);
      this.#feed();
      return this.ended === null;
    });
    if (problem !== null) this.problem = `${problem.fault} (type ${problem.type})`;
  }

  #feed(): void {
    while (this.#waits !== null && "frame" in this.#waits && !this.#stepping) {
      const frame = this.#unread.shift();
      if (frame === undefined) return;
      this.#step(frame);
    }
  }

  #step(frame: ReceivedFrame | null): void {
    if (this.#run === null || this.finished) return;
    this.#waits = null;
    this.#stepping = true;
    try {
      const result = this.#run.next(frame);
      if (result.done) this.finished = true;
      else this.#waits = result.value;
    } catch (thrown) {
      this.failure = thrown;
      this.finished = true;
    } finally {
      this.#stepping = false;
    }
    if (this.#waits === null) return;
    if ("ms" in this.#waits) {
      this.#timer = this.#clock.after(this.#waits.ms, () => this.#step(null));
    } else if ("frame" in this.#waits) this.#feed();
    else if (this.ended !== null) this.#step(null);
  }
}
