// The real sockets, where the system behaves as no test of the rest would think of.

import { expect, test } from "bun:test";
import type { LinkEnd, LinkEvents } from "../../src/io/net.ts";
import { realNet } from "../../src/io/sockets.ts";

const RESETS = 20;

/** A program that connects and resets at once, as a port scan or a load balancer's check does. */
const SCANNER = `
for (let left = ${RESETS}; left > 0; left--) {
  const { promise, resolve } = Promise.withResolvers();
  const socket = { data() {}, open: (opened) => opened.terminate(), close: resolve };
  await Bun.connect({ hostname: "127.0.0.1", port: Number(process.argv.at(-1)), socket });
  await promise;
}
`;

/** Events that tell when the link is open, and how it ended. */
function watched() {
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<LinkEnd>();
  const events: LinkEvents = {
    opened: () => opened.resolve(),
    received: () => {},
    ended: (_link, end) => ended.resolve(end),
  };
  return { events, opened: opened.promise, ended: ended.promise };
}

test("a listener outlives connections that were reset before it accepted them", async () => {
  const first = watched();
  const told: string[] = [];
  const listener = realNet.listen({
    host: "127.0.0.1",
    port: 0,
    sendQueueBytesMax: 1024,
    accept(peer) {
      told.push(peer);
      return first.events;
    },
  });
  try {
    // While this waits, nothing is accepted here.
    const scan = Bun.spawnSync([process.execPath, "-e", SCANNER, String(listener.port)]);
    expect([scan.exitCode, scan.stderr.toString()]).toEqual([0, ""]);
    const caller = watched();
    const link = realNet.connect(
      { host: "127.0.0.1", port: listener.port, timeoutMs: 10_000, sendQueueBytesMax: 1024 },
      caller.events,
    );
    await caller.opened;
    await first.opened;
    expect(told).toEqual([expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/)]);
    link.close();
    expect(await caller.ended).toEqual({ kind: "closed-here" });
    expect(await first.ended).toEqual({ kind: "closed-by-peer" });
  } finally {
    listener.stop();
  }
});
