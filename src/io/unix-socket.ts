// Lines of text over a unix socket: how the command line talks to the follower that runs on a directory (DIR/armdb.sock).
// The client side only. Promises: `ended` comes exactly once and last; a line longer than the bound ends the link; a
// socket file without a process behind it is `not-connected`.

import { connect, type Socket } from "node:net";

/** Why a conversation is over. */
export type LineEnd =
  | { readonly kind: "closed-here" }
  | { readonly kind: "closed-by-peer" }
  /** Nobody listens there: `reason` is the system's word (`ENOENT`, `ECONNREFUSED`, `EACCES`). */
  | { readonly kind: "not-connected"; readonly reason: string }
  | { readonly kind: "broken"; readonly reason: string }
  | { readonly kind: "line-too-long" };

/** What a conversation tells its owner. Handlers must not throw. */
export interface LineEvents {
  opened(link: LineLink): void;
  /** One line, without its newline. Broken UTF-8 becomes U+FFFD. */
  line(text: string): void;
  ended(end: LineEnd): void;
}

export interface LineLink {
  /** Sends one line; the newline is added. */
  send(text: string): void;
  close(): void;
}

/** Opens conversations; tests pass one in memory. */
export interface LineSockets {
  connect(path: string, lineBytesMax: number, events: LineEvents): LineLink;
}

/** The operating system's unix sockets. */
export const unixSockets: LineSockets = {
  connect(path, lineBytesMax, events) {
    return new UnixLink(path, lineBytesMax, events);
  },
};

const NEWLINE = 0x0a;

class UnixLink implements LineLink {
  readonly #socket: Socket;
  readonly #lineBytesMax: number;
  readonly #events: LineEvents;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #opened = false;
  #ended = false;

  constructor(path: string, lineBytesMax: number, events: LineEvents) {
    this.#lineBytesMax = lineBytesMax;
    this.#events = events;
    this.#socket = connect({ path });
    this.#socket.on("connect", () => {
      this.#opened = true;
      if (!this.#ended) events.opened(this);
    });
    this.#socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    this.#socket.on("end", () => this.#end({ kind: "closed-by-peer" }));
    this.#socket.on("close", () => this.#end({ kind: "closed-by-peer" }));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code ?? error.message;
      this.#end({ kind: this.#opened ? "broken" : "not-connected", reason });
    });
  }

  send(text: string): void {
    if (!this.#ended) this.#socket.write(`${text}\n`);
  }

  close(): void {
    this.#end({ kind: "closed-here" });
  }

  #receive(chunk: Uint8Array): void {
    let start = 0;
    while (!this.#ended) {
      const end = chunk.indexOf(NEWLINE, start);
      this.#keep(chunk.subarray(start, end === -1 ? chunk.length : end));
      if (this.#ended || end === -1) return;
      const text = Buffer.concat(this.#pieces, this.#pieceBytes).toString("utf8");
      this.#pieces = [];
      this.#pieceBytes = 0;
      start = end + 1;
      this.#events.line(text);
    }
  }

  #keep(piece: Uint8Array): void {
    if (this.#pieceBytes + piece.length > this.#lineBytesMax) {
      this.#end({ kind: "line-too-long" });
    } else if (piece.length > 0) {
      this.#pieces.push(piece);
      this.#pieceBytes += piece.length;
    }
  }

  #end(end: LineEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pieces = [];
    this.#socket.destroy();
    this.#events.ended(end);
  }
}
