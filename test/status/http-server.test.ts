// The HTTP side: its bounds in simulated time, its answers over real loopback sockets, its refusals of other machines' names.

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Link } from "../../src/io/net.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import {
  HTTP_ANSWER_LIMIT_MS,
  HTTP_CONNECTIONS_MAX,
  HTTP_REQUEST_LIMIT_MS,
  HttpServer,
} from "../../src/status/http-server.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { need } from "../support/needs.ts";

const REQUEST = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
const route = (path: string) => ({ status: 200, type: "text/plain", body: `path ${path}` });

/** A server and its clients, in memory. */
class Stage {
  readonly clock = new ManualClock();
  readonly net = new MemoryNet(this.clock);
  readonly server: HttpServer;

  constructor(answer = route, host = "127.0.0.1") {
    const { net, clock } = this;
    this.server = new HttpServer({ net, clock, host, port: 9100, route: answer });
  }

  client(): Client {
    const client = new Client();
    this.net.connect(
      { host: "127.0.0.1", port: 9100, timeoutMs: 1000, sendQueueBytesMax: 1e6 },
      {
        opened: (link) => void (client.link = link),
        received: (_link, chunk) => void (client.text += Buffer.from(chunk).toString("latin1")),
        ended: (_link, end) => void (client.ended = end.kind),
      },
    );
    this.clock.settle();
    return client;
  }

  say(client: Client, text: string): void {
    client.link?.send(Buffer.from(text, "latin1"));
    this.clock.settle();
  }
}

class Client {
  link: Link | null = null;
  text = "";
  ended: string | null = null;

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.text)?.[1]);
  }
}

