// The follower's end of DIR/armdb.sock: newline-delimited JSON, one question after the other (cli.md: Files of ours in DIR).
// Used by follower-services.ts.
//
//   {"schema":1,"request":"status"}           the status document
//   {"schema":1,"request":"compare",...}      progress lines, then the compare document (audit/compare-request.ts)
//   anything else                             {"type":"error",...}, and the end
//
// Bounds: 16 conversations, 64 KiB a request, 5 s until a request is there, 30 s in which an answer must get on. A reader that
// goes away ends what it asked for. Promises: changes nothing by itself; a comparison is a scan as any other.

import { SOCKET_FILE } from "../audit/compare/request.ts";
import { ArmdbError } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { ControlListener, ControlSockets } from "../io/control-socket.ts";
import type { Link, LinkEvents } from "../io/net.ts";
import { Timers } from "../io/timers.ts";
import { asciiJson } from "./ascii-json.ts";

export const REQUEST_BYTES_MAX = 64 * 1024;
export const CONVERSATIONS_MAX = 16;
export const REQUEST_LIMIT_MS = 5_000;
export const ANSWER_LIMIT_MS = 30_000;
/** A socket that is gone is made anew after this. */
export const RENEW_INTERVAL_MS = 5_000;
/** The longest piece of an answer: the status of 255 shards. A reader takes no longer line either. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** Fields of a request, unchecked. */
export type RequestFields = Readonly<Record<string, unknown>>;

/** Where a handler's answer goes. */
export interface Answer {
  /** A line that may be left out when the reader is slow. */
  progress(document: unknown): void;
  /** The last line, or its pieces (each without need of the others), made as the reader takes them. */
  finish(pieces: Iterable<string>): void;
  fail(error: ArmdbError): void;
}

/** Answers one request, now or later; returns what gives it up. May throw ArmdbError. */
export type Handler = (fields: RequestFields, answer: Answer) => () => void;

