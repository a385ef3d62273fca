// A Net in memory, driven by a Clock alone: with ManualClock whole conversations repeat byte for byte. Each direction of
// a connection is a MemoryPipe, which can delay, split, join, hold back, corrupt and cut what passes, and which takes
// only so many bytes at a time, so that senders meet a full buffer as on a real socket.
// Promises: bytes arrive in order and as copies; nothing is delivered inside a call of the sender.

import { type Endpoint, formatEndpoint } from "../../src/io/address.ts";
import type { Clock, Timer } from "../../src/io/clock.ts";
import type {
  ConnectOptions,
  Link,
  LinkEnd,
  LinkEvents,
  Listener,
  ListenOptions,
  Net,
} from "../../src/io/net.ts";
import type { ManualClock } from "./manual-clock.ts";
import { MemoryPipe } from "./memory-pipe.ts";

export { type CutKind, MemoryPipe } from "./memory-pipe.ts";

/** How a connect to a port goes when nobody changes it: to the listener there, or ECONNREFUSED. */
export type ConnectRule = "normal" | "refuse" | "blackhole";

export class MemoryNet implements Net {
  readonly #clock: ManualClock;
  /** By port, whatever the host, or by path. */
  readonly #listeners = new Map<number | string, ListenOptions>();
  #nextPort = 40_000;
  /** Every connection that was made, in order. */
  readonly connections: MemoryConnection[] = [];
  /** How connects go from now on. */
  rule: ConnectRule = "normal";
  /** Connects that fail do so as early as net.ts allows, before anything else happens: as where there is no route. */
  failsAtOnce = false;
  /** Called with each connection before its first byte: the place to bend its pipes. */
  onConnection: ((connection: MemoryConnection) => void) | null = null;
  /** Connects that were tried, refused ones too. */
  connects = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  listen(options: ListenOptions): Listener {
    const isAnyPort = !("unix" in options) && options.port === 0;
    const bound = isAnyPort ? { ...options, port: this.#nextPort++ } : options;
    const key = keyOf(bound);
    if (this.#listeners.has(key)) throw new Error(`${key} is taken`);
    this.#listeners.set(key, options);
    return {
      at: formatEndpoint(bound),
      port: "unix" in bound ? 0 : bound.port,
      stop: () => void this.#listeners.delete(key),
    };
  }

  connect(options: ConnectOptions, events: LinkEvents): Link {
    this.connects++;
    const link = new MemoryLink(formatEndpoint(options), events, this.#clock);
    link.queueBytesMax = options.sendQueueBytesMax;
    if (this.rule === "blackhole") {
      link.timeout(options.timeoutMs);
      return link;
    }
    const isRefused = () => this.rule === "refuse" || !this.#listeners.has(keyOf(options));
    if (this.failsAtOnce && isRefused()) {
      this.#clock.soon(() => link.end({ kind: "not-connected", reason: "ENETUNREACH" }));
      return link;
    }
    this.#clock.after(0, () => {
      if (link.hasEnded) return;
      const listener = this.#listeners.get(keyOf(options));
      if (listener === undefined || isRefused()) {
        link.end({ kind: "not-connected", reason: "ECONNREFUSED" });
      } else this.#join(link, listener);
    });
    return link;
  }

  /** Connections whose two ends have not both ended. */
  get open(): MemoryConnection[] {
    return this.connections.filter((connection) => connection.isOpen);
  }

  #join(connecting: MemoryLink, listener: ListenOptions): void {
    const peer =
      "unix" in listener ? listener.unix : `127.0.0.1:${50_000 + this.connections.length}`;
    const accepted = new MemoryLink(peer, listener.accept(peer), this.#clock);
    accepted.queueBytesMax = listener.sendQueueBytesMax;
    const connection = new MemoryConnection(connecting, accepted, this.#clock);
    this.connections.push(connection);
    this.onConnection?.(connection);
    accepted.start();
    connecting.start();
  }
}

function keyOf(endpoint: Endpoint): number | string {
  return "unix" in endpoint ? endpoint.unix : endpoint.port;
}

/** Both ends and both directions of one connection. */
export class MemoryConnection {
  readonly connecting: MemoryLink;
  readonly accepted: MemoryLink;
  /** What the connecting side (the follower) sends. */
  readonly toListener: MemoryPipe;
  /** What the listening side (the leader) sends. */
  readonly toConnector: MemoryPipe;

  constructor(connecting: MemoryLink, accepted: MemoryLink, clock: Clock) {
    this.connecting = connecting;
    this.accepted = accepted;
    this.toListener = new MemoryPipe(clock, connecting, accepted);
    this.toConnector = new MemoryPipe(clock, accepted, connecting);
    connecting.pipe = this.toListener;
    accepted.pipe = this.toConnector;
    connecting.incoming = this.toConnector;
    accepted.incoming = this.toListener;
  }

  get isOpen(): boolean {
    return !this.connecting.hasEnded || !this.accepted.hasEnded;
  }

  /** Both ends see a reset, now; what was on the way is lost. */
  reset(reason = "ECONNRESET"): void {
    this.toListener.discard();
    this.toConnector.discard();
    this.connecting.end({ kind: "broken", reason });
    this.accepted.end({ kind: "broken", reason });
  }

  /** From now on nothing passes, and neither end is told: a pulled cable. */
  silence(): void {
    this.toListener.hold();
    this.toConnector.hold();
  }
}

/** One end of a connection. */
export class MemoryLink implements Link {
  readonly peer: string;
  readonly #events: LinkEvents;
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #finishing = false;
  #ended = false;
  queueBytesMax = Number.POSITIVE_INFINITY;
  pipe: MemoryPipe | null = null;
  incoming: MemoryPipe | null = null;
  /** Every frame or piece handed to `send`, in order. */
  readonly sends: Uint8Array[] = [];
  #paused = false;

  constructor(peer: string, events: LinkEvents, clock: Clock) {
    this.peer = peer;
    this.#events = events;
    this.#clock = clock;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  start(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (!this.#ended) this.#events.opened(this);
    this.pump();
  }

  /** Gives up a connect that nobody answers. */
  timeout(ms: number): void {
    this.#timer = this.#clock.after(ms, () => {
      this.end({ kind: "not-connected", reason: `no answer within ${ms} ms` });
    });
  }

  send(frame: Uint8Array): void {
    if (this.#ended || this.#finishing) return;
    this.sends.push(frame.slice());
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    this.pump();
    if (this.#queuedBytes > this.queueBytesMax) {
      this.pipe?.discard();
      this.pipe?.finish("reset");
      this.end({ kind: "send-queue-full" });
    }
  }

  /** Moves what the pipe takes. */
  pump(): void {
    while (this.pipe !== null && this.#queue.length > 0 && !this.#ended) {
      const head = this.#queue[0] as Uint8Array;
      const taken = this.pipe.take(head);
      this.#queuedBytes -= taken;
      if (taken < head.length) {
        this.#queue[0] = head.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
  }

  /** The pipe has room again. */
  roomAgain(): void {
    if (this.#ended || this.#queue.length === 0) return;
    this.pump();
    if (this.#queue.length > 0 || this.#ended) return;
    if (this.#finishing) this.close();
    else this.#events.drained?.(this);
  }

  deliver(chunk: Uint8Array): void {
    if (!this.#ended) this.#events.received(this, chunk);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.incoming?.wake();
  }

  finish(): void {
    this.#finishing = true;
    if (this.#queue.length === 0) this.close();
  }

  close(): void {
    if (this.#ended) return;
    this.pipe?.finish("fin");
    this.end({ kind: "closed-here" });
  }

  end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#events.ended(this, end);
  }
}
