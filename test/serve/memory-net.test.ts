// The memory net and the scripted leader themselves: what the tests of both sides rely on.

import { describe, expect, test } from "bun:test";
import type { Link, LinkEnd, LinkEvents } from "../../src/io/net.ts";
import { encodeShardInfo } from "../../src/wire/messages.ts";
import {
  BAD_INPUTS,
  badScript,
  batchFrame,
  goodScript,
  scriptedSlot,
} from "../support/leader-scripts.ts";
import { Ear } from "../support/ear.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { ScriptedLeader } from "../support/scripted-leader.ts";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { TestFollower } from "./test-follower.ts";

function joined(queueBytes = 1_000) {
  const clock = new ManualClock();
  const net = new MemoryNet(clock);
  const server = new Ear();
  const client = new Ear();
  const listener = net.listen({
    host: "127.0.0.1",
    port: 0,
    sendQueueBytesMax: queueBytes,
    accept: () => server,
  });
  net.connect(
    { host: "127.0.0.1", port: listener.port, timeoutMs: 5_000, sendQueueBytesMax: queueBytes },
    client,
  );
  clock.settle();
  const [connection] = net.connections;
  if (connection === undefined) throw new Error("not connected");
  return { clock, net, server, client, connection };
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

describe("the memory net", () => {
  test("delivers in order, as copies, and never inside send", () => {
    const { clock, server, client } = joined();
    const frame = bytes("one");
    client.link?.send(frame);
    client.link?.send(bytes("two"));
    frame.fill(0);
    expect(server.chunks).toHaveLength(0);
    clock.settle();
    expect(server.chunks.map((chunk) => Buffer.from(chunk).toString())).toEqual(["one", "two"]);
  });

  test("splits and joins", () => {
    const { clock, server, client, connection } = joined();
    connection.toListener.pieceBytesMax = 1;
    client.link?.send(bytes("abc"));
    clock.settle();
    expect(server.chunks).toHaveLength(3);
    connection.toListener.pieceBytesMax = Number.POSITIVE_INFINITY;
    connection.toListener.joins = true;
    client.link?.send(bytes("de"));
    client.link?.send(bytes("fg"));
    clock.settle();
    expect(server.chunks).toHaveLength(4);
    expect(server.text).toBe("abcdefg");
  });

  test("delays by the clock", () => {
    const { clock, server, client, connection } = joined();
    connection.toListener.delayMs = 50;
    client.link?.send(bytes("x"));
    clock.advance(49);
    expect(server.text).toBe("");
    clock.advance(1);
    expect(server.text).toBe("x");
  });

  for (const kind of ["fin", "reset", "silence"] as const) {
    test(`cuts at a byte by ${kind}`, () => {
      const { clock, server, client, connection } = joined();
      connection.toListener.cutAt(4, kind);
      client.link?.send(bytes("abcdefgh"));
      clock.settle();
      expect(server.text).toBe("abcd");
      const end = {
        fin: { kind: "closed-by-peer" },
        reset: { kind: "broken", reason: "ECONNRESET" },
        silence: null,
      }[kind];
      expect(server.ends as unknown[]).toEqual(end === null ? [] : [end]);
    });
  }

  test("flips a bit", () => {
    const { clock, server, client, connection } = joined();
    connection.toListener.flipAt(2, 0x20);
    client.link?.send(bytes("abcd"));
    clock.settle();
    expect(server.text).toBe("abCd");
  });

  test("fills up, tells when it drained, and ends a sender whose queue is full", () => {
    const { clock, server, client, connection } = joined(100);
    connection.toListener.capacityBytes = 10;
    connection.toListener.hold();
    client.link?.send(bytes("x".repeat(60)));
    clock.settle();
    expect(client.link?.queuedBytes).toBe(50);
    connection.toListener.release();
    clock.settle();
    expect([server.text.length, client.link?.queuedBytes, client.drains]).toEqual([60, 0, 1]);
    connection.toListener.hold();
    client.link?.send(bytes("x".repeat(111)));
    expect(client.ends).toEqual([{ kind: "send-queue-full" }]);
  });

  test("pauses and resumes", () => {
    const { clock, server, client } = joined();
    server.link?.pause();
    client.link?.send(bytes("later"));
    clock.settle();
    expect(server.text).toBe("");
    server.link?.resume();
    clock.settle();
    expect(server.text).toBe("later");
  });

  test("closes in order: bytes first, one end each", () => {
    const { clock, server, client } = joined();
    client.link?.send(bytes("bye"));
    client.link?.close();
    client.link?.close();
    clock.settle();
    expect(server.text).toBe("bye");
    expect(server.ends).toEqual([{ kind: "closed-by-peer" }]);
    expect(client.ends).toEqual([{ kind: "closed-here" }]);
  });

  test("refuses, and lets connects run into their limit", () => {
    const { clock, net } = joined();
    const refused = new Ear();
    const lost = new Ear();
    const options = { host: "127.0.0.1", port: 9, timeoutMs: 5_000, sendQueueBytesMax: 1 };
    net.connect(options, refused);
    net.rule = "blackhole";
    net.connect(options, lost);
    clock.settle();
    expect(refused.ends).toEqual([{ kind: "not-connected", reason: "ECONNREFUSED" }]);
    clock.advance(5_000);
    expect(lost.ends).toEqual([{ kind: "not-connected", reason: "no answer within 5000 ms" }]);
    expect(clock.pendingTimers).toBe(0);
  });
});

test("fails at once, but not before the call has returned, and lets those through that are heard", () => {
  const { clock, net, server } = joined();
  net.failsAtOnce = true;
  const heard = new Ear();
  const order: string[] = [];
  const { at } = net.listen({ unix: "/s", sendQueueBytesMax: 9, accept: () => server });
  clock.after(0, () => {
    clock.after(0, () => order.push("what was due"));
    const options = { timeoutMs: 5_000, sendQueueBytesMax: 1 };
    net.connect(
      { host: "127.0.0.1", port: 9, ...options },
      {
        opened: () => order.push("opened"),
        received: () => order.push("received"),
        ended: (_link, end) => order.push(end.kind),
      },
    );
    net.connect({ unix: at, ...options }, heard);
    order.push("returned");
  });
  clock.settle();
  expect(order).toEqual(["returned", "not-connected", "what was due"]);
  expect(heard.link?.peer).toBe("/s");
});

describe("the manual clock", () => {
  test("runs timers by time, then by order, and sees those that they set", () => {
    const clock = new ManualClock();
    const ran: string[] = [];
    clock.after(10, () => ran.push("b"));
    clock.after(5, () => {
      ran.push("a");
      clock.after(5, () => ran.push("d"));
    });
    clock.after(10, () => ran.push("c"));
    clock.after(10, () => ran.push("never")).cancel();
    clock.advance(9);
    expect(ran).toEqual(["a"]);
    expect(clock.nextTimerMs).toBe(1);
    clock.advance(1);
    expect(ran).toEqual(["a", "b", "c", "d"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("lets promises run between steps", async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    const work = (async () => {
      for (let round = 0; round < 3; round++) {
        await new Promise<void>((resolve) => void clock.after(10, resolve));
        seen.push(clock.nowMs());
      }
    })();
    await clock.advanceAsync(30);
    await work;
    expect(seen.map((ms) => ms - (seen[0] ?? 0))).toEqual([0, 10, 20]);
  });
});

describe("the scripted leader", () => {
  const layout = slotLayout(8, 16);
  const info = { shardCount: 2, ...layout, slotCount: 4, shardPrefixBits: 0 };
  const slots = [0, 2].map((slot) =>
    scriptedSlot(
      slot,
      packMeta(STATUS_OCCUPIED, 3),
      layout,
      new Uint8Array(8).fill(slot),
      new Uint8Array(16),
    ),
  );

  test("plays a good leader, one per protocol, and logs the follower", () => {
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const leader = new ScriptedLeader(net, clock, () =>
      goodScript({ info, slots: () => slots, protocol: 1 }),
    );
    const wrong = new TestFollower(net, clock, leader.port, { shard: 1, protocol: 2, flags: 1 });
    const follower = new TestFollower(net, clock, leader.port, { shard: 1, protocol: 1, flags: 0 });
    clock.settle();
    expect(wrong.errorText).toBe("protocol version mismatch: leader 1, follower 2");
    expect(follower.events(layout).map(({ slot }) => slot)).toEqual([0, 2]);
    expect(follower.caughtUp?.totalScanned).toBe(2n);
    expect(leader.requests).toEqual([
      { shardId: 1, protocolVersion: 2, flags: 1 },
      { shardId: 1, protocolVersion: 1, flags: 0 },
    ]);
    expect(leader.peers[1]?.acks).toHaveLength(2);
    expect(leader.peers.map(({ failure }) => failure)).toEqual([null, null]);
    leader.stop();
    clock.settle();
    expect(follower.end).toEqual({ kind: "closed-by-peer" });
  });

  test("sends one bad thing per bad script and stays", () => {
    for (const bad of BAD_INPUTS) {
      const clock = new ManualClock();
      const net = new MemoryNet(clock);
      const leader = new ScriptedLeader(net, clock, () => badScript(bad, info));
      const ear = new Ear();
      net.connect({ host: "h", port: leader.port, timeoutMs: 1, sendQueueBytesMax: 99 }, ear);
      clock.settle();
      ear.link?.send(new Uint8Array([1, 3, 0, 0, 0, 0, 2, 0]));
      clock.settle();
      expect(leader.peers[0]?.failure).toBeNull();
      expect(ear.chunks.length > 0).toBe(bad !== "silence");
      expect(ear.ends).toHaveLength(bad === "truncated-frame" ? 1 : 0);
    }
  });

  test("waits for time and for the end", () => {
    const clock = new ManualClock();
    const net = new MemoryNet(clock);
    const leader = new ScriptedLeader(
      net,
      clock,
      () =>
        function* (peer) {
          yield* peer.pause(500);
          peer.send(encodeShardInfo(info));
          peer.send(batchFrame(0, layout, slots));
          yield* peer.untilEnd();
        },
    );
    const follower = new TestFollower(net, clock, leader.port, { shard: 0, protocol: 2, flags: 0 });
    clock.advance(499);
    expect(follower.frames).toHaveLength(0);
    clock.advance(1);
    expect(follower.frames).toHaveLength(2);
    follower.link.close();
    clock.settle();
    expect(leader.peers[0]?.finished).toBe(true);
  });
});
