// The Net of the operating system: the only Bun.connect and Bun.listen. Adds what those leave to the caller: a connect
// timeout, a queue for what a write did not take, keepalive that notices a dead peer, and one `ended` per link.

import type { Socket } from "bun";
import { lstatSync } from "node:fs";
import { KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_PROBES } from "../limits.ts";
import { type Endpoint, formatAddress, formatEndpoint } from "./address.ts";
import type { Timer } from "./clock.ts";
import { deadline } from "./deadline.ts";
import { setSocketOption } from "./libc.ts";
import type {
  ConnectOptions,
  Link,
  LinkEnd,
  LinkEvents,
  Listener,
  ListenOptions,
  Net,
} from "./net.ts";
import { cannotListen, reasonOf, refusalOf } from "./refusal.ts";
import { realClock } from "./time.ts";

export const realNet: Net = { connect, listen };

/** One end of a connection, over TCP or in the file system, dialed or accepted: its queue and its single `ended`. */
class Channel implements Link {
  readonly peer: string;
  readonly #events: LinkEvents;
  readonly #queueBytesMax: number;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Null: it is still being dialed. */
  #socket: Socket<SocketData> | null = null;
  #dialing: Timer | null = null;
  #finishing = false;
  #ended = false;

  constructor(peer: string, events: LinkEvents, queueBytesMax: number) {
    this.peer = peer;
    this.#events = events;
    this.#queueBytesMax = queueBytesMax;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Gives up when there is no socket by then. */
  awaitSocket(timeoutMs: number): void {
    this.#dialing = deadline(realClock, timeoutMs, () => {
      this.end({ kind: "not-connected", reason: `no answer within ${timeoutMs} ms` });
    });
  }

  attach(socket: Socket<SocketData>): void {
    this.#stopDialing();
    // The attempt was given up before it succeeded: drop the late socket.
    if (this.#ended) return void socket.terminate();
    this.#socket = socket;
    this.#events.opened(this);
    this.pump();
  }

  async refuse(error: unknown, endpoint: Endpoint): Promise<void> {
    if (this.#ended) return;
    this.end({ kind: "not-connected", reason: await refusalOf(error, endpoint) });
  }

  deliver(chunk: Uint8Array): void {
    if (!this.#ended) this.#events.received(this, chunk);
    freeChunk(chunk);
  }

  send(frame: Uint8Array): void {
    if (this.#ended || this.#finishing) return;
    if (this.#queue.length > 0 || this.#socket === null) {
      this.#enqueue(frame);
      return;
    }
    const taken = this.#socket.write(frame);
    // -1: already closed, its close event says why.
    if (taken >= 0 && taken < frame.length) this.#enqueue(frame.subarray(taken));
  }

  #enqueue(rest: Uint8Array): void {
    this.#queue.push(rest);
    this.#queuedBytes += rest.length;
    if (this.#queuedBytes > this.#queueBytesMax) this.end({ kind: "send-queue-full" });
  }

  /** Hands on what is queued, as far as the system takes it. */
  pump(): void {
    if (this.#socket === null || this.#queue.length === 0) return;
    while (this.#queue.length > 0) {
      const head = this.#queue[0] as Uint8Array;
      const taken = this.#socket.write(head);
      if (taken < 0) return;
      this.#queuedBytes -= taken;
      if (taken < head.length) {
        this.#queue[0] = head.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    if (this.#finishing) this.close();
    else this.#events.drained?.(this);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  finish(): void {
    this.#finishing = true;
    if (this.#queue.length === 0) this.close();
  }

  close(): void {
    this.end({ kind: "closed-here" });
  }

  end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#stopDialing();
    // An orderly close: what the system has taken still goes out. A full queue means the peer is gone: reset.
    if (end.kind === "send-queue-full") this.#socket?.terminate();
    else this.#socket?.end();
    this.#events.ended(this, end);
  }

  #stopDialing(): void {
    this.#dialing?.cancel();
    this.#dialing = null;
  }
}

/**
 * Smaller ones, as a live stream's, are left to the collector. To free those of 100,000 puts a second, some 5 KB, gains nothing: 35.0
 * % of a core with it and 34.1 without, in eight turns each. Those of 20,000, some 1 KB: 16.9 instead of 15.7.
 */
const FREED_BYTES_MIN = 16 * 1024;

/**
 * Gives back the memory of a received chunk at once. Bun makes each a buffer of its own. Left to the collector a catch-up of
 * 2 x 2 M slots takes 25 % longer and peaks at 244 MiB instead of 129: a chunk does not come to lie where the last one was.
 */
function freeChunk(chunk: Uint8Array): void {
  if (chunk.length < FREED_BYTES_MIN) return;
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}

/** No channel: whoever connected was gone before it was accepted, and nobody was told of it. */
type SocketData = Channel | undefined;

const handlers = {
  // Not "buffer", whose slice() is no copy.
  binaryType: "uint8array" as const,
  data(socket: Socket<SocketData>, chunk: Uint8Array) {
    socket.data?.deliver(chunk);
  },
  drain(socket: Socket<SocketData>) {
    socket.data?.pump();
  },
  end(socket: Socket<SocketData>) {
    socket.data?.end({ kind: "closed-by-peer" });
  },
  close(socket: Socket<SocketData>, error?: Error) {
    socket.data?.end(
      error ? { kind: "broken", reason: reasonOf(error) } : { kind: "closed-by-peer" },
    );
  },
  error(_socket: Socket<SocketData>, error: Error) {
    // Thrown by one of our own handlers: a bug, which must not be taken for the peer's doing.
    throw error;
  },
};

function connect(options: ConnectOptions, events: LinkEvents): Link {
  const { timeoutMs, sendQueueBytesMax } = options;
  const channel = new Channel(formatEndpoint(options), events, sendQueueBytesMax);
  channel.awaitSocket(timeoutMs);
  // Whatever goes wrong, at once or later, rejects a promise, which is heard of only when this has returned.
  Promise.try(() => dial(options, channel)).catch((error: unknown) =>
    channel.refuse(error, options),
  );
  return channel;
}

/** No connectError is asked for: Bun calls it before Bun.connect has returned. */
function dial(endpoint: Endpoint, channel: Channel): Promise<Socket<SocketData>> {
  const socket = {
    ...handlers,
    open(dialed: Socket<SocketData>) {
      tune(dialed, endpoint);
      channel.attach(dialed);
    },
  };
  const common = { data: channel, socket };
  if ("unix" in endpoint) return Bun.connect<SocketData>({ unix: endpoint.unix, ...common });
  const { host, port } = endpoint;
  return Bun.connect<SocketData>({ hostname: host, port, ...common });
}

function listen(options: ListenOptions): Listener {
  const socket = {
    ...handlers,
    open(accepted: Socket<SocketData>) {
      const peer = peerOf(accepted, options);
      if (peer === null) return void accepted.terminate();
      const channel = new Channel(peer, options.accept(peer), options.sendQueueBytesMax);
      accepted.data = channel;
      tune(accepted, options);
      channel.attach(accepted);
    },
  };
  try {
    if ("unix" in options) {
      const server = Bun.listen<SocketData>({ unix: options.unix, socket });
      return { at: options.unix, port: 0, stop: stopOf(server, options.unix) };
    }
    const { host } = options;
    const server = Bun.listen<SocketData>({ hostname: host, port: options.port, socket });
    const { port } = server;
    return { at: formatAddress({ host, port }), port, stop: () => server.stop() };
  } catch (cause) {
    throw cannotListen(options, cause);
  }
}

/** Bun removes whatever lies at the name: a listener that has lost its name is left to the end of the process. */
function stopOf(server: { stop(): void; unref(): void }, path: string): () => void {
  const made = fileIdentity(path);
  return () => {
    const named = fileIdentity(path);
    if (named === null || named === made) server.stop();
    else server.unref();
  };
}

/** Device and inode of a name, links not followed; null where there is none. */
function fileIdentity(path: string): string | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}/${stats.ino}`;
}

/** Null: a port scan or a load balancer's check resets before it is accepted, and then there is no address. */
function peerOf(socket: Socket<SocketData>, at: Endpoint): string | null {
  if ("unix" in at) return at.unix;
  // Both may be missing, whatever the type says.
  const host: string | undefined = socket.remoteAddress;
  const port: number | undefined = socket.remotePort;
  return host === undefined || port === undefined ? null : formatAddress({ host, port });
}

const SOL_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;

/**
 * Sends small frames at once, and notices a peer whose machine is gone within 17 s, also when nothing is due from it (a sparse
 * scan is silent).
 */
function tune(socket: Socket<SocketData>, endpoint: Endpoint): void {
  if ("unix" in endpoint) return;
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_IDLE_SECONDS * 1000);
  const fd: unknown = "fd" in socket ? socket.fd : undefined;
  if (process.platform !== "linux" || typeof fd !== "number" || fd < 0) return;
  setSocketOption(fd, SOL_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
  setSocketOption(fd, SOL_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
  setSocketOption(fd, SOL_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  const deadMs = (KEEPALIVE_IDLE_SECONDS + KEEPALIVE_INTERVAL_SECONDS * KEEPALIVE_PROBES) * 1000;
  setSocketOption(fd, SOL_TCP, TCP_USER_TIMEOUT, deadMs);
}
