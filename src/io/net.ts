// The network as the rest of the program sees it: links that carry bytes both ways, over TCP or a socket in the file system. The
// real form is sockets.ts; tests pass one that cuts, delays, splits and joins. Calls never block; what happens comes through
// LinkEvents. Promises: nothing is heard of a link before the call that makes it has returned, however early it failed.

import type { Endpoint } from "./address.ts";

/** Why a link ended. */
export type LinkEnd =
  /** We closed it. */
  | { readonly kind: "closed-here" }
  /** The peer closed it in order (FIN). */
  | { readonly kind: "closed-by-peer" }
  /** Reset, timeout of the connection, unreachable host: `reason` is the system's word (`ECONNRESET`). */
  | { readonly kind: "broken"; readonly reason: string }
  /** The connection was never made. */
  | { readonly kind: "not-connected"; readonly reason: string }
  /** The peer takes nothing and more than the limit waits. */
  | { readonly kind: "send-queue-full" };

/** What a link tells its owner. After `ended`, which comes once, nothing more does. Handlers must not throw. */
export interface LinkEvents {
  opened(link: Link): void;
  /** Bytes in the order sent, in any pieces. The chunk is only valid during the call. */
  received(link: Link, chunk: Uint8Array): void;
  /** Everything that had to be queued has been taken by the system: more may be sent. Only for links that queue a lot. */
  drained?(link: Link): void;
  ended(link: Link, end: LinkEnd): void;
}

export interface Link {
  /** Peer as `host:port`, or the path of the socket. */
  readonly peer: string;
  /** Bytes that the system has not taken yet. */
  readonly queuedBytes: number;
  /** Queues a whole frame; it goes to the system in one write where the system takes it whole. */
  send(frame: Uint8Array): void;
  /** Stops and starts delivery of `received`. */
  pause(): void;
  resume(): void;
  /** Ends the link once the system has taken what is queued; nothing more can be sent. The owner bounds the wait. */
  finish(): void;
  /** Ends the link; `ended` follows with `closed-here`. Also gives up a connect that is under way. */
  close(): void;
}

export type ConnectOptions = Endpoint & {
  readonly timeoutMs: number;
  /** Bytes that may wait in `send` before the link ends. */
  readonly sendQueueBytesMax: number;
};

/** Takes connections until `stop`, which leaves those that are there. */
export interface Listener {
  /** The address really bound, as `host:port`, or the path of the socket. */
  readonly at: string;
  /** 0: a socket in the file system. */
  readonly port: number;
  stop(): void;
}

/** Port 0 takes any free one. */
export type ListenOptions = Endpoint & {
  readonly sendQueueBytesMax: number;
  /** Called per connection for its event receiver. */
  accept(peer: string): LinkEvents;
};

export interface Net {
  /** Nothing is heard of the link before this has returned. */
  connect(options: ConnectOptions, events: LinkEvents): Link;
  /** Throws ArmdbError when the address cannot be bound: `usage`, or `storage` for a socket in the file system. */
  listen(options: ListenOptions): Listener;
}
