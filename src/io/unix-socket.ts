// Lines of text over a unix socket: how the command line talks to the follower that runs on a directory (DIR/armdb.sock).
// The client side only. Promises: `ended` comes exactly once and last; a line longer than the bound, either way, ends the link;
// a socket file without a process behind it is `not-connected`.

import { CONNECT_TIMEOUT_MS } from "../limits.ts";
import type { LinkEnd, Net } from "./net.ts";

/** Why a conversation is over. `not-connected`: nobody listens there (`ENOENT`, `ECONNREFUSED`), or we may not (`EACCES`). */
export type LineEnd = LinkEnd | { readonly kind: "line-too-long" };

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

/** Conversations over a network. */
export function lineSockets(net: Net): LineSockets {
  return {
    connect: (path, lineBytesMax, events) => converse(net, path, lineBytesMax, events),
  };
}

const NEWLINE = 0x0a;

function converse(net: Net, path: string, lineBytesMax: number, events: LineEvents): LineLink {
  let pieces: Uint8Array[] = [];
  let pieceBytes = 0;
  let isOver = false;
  const end = (why: LineEnd) => {
    if (isOver) return;
    isOver = true;
    link.close();
    events.ended(why);
  };
  const received = (chunk: Uint8Array) => {
    for (let start = 0; !isOver;) {
      const newline = chunk.indexOf(NEWLINE, start);
      // The chunk is not ours beyond this call.
      const piece = chunk.slice(start, newline === -1 ? chunk.length : newline);
      pieceBytes += piece.length;
      if (pieceBytes > lineBytesMax) return end({ kind: "line-too-long" });
      pieces.push(piece);
      if (newline === -1) return;
      const text = Buffer.concat(pieces).toString("utf8");
      pieces = [];
      pieceBytes = 0;
      start = newline + 1;
      events.line(text);
    }
  };
  const bounds = { timeoutMs: CONNECT_TIMEOUT_MS, sendQueueBytesMax: lineBytesMax };
  const link = net.connect(
    { unix: path, ...bounds },
    {
      opened: () => events.opened(conversation),
      received: (_link, chunk) => received(chunk),
      ended: (_link, why) => end(why),
    },
  );
  const conversation: LineLink = {
    send: (text) => link.send(Buffer.from(`${text}\n`, "utf8")),
    close: () => end({ kind: "closed-here" }),
  };
  return conversation;
}
