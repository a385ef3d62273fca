// The Net of the operating system: the only Bun.connect and Bun.listen. Adds what those leave to the caller: a connect
// timeout, a queue for what a write did not take, keepalive that notices a dead peer, and one `ended` per link.

import type { Socket } from "bun";
import { ArmdbError } from "../errors.ts";
import { KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_PROBES } from "../limits.ts";
import { formatAddress } from "./address.ts";
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
import { reasonOf, refusalOf } from "./refusal.ts";

export const realNet: Net = {
  connect(options, events) {
    return new OutgoingLink(options, events);
  },
  listen(options) {
    return listen(options);
  },
};

/** Queue, pumping and the single `ended`; shared by both directions. */
abstract class SocketLink implements Link {
  readonly peer: string;
  protected readonly events: LinkEvents;
  readonly #queueBytesMax: number;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #socket: Socket<SocketData> | null = null;
  #ended = false;

  constructor(peer: string, events: LinkEvents, queueBytesMax: number) {
    this.peer = peer;
    this.events = events;
    this.#queueBytesMax = queueBytesMax;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  attach(socket: Socket<SocketData>): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    enableKeepalive(socket);
    this.events.opened(this);
  }

  deliver(chunk: Uint8Array): void {
    if (!this.#ended) this.events.received(this, chunk);
    freeChunk(chunk);
  }

  send(frame: Uint8Array): void {
    if (this.#ended) return;
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

  pump(): void {
    while (this.#queue.length > 0 && this.#socket !== null && !this.#ended) {
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
    if (!this.#ended) this.events.drained?.(this);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  close(): void {
    this.end({ kind: "closed-here" });
  }

  end(end: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.release();
    // An orderly close: what the system has taken still goes out. A full queue means the peer is gone: reset.
    if (end.kind === "send-queue-full") this.#socket?.terminate();
    else this.#socket?.end();
    this.events.ended(this, end);
  }

  /** Lets go of timers when the link ends. */
  protected abstract release(): void;
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

/** No link: whoever connected was gone before it was accepted, and nobody was told of it. */
type SocketData = SocketLink | undefined;

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

class OutgoingLink extends SocketLink {
  #timer: ReturnType<typeof setTimeout> | null;

  constructor(options: ConnectOptions, events: LinkEvents) {
    super(formatAddress(options), events, options.sendQueueBytesMax);
    this.#timer = setTimeout(() => {
      this.end({ kind: "not-connected", reason: `no answer within ${options.timeoutMs} ms` });
    }, options.timeoutMs);
    const link: SocketLink = this;
    // Bun fails inside this very call where there is no route to the host; its promise is heard of only later.
    Promise.try(() =>
      Bun.connect<SocketData>({
        hostname: options.host,
        port: options.port,
        data: link,
        socket: {
          ...handlers,
          open: (socket) => {
            this.#clearTimer();
            // The attempt was given up before it succeeded: drop the late socket.
            if (this.hasEnded) socket.terminate();
            else this.attach(socket);
          },
        },
      }),
    ).catch((error: unknown) => this.#refused(error, options));
  }

  async #refused(error: unknown, options: ConnectOptions): Promise<void> {
    if (this.hasEnded) return;
    this.end({ kind: "not-connected", reason: await refusalOf(error, options) });
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  protected release(): void {
    this.#clearTimer();
  }
}

class IncomingLink extends SocketLink {
  protected release(): void {
    // Nothing but the socket is held.
  }
}

function listen(options: ListenOptions): Listener {
  try {
    const server = Bun.listen<SocketData>({
      hostname: options.host,
      port: options.port,
      socket: {
        ...handlers,
        open(socket) {
          // A port scan or a load balancer's check resets before it is accepted: such a socket has no address or port,
          // whatever its type says.
          const host: string | undefined = socket.remoteAddress;
          const port: number | undefined = socket.remotePort;
          if (host === undefined || port === undefined) return void socket.terminate();
          const peer = formatAddress({ host, port });
          const link = new IncomingLink(peer, options.accept(peer), options.sendQueueBytesMax);
          socket.data = link;
          link.attach(socket);
        },
      },
    });
    return {
      at: formatAddress({ host: options.host, port: server.port }),
      port: server.port,
      stop: () => server.stop(),
    };
  } catch (cause) {
    const at = formatAddress(options);
    throw new ArmdbError("usage", `Cannot listen on ${at}: ${reasonOf(cause)}`, {
      hint: "another port, or an address of this machine (ss -ltn shows what is taken)",
      cause,
    });
  }
}

const SOL_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;

/** Notices a peer whose machine is gone within 17 s, also when nothing is due from it (a sparse scan is silent). */
function enableKeepalive(socket: Socket<SocketData>): void {
  socket.setKeepAlive(true, KEEPALIVE_IDLE_SECONDS * 1000);
  const fd: unknown = "fd" in socket ? socket.fd : undefined;
  if (process.platform !== "linux" || typeof fd !== "number" || fd < 0) return;
  setSocketOption(fd, SOL_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
  setSocketOption(fd, SOL_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
  setSocketOption(fd, SOL_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  const deadMs = (KEEPALIVE_IDLE_SECONDS + KEEPALIVE_INTERVAL_SECONDS * KEEPALIVE_PROBES) * 1000;
  setSocketOption(fd, SOL_TCP, TCP_USER_TIMEOUT, deadMs);
}
