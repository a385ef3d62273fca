// What net.ts promises of a link, held by the real sockets: over TCP and in the file system, dialed and accepted.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Endpoint } from "../../src/io/address.ts";
import type { Link, LinkEnd, LinkEvents, Listener, ListenOptions } from "../../src/io/net.ts";
import { realNet } from "../../src/io/sockets.ts";
import { NetworkSpace, networkSpaces } from "../support/network-space.ts";
import { TempRoot } from "../support/temp.ts";

const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** More than the system takes at once. */
const MUCH_BYTES = 16 * 1024 * 1024;

const temp = new TempRoot("links");
const listeners: Listener[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.stop();
});
afterAll(() => temp[Symbol.dispose]());

/** One end, which keeps what happens to it. */
class End implements LinkEvents {
  readonly heard: string[] = [];
  bytes = 0;
  link: Link | null = null;
  readonly #opened = Promise.withResolvers<Link>();
  readonly #ended = Promise.withResolvers<LinkEnd>();
  readonly #drained = Promise.withResolvers<void>();
  readonly isOpen = this.#opened.promise;
  readonly end = this.#ended.promise;
  readonly isDrained = this.#drained.promise;

  opened(link: Link): void {
    this.heard.push("opened");
    this.link = link;
    this.#opened.resolve(link);
  }
  received(_link: Link, chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }
  drained(): void {
    this.heard.push("drained");
    this.#drained.resolve();
  }
  ended(_link: Link, end: LinkEnd): void {
    this.heard.push(end.kind);
    this.#ended.resolve(end);
  }
}

function listen(endpoint: Endpoint, accepted: End, sendQueueBytesMax: number): Endpoint {
  const options: ListenOptions = { ...endpoint, sendQueueBytesMax, accept: () => accepted };
  const listener = realNet.listen(options);
  listeners.push(listener);
  return "unix" in endpoint ? endpoint : { ...endpoint, port: listener.port };
}

function dial(endpoint: Endpoint, events: LinkEvents, sendQueueBytesMax = QUEUE_BYTES_MAX): Link {
  return realNet.connect({ ...endpoint, timeoutMs: 10_000, sendQueueBytesMax }, events);
}

/** Both ends of a new connection. */
async function joined(endpoint: Endpoint, sendQueueBytesMax = QUEUE_BYTES_MAX) {
  const [caller, accepted] = [new End(), new End()];
  const at = listen(endpoint, accepted, sendQueueBytesMax);
  dial(at, caller, sendQueueBytesMax);
  return { caller, accepted, near: await caller.isOpen, far: await accepted.isOpen };
}

const much = () => new Uint8Array(MUCH_BYTES);

const kinds: readonly [name: string, endpoint: () => Endpoint][] = [
  ["TCP", () => ({ host: "127.0.0.1", port: 0 })],
  ["a socket in the file system", () => ({ unix: temp.fresh("socket") })],
];
for (const [name, endpoint] of kinds) {
  describe(`a link over ${name}`, () => {
    test("carries what was sent before it was there", async () => {
      const [caller, accepted] = [new End(), new End()];
      const link = dial(listen(endpoint(), accepted, QUEUE_BYTES_MAX), caller);
      link.send(new Uint8Array(5));
      expect([link.queuedBytes, caller.heard]).toEqual([5, []]);
      link.finish();
      expect(await accepted.end).toEqual({ kind: "closed-by-peer" });
      expect(accepted.bytes).toBe(5);
      expect(caller.heard).toEqual(["opened", "closed-here"]);
    });

    test("queues what the system does not take, and tells when all is taken", async () => {
      const { caller, accepted, near, far } = await joined(endpoint());
      far.pause();
      near.send(much());
      expect(near.queuedBytes).toBeGreaterThan(0);
      far.resume();
      await caller.isDrained;
      expect(near.queuedBytes).toBe(0);
      near.close();
      await accepted.end;
      expect([caller.heard, accepted.heard]).toEqual([
        ["opened", "drained", "closed-here"],
        ["opened", "closed-by-peer"],
      ]);
      expect(accepted.bytes).toBe(MUCH_BYTES);
    });

    for (const side of ["dialed", "accepted"] as const) {
      test(`finish() ends it when all is taken, and takes no more (${side})`, async () => {
        const { caller, accepted, near, far } = await joined(endpoint());
        const [mine, sender] = side === "dialed" ? [caller, near] : [accepted, far];
        const other = side === "dialed" ? accepted : caller;
        sender.send(much());
        sender.finish();
        sender.send(new Uint8Array(1));
        expect(await mine.end).toEqual({ kind: "closed-here" });
        expect(await other.end).toEqual({ kind: "closed-by-peer" });
        expect(other.bytes).toBe(MUCH_BYTES);
        expect([mine.heard.length, other.heard.length]).toEqual([2, 2]);
      });
    }

    test("ends when more waits than may, and is told so once", async () => {
      const { caller, near, far } = await joined(endpoint(), 1024 * 1024);
      far.pause();
      near.send(much());
      near.close();
      expect(await caller.end).toEqual({ kind: "send-queue-full" });
      expect([caller.heard, near.queuedBytes]).toEqual([["opened", "send-queue-full"], 0]);
    });

    test("that is closed while it is dialed is never opened", async () => {
      const [caller, accepted] = [new End(), new End()];
      dial(listen(endpoint(), accepted, QUEUE_BYTES_MAX), caller).close();
      expect(caller.heard).toEqual(["closed-here"]);
      // What was dialed all the same is dropped when it is there.
      await accepted.end;
      expect(caller.heard).toEqual(["closed-here"]);
    });

    test("that is there stays when the listener stops", async () => {
      const at = endpoint();
      const { accepted, near } = await joined(at);
      for (const listener of listeners.splice(0)) listener.stop();
      if ("unix" in at) expect(existsSync(at.unix)).toBe(false);
      near.send(new Uint8Array(3));
      near.finish();
      await accepted.end;
      expect(accepted.bytes).toBe(3);
    });
  });
}

