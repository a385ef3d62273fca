// The HTTP side of a follower: one GET a connection, over the program's own Net, so that every bound is ours to hold
// (reliability: S7): 32 connections, 8 KiB of request, 5 s for it, 10 s to take the answer. The runtime's own server bounds
// neither connections nor the time of a request. Used by follower-services.ts; what is served is http-routes.ts.
// Promises: nothing but GET, no body, no name but this machine's own where only this machine can connect (a page in a
// browser must not read it by a name that it controls). Writes nothing, holds no key and no value.

import type { Clock } from "../io/clock.ts";
import type { Link, LinkEvents, Listener, Net } from "../io/net.ts";
import { Timers } from "../io/timers.ts";
import { isLoopback } from "../io/address.ts";
import { HEAD_BYTES_MAX, headEnd, type HttpFault, readHead } from "./http-request.ts";

export const HTTP_CONNECTIONS_MAX = 32;
export const HTTP_REQUEST_LIMIT_MS = 5_000;
export const HTTP_ANSWER_LIMIT_MS = 10_000;
/** The longest answer: status.json of 255 shards, or their metrics. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

export interface HttpAnswer {
  readonly status: number;
  /** Content-Type. */
  readonly type: string;
  readonly body: string;
}

/** Answers a GET of a path. */
export type HttpRoute = (path: string) => HttpAnswer;

export interface HttpServerOptions {
  readonly net: Net;
  readonly clock: Clock;
  /** An IP address. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly route: HttpRoute;
}

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #listener: Listener;
  readonly #connections = new Set<Connection>();

  /** Listens at once. Throws ArmdbError (`usage`) when the address cannot be had. */
  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#listener = options.net.listen({
      host: options.host,
      port: options.port,
      sendQueueBytesMax: ANSWER_BYTES_MAX,
      accept: () => this.#accept(),
    });
  }

  /** The address really bound, as `host:port`. */
  get at(): string {
    return this.#listener.at;
  }

  get connections(): number {
    return this.#connections.size;
  }

  stop(): void {
    this.#listener.stop();
    for (const connection of [...this.#connections]) connection.close();
  }

  #accept(): LinkEvents {
    const isFull = this.#connections.size >= HTTP_CONNECTIONS_MAX;
    const connection = new Connection(this.#options, isFull, (ended) => {
      this.#connections.delete(ended);
    });
    if (!isFull) this.#connections.add(connection);
    return connection;
  }
}

class Connection implements LinkEvents {
  readonly #options: HttpServerOptions;
  readonly #isFull: boolean;
  readonly #whenEnded: (connection: Connection) => void;
  readonly #timers: Timers<"limit">;
  #link: Link | null = null;
  #head: Uint8Array = new Uint8Array();
  #answered = false;

  constructor(
    options: HttpServerOptions,
    isFull: boolean,
    whenEnded: (connection: Connection) => void,
  ) {
    this.#options = options;
    this.#isFull = isFull;
    this.#whenEnded = whenEnded;
    this.#timers = new Timers(options.clock);
  }

  opened(link: Link): void {
    this.#link = link;
    if (this.#isFull) {
      this.#answer(plain(503, "Too many connections"));
      return;
    }
    this.#timers.set("limit", HTTP_REQUEST_LIMIT_MS, () => {
      this.#answer(plain(408, "No request came within 5 s"));
    });
  }

  received(_link: Link, chunk: Uint8Array): void {
    if (this.#answered) return;
    const room = HEAD_BYTES_MAX + 1 - this.#head.length;
    this.#head = Buffer.concat([this.#head, chunk.subarray(0, room)]);
    const end = headEnd(this.#head);
    if (end >= 0 && end <= HEAD_BYTES_MAX) this.#answer(this.#respond(this.#head.subarray(0, end)));
    else if (this.#head.length > HEAD_BYTES_MAX) {
      this.#answer(plain(431, `A request is longer than ${HEAD_BYTES_MAX} bytes`));
    }
  }

  ended(): void {
    this.#answered = true;
    this.#timers.stop();
    this.#whenEnded(this);
  }

  close(): void {
    this.#link?.close();
  }

  #respond(head: Uint8Array): HttpAnswer {
    const request = readHead(head);
    if (typeof request === "string") return faultAnswer(request);
    const { method, path, hostName } = request;
    if (!this.#isOurName(hostName)) return plain(403, "Not a name of this machine");
    if (method !== "GET") return plain(405, "Only GET is served");
    return this.#options.route(path);
  }

  /** Where only this machine can connect, only its own names are asked for. */
  #isOurName(hostName: string | null): boolean {
    const { host } = this.#options;
    return hostName === null || !isLoopback(host) || hostName === host || isLoopback(hostName);
  }

  #answer(answer: HttpAnswer): void {
    const link = this.#link;
    if (this.#answered || link === null) return;
    this.#answered = true;
    this.#timers.set("limit", HTTP_ANSWER_LIMIT_MS, () => this.close());
    link.send(encodeAnswer(answer));
    link.finish();
  }
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

function encodeAnswer({ status, type, body }: HttpAnswer): Uint8Array {
  const bytes = Buffer.from(body, "utf8");
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? "Answer"}`,
    `Content-Type: ${type}`,
    `Content-Length: ${bytes.length}`,
    ...(status === 405 ? ["Allow: GET"] : []),
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "Connection: close",
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), bytes]);
}

function plain(status: number, text: string): HttpAnswer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

function faultAnswer(fault: HttpFault): HttpAnswer {
  switch (fault) {
    case "malformed":
      return plain(400, "Not an HTTP request");
    case "host-missing":
      return plain(400, "The Host field is missing");
    case "has-body":
      return plain(413, "A request with a body");
    case "version":
      return plain(505, "HTTP/1.0 and 1.1 are spoken here");
  }
}