describe("the HTTP server", () => {
  test("answers a GET that comes in single bytes, and closes", () => {
    const stage = new Stage();
    const client = stage.client();
    for (const byte of REQUEST) stage.say(client, byte);
    expect(client.text).toContain("path /a");
    expect(client.text).toContain("Content-Length: 7\r\n");
    expect(client.text).toContain("Connection: close\r\n");
    expect([client.ended, stage.server.connections]).toEqual(["closed-by-peer", 0]);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  const refused: [number, string][] = [
    [405, REQUEST.replace("GET", "HEAD")],
    [405, REQUEST.replace("GET", "POST")],
    [405, REQUEST.replace("GET", "OPTIONS")],
    [413, REQUEST.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc")],
    [400, "hello\r\n\r\n"],
    [400, "GET / HTTP/1.1\r\n\r\n"],
    [403, REQUEST.replace("localhost", "evil.example")],
    [403, REQUEST.replace("localhost", "evil.example:9100")],
    [431, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(9000)}\r\n\r\n`],
    [431, "x".repeat(9000)],
    [505, REQUEST.replace("1.1", "3.0")],
  ];
  for (const [status, text] of refused) {
    test(`says ${status} to ${JSON.stringify(text.slice(0, 60))} and closes`, () => {
      const stage = new Stage();
      const client = stage.client();
      stage.say(client, text);
      expect([client.status, client.ended]).toEqual([status, "closed-by-peer"]);
      expect(stage.server.connections).toBe(0);
    });
  }

  test("says what it allows with 405", () => {
    const stage = new Stage();
    const client = stage.client();
    stage.say(client, REQUEST.replace("GET", "PUT"));
    expect(client.text).toContain("Allow: GET\r\n");
  });

  test("takes its own address and any loopback name as Host, and every name when it is not on loopback", () => {
    for (const name of ["127.0.0.1:9100", "[::1]", "localhost", "127.9.9.9"]) {
      const stage = new Stage();
      const client = stage.client();
      stage.say(client, REQUEST.replace("localhost", name));
      expect(client.status).toBe(200);
    }
    const open = new Stage(route, "0.0.0.0");
    const client = open.client();
    open.say(client, REQUEST.replace("localhost", "db1.example"));
    expect(client.status).toBe(200);
  });

  test("gives a request 5 s, however it drips", () => {
    const stage = new Stage();
    const client = stage.client();
    for (let second = 0; second < HTTP_REQUEST_LIMIT_MS / 1000; second++) {
      expect(client.ended).toBeNull();
      stage.say(client, "G");
      stage.clock.advance(1000);
    }
    expect([client.status, client.ended]).toEqual([408, "closed-by-peer"]);
  });

  test("takes 32 connections, refuses the next, and takes one again when one is over", () => {
    const stage = new Stage();
    const clients = Array.from({ length: HTTP_CONNECTIONS_MAX }, () => stage.client());
    const refusedClient = stage.client();
    expect([refusedClient.status, refusedClient.ended]).toEqual([503, "closed-by-peer"]);
    expect(stage.server.connections).toBe(32);
    stage.say(clients[0] as Client, REQUEST);
    const next = stage.client();
    stage.say(next, REQUEST);
    expect(next.status).toBe(200);
    stage.clock.advance(HTTP_REQUEST_LIMIT_MS);
    expect(stage.server.connections).toBe(0);
  });

  test("gives an answer that is not read 10 s", () => {
    const body = "x".repeat(100_000);
    const stage = new Stage(() => ({ status: 200, type: "text/plain", body }));
    stage.net.onConnection = (connection) => {
      connection.toConnector.capacityBytes = 1000;
      connection.toConnector.hold();
    };
    const client = stage.client();
    stage.say(client, REQUEST);
    stage.clock.advance(HTTP_ANSWER_LIMIT_MS - 1);
    expect(stage.server.connections).toBe(1);
    stage.clock.advance(1);
    expect(stage.server.connections).toBe(0);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("sends a long answer whole to a slow reader", () => {
    const body = "0123456789".repeat(10_000);
    const stage = new Stage(() => ({ status: 200, type: "text/plain", body }));
    stage.net.onConnection = (connection) => {
      connection.toConnector.capacityBytes = 1000;
    };
    const client = stage.client();
    stage.say(client, REQUEST);
    stage.clock.advance(1000);
    expect(client.text.split("\r\n\r\n")[1]).toBe(body);
    expect(client.ended).toBe("closed-by-peer");
  });
});

describe("over loopback", () => {
  const servers: HttpServer[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.stop();
  });

  function start(answer = route): HttpServer {
    const options = { net: realNet, clock: realClock, host: "127.0.0.1", port: 0, route: answer };
    const server = new HttpServer(options);
    servers.push(server);
    return server;
  }

  test("answers fetch, with status and body", async () => {
    const server = start((path) => ({ status: 503, type: "application/json", body: `"${path}"` }));
    const answer = await fetch(`http://${server.at}/health?verbose`);
    expect([answer.status, await answer.json()]).toEqual([503, "/health"]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("sends megabytes whole", async () => {
    const body = "abcdefgh".repeat(400_000);
    const server = start(() => ({ status: 200, type: "text/plain", body }));
    const answer = await fetch(`http://${server.at}/`);
    expect(await answer.text()).toBe(body);
  });

  test("answers 200 requests at once, more than it takes connections, without losing its way", async () => {
    const server = start();
    const asks = Array.from({ length: 200 }, async () => {
      const answer = await fetch(`http://${server.at}/x`, { keepalive: false });
      await answer.text();
      return answer.status;
    });
    const statuses = new Set(await Promise.all(asks));
    expect([...statuses].every((status) => status === 200 || status === 503)).toBe(true);
    expect((await fetch(`http://${server.at}/after`)).status).toBe(200);
  });

  test.if(need("linux", process.platform === "linux"))("listens on loopback alone", () => {
    const server = start();
    const port = Number(server.at.split(":")[1]).toString(16).toUpperCase().padStart(4, "0");
    const listening = ["/proc/net/tcp", "/proc/net/tcp6"]
      .flatMap((file) => readFileSync(file, "utf8").split("\n"))
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === "0A" && local?.endsWith(`:${port}`) === true)
      .map(([, local]) => local);
    expect(listening).toEqual([`0100007F:${port}`]);
  });

  test("an address that is taken is a usage error", () => {
    const server = start();
    const port = Number(server.at.split(":")[1]);
    const again = () =>
      new HttpServer({ net: realNet, clock: realClock, host: "127.0.0.1", port, route });
    expect(again).toThrow("Cannot listen on");
  });
});