describe("a link that cannot be made", () => {
  const file = () => {
    const path = temp.fresh("file");
    writeFileSync(path, "");
    return path;
  };
  const cases: [string, () => Endpoint, string][] = [
    ["a socket that is not there", () => ({ unix: temp.fresh("none") }), "ENOENT"],
    ["a file", () => ({ unix: file() }), "ECONNREFUSED"],
    ["a name longer than any", () => ({ unix: temp.fresh("n".repeat(200)) }), "EINVAL"],
    ["a port where nobody listens", () => ({ host: "127.0.0.1", port: 1 }), "ECONNREFUSED"],
    ["a name that is none", () => ({ host: "a\0b", port: 1 }), "ERR_INVALID_ARG_TYPE"],
  ];
  for (const [what, endpoint, reason] of cases) {
    test(`to ${what} says so once, and not before the call has returned`, async () => {
      const end = new End();
      dial(endpoint(), end);
      expect(end.heard).toEqual([]);
      expect(await end.end).toEqual({ kind: "not-connected", reason });
      await Bun.sleep(1);
      expect(end.heard).toEqual(["not-connected"]);
    });
  }
});

/** Dials, and prints what was heard before the call had returned, and how it ended. */
const DIALER = `
import { realNet } from ${JSON.stringify(resolve(import.meta.dir, "../../src/io/sockets.ts"))};
let heard = 0;
const { promise, resolve } = Promise.withResolvers();
const ended = (_link, end) => { heard++; resolve(end); };
const at = { host: process.argv.at(-1), port: 7400, timeoutMs: 200, sendQueueBytesMax: 1 };
realNet.connect(at, { opened() {}, received() {}, ended });
const early = heard;
console.log(JSON.stringify([early, (await promise).reason]));
process.exit();
`;

test.if(networkSpaces())(
  "a link without a way to the peer says so, and never at once",
  async () => {
    await using space = await NetworkSpace.make();
    const told = (host = "127.0.0.1") => {
      const run = Bun.spawnSync([...space.inside, process.execPath, "-e", DIALER, host]);
      return JSON.parse(run.stdout.toString()) as unknown;
    };
    expect(told()).toEqual([0, "ENETUNREACH"]);
    space.loopback("up");
    expect(told()).toEqual([0, "ECONNREFUSED"]);
    // The address stays, and what is sent to it is lost.
    space.loopback("down");
    expect(told()).toEqual([0, "no answer within 200 ms"]);
    space.ip("route", "add", "unreachable", "192.0.2.0/24");
    expect(told("192.0.2.1")).toEqual([0, "EHOSTUNREACH"]);
  },
);

test("an address that cannot be had is a usage error, a path that cannot a storage error", () => {
  const taken = { host: "127.0.0.1", port: 0 };
  const at = listen(taken, new End(), 1);
  expect(() => listen(at, new End(), 1)).toThrow("Cannot listen on 127.0.0.1:");
  const missing = { unix: `${temp.fresh("no-directory")}/socket` };
  expect(() => listen(missing, new End(), 1)).toThrow(`Cannot listen at "${missing.unix}": ENOENT`);
});