export interface ControlServerOptions {
  readonly sockets: ControlSockets;
  readonly clock: Clock;
  /** Database directory. */
  readonly dir: string;
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** By the word in `request`. */
  readonly handlers: ReadonlyMap<string, Handler>;
  warn(text: string): void;
}

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #listener: ControlListener;
  readonly #conversations = new Set<Conversation>();
  #renewal: Timer;
  #warned = "";

  /** Listens at once. Throws ArmdbError when the socket cannot be made. */
  constructor(options: ControlServerOptions) {
    this.#options = options;
    const { dir, owner } = options;
    this.#listener = options.sockets.listen({
      path: `${dir}/${SOCKET_FILE}`,
      owner,
      sendQueueBytesMax: ANSWER_BYTES_MAX,
      accept: () => this.#accept(),
    });
    this.#renewal = this.#scheduleRenewal();
  }

  #scheduleRenewal(): Timer {
    return this.#options.clock.after(RENEW_INTERVAL_MS, () => {
      this.#renew();
      this.#renewal = this.#scheduleRenewal();
    });
  }

  /** Without its socket the follower is not to be seen; it goes on either way. */
  #renew(): void {
    try {
      const said = this.#listener.renew();
      if (said !== null) this.#options.warn(said);
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      if (this.#warned !== thrown.message) this.#options.warn(thrown.message);
      this.#warned = thrown.message;
    }
  }

  #accept(): LinkEvents {
    const { clock, handlers } = this.#options;
    const isFull = this.#conversations.size >= CONVERSATIONS_MAX;
    const conversation = new Conversation(clock, handlers, isFull, (ended) => {
      this.#conversations.delete(ended);
    });
    if (!isFull) this.#conversations.add(conversation);
    return conversation;
  }

  /** Ends all conversations and removes the socket. */
  stop(): void {
    this.#renewal.cancel();
    for (const conversation of [...this.#conversations]) conversation.stop();
    this.#listener.stop();
  }
}

class Conversation implements LinkEvents {
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #isFull: boolean;
  readonly #whenEnded: (conversation: Conversation) => void;
  readonly #timers: Timers<"request" | "answer">;
  #link: Link | null = null;
  #pending: Uint8Array = new Uint8Array();
  /** Gives up the answer that is being made. */
  #giveUp: (() => void) | null = null;
  #pieces: Iterator<string> | null = null;
  #reading = false;
  /** The last words are said: nothing more is read. */
  #closing = false;
  #over = false;

  constructor(
    clock: Clock,
    handlers: ReadonlyMap<string, Handler>,
    isFull: boolean,
    whenEnded: (conversation: Conversation) => void,
  ) {
    this.#handlers = handlers;
    this.#isFull = isFull;
    this.#whenEnded = whenEnded;
    this.#timers = new Timers(clock);
  }

  opened(link: Link): void {
    this.#link = link;
    if (this.#isFull) this.#refuse(`there are ${CONVERSATIONS_MAX} conversations already`);
    else this.#awaitRequest();
  }

  received(_link: Link, chunk: Uint8Array): void {
    if (this.#over || this.#closing) return;
    this.#pending = Buffer.concat([this.#pending, chunk]);
    this.#read();
    if (this.#over || this.#pending.length <= REQUEST_BYTES_MAX) return;
    // In the middle of an answer there is no place for another word.
    if (this.#giveUp !== null) this.stop();
    else this.#refuse(`a request is longer than ${REQUEST_BYTES_MAX} bytes`);
  }

  drained(): void {
    if (this.#over) return;
    this.#timers.cancel("answer");
    this.#pump();
    this.#read();
  }

  ended(): void {
    if (this.#over) return;
    this.#end();
  }

  stop(): void {
    if (this.#over) return;
    this.#end();
    this.#link?.close();
  }

  get #queuedBytes(): number {
    return this.#link?.queuedBytes ?? 0;
  }

  /** Says why, and ends. */
  #refuse(reason: string): void {
    const hint = "one JSON object a line: armdb status DIR shows how";
    this.#timers.cancel("request");
    this.#sayError(new ArmdbError("usage", `Cannot answer: ${reason}`, { hint }));
    this.#closing = true;
    this.#link?.finish();
  }

  #end(): void {
    this.#over = true;
    this.#timers.stop();
    this.#pending = new Uint8Array();
    this.#pieces = null;
    this.#giveUp?.();
    this.#giveUp = null;
    this.#whenEnded(this);
  }

  #awaitRequest(): void {
    this.#timers.set("request", REQUEST_LIMIT_MS, () => {
      if (!this.#over) this.stop();
    });
  }

  /** Answers what has come, one request after the other, each when the one before is answered and taken. */
  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    while (!this.#over && !this.#closing && this.#giveUp === null && this.#queuedBytes === 0) {
      const end = this.#pending.indexOf(0x0a);
      if (end < 0 || end > REQUEST_BYTES_MAX) break;
      const line = Buffer.from(this.#pending.subarray(0, end)).toString("utf8");
      this.#pending = this.#pending.slice(end + 1);
      this.#timers.cancel("request");
      this.#handle(parse(line));
    }
    this.#reading = false;
  }

  #handle(fields: RequestFields | null): void {
    if (fields === null) return this.#refuse("a line that is no JSON object");
    const { request, schema } = fields;
    const handler = typeof request === "string" ? this.#handlers.get(request) : undefined;
    if (schema !== 1 || handler === undefined) {
      return this.#refuse("an unknown request; it may be of another version of armdb");
    }
    // Whatever is answered at once finds itself the answer under way.
    this.#giveUp = () => {};
    try {
      const giveUp = handler(fields, this.#answer());
      if (this.#giveUp !== null) this.#giveUp = giveUp;
      else if (this.#over) giveUp();
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      this.#fail(thrown);
    }
  }

  #answer(): Answer {
    return {
      progress: (document) => {
        if (!this.#over && this.#queuedBytes === 0) this.#send(`${asciiJson(document)}\n`);
      },
      finish: (pieces) => {
        if (this.#over) return;
        this.#pieces = pieces[Symbol.iterator]();
        this.#pump();
      },
      fail: (error) => {
        if (!this.#over) this.#fail(error);
      },
    };
  }

  #fail(error: ArmdbError): void {
    this.#sayError(error);
    this.#answered();
  }

  #sayError(error: ArmdbError): void {
    const { code, message, details } = error;
    this.#send(`${asciiJson({ type: "error", code, message, hint: details.hint ?? null })}\n`);
  }

  /** Hands out pieces as long as the system takes them whole. */
  #pump(): void {
    while (this.#pieces !== null && !this.#over && this.#queuedBytes === 0) {
      const next = this.#pieces.next();
      if (next.done === true) {
        this.#pieces = null;
        this.#answered();
      } else this.#send(next.value);
    }
  }

  #send(text: string): void {
    this.#link?.send(Buffer.from(text, "utf8"));
    if (this.#queuedBytes > 0 && !this.#over) {
      this.#timers.set("answer", ANSWER_LIMIT_MS, () => {
        if (!this.#over) this.stop();
      });
    }
  }

  #answered(): void {
    this.#giveUp = null;
    this.#awaitRequest();
    this.#read();
  }
}

function parse(line: string): RequestFields | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as RequestFields)
      : null;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}
