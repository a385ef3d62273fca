// A Net that dials one connection before it is known what for, and hands it out at the next connect. A protocol 1 leader looks
// for new connections every 50 ms, and a new directory needs three in a row: one that is refused with protocol 2, one with
// protocol 1, and the second shard's, known of only by then. Dialed at once they cost one look. A spare says nothing until it is
// handed out, so that nothing about the order of what is asked changes.

import { formatEndpoint } from "../io/address.ts";
import type {
  ConnectOptions,
  Link,
  LinkEnd,
  LinkEvents,
  Listener,
  ListenOptions,
  Net,
} from "../io/net.ts";

export class SpareNet implements Net {
  readonly #net: Net;
  #spare: Spare | null = null;

  constructor(net: Net) {
    this.#net = net;
  }

  /** Dials the spare; one at a time. */
  dialSpare(options: ConnectOptions): void {
    this.dropSpare();
    this.#spare = new Spare(this.#net, options);
  }

  /** Closes the spare, if it was not handed out. */
  dropSpare(): void {
    this.#spare?.close();
    this.#spare = null;
  }

  /** The spare when it is any good, else a new connection: its owner sees no difference. */
  connect(options: ConnectOptions, events: LinkEvents): Link {
    const spare = this.#spare;
    this.#spare = null;
    return spare?.handOut(options, events) ?? this.#net.connect(options, events);
  }

  listen(options: ListenOptions): Listener {
    return this.#net.listen(options);
  }
}

class Spare implements LinkEvents {
  readonly #options: ConnectOptions;
  readonly #link: Link;
  #owner: LinkEvents | null = null;
  #isOpen = false;
  /** It ended, or the peer spoke before it was asked. */
  #isSpoiled = false;

  constructor(net: Net, options: ConnectOptions) {
    this.#options = options;
    this.#link = net.connect(options, this);
  }

  close(): void {
    this.#link.close();
  }

  /** Null, and closed, when it cannot be used. */
  handOut(options: ConnectOptions, owner: LinkEvents): Link | null {
    if (this.#isSpoiled || formatEndpoint(options) !== formatEndpoint(this.#options)) {
      this.close();
      return null;
    }
    this.#owner = owner;
    // As with any connect, nothing is heard of it before the call returns.
    if (this.#isOpen) queueMicrotask(() => this.#isSpoiled || owner.opened(this.#link));
    return this.#link;
  }

  opened(link: Link): void {
    this.#isOpen = true;
    this.#owner?.opened(link);
  }

  received(link: Link, chunk: Uint8Array): void {
    if (this.#owner === null) this.#isSpoiled = true;
    else this.#owner.received(link, chunk);
  }

  drained(link: Link): void {
    this.#owner?.drained?.(link);
  }

  ended(link: Link, end: LinkEnd): void {
    this.#isSpoiled = true;
    this.#owner?.ended(link, end);
  }
}
