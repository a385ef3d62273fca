// A connection that is dialed before it is known what for: handed out once, and never when it is not as good as a new one.

import { expect, test } from "bun:test";
import { SpareNet } from "../../src/replica/spare-net.ts";
import { Ear } from "../support/ear.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

/** A listener that keeps an ear a connection, and a SpareNet that dials it. */
function stage() {
  const clock = new ManualClock();
  const memory = new MemoryNet(clock);
  const accepted: Ear[] = [];
  const accept = () => {
    const ear = new Ear();
    accepted.push(ear);
    return ear;
  };
  const address = { host: "127.0.0.1", port: 0, sendQueueBytesMax: 1_000 };
  const { port } = memory.listen({ ...address, accept });
  const options = { ...address, port, timeoutMs: 5_000 };
  const net = new SpareNet(memory);
  const settle = async () => {
    await Promise.resolve();
    clock.settle();
  };
  return { clock, memory, net, options, accepted, settle };
}

test("the next connect has the spare, and is told so after it returned", async () => {
  const { memory, net, options, accepted, settle } = stage();
  net.dialSpare(options);
  await settle();
  const owner = new Ear();
  const link = net.connect(options, owner);
  expect(owner.link).toBeNull();
  await settle();
  expect(owner.link).toBe(link);
  expect(memory.connections).toHaveLength(1);
  link.send(bytes("hello"));
  await settle();
  expect(accepted[0]?.text).toBe("hello");
  accepted[0]?.link?.send(bytes("there"));
  await settle();
  expect(owner.text).toBe("there");
  accepted[0]?.link?.close();
  await settle();
  expect(owner.ends).toEqual([{ kind: "closed-by-peer" }]);
});

test("a spare that is still on its way is handed out too", async () => {
  const { memory, net, options, settle } = stage();
  net.dialSpare(options);
  const owner = new Ear();
  net.connect(options, owner);
  await settle();
  expect(owner.link).not.toBeNull();
  expect(memory.connections).toHaveLength(1);
});

test("it is handed out once", async () => {
  const { memory, net, options, settle } = stage();
  net.dialSpare(options);
  const owners = [new Ear(), new Ear()];
  for (const owner of owners) net.connect(options, owner);
  await settle();
  expect(owners.every((owner) => owner.link !== null)).toBe(true);
  expect(memory.connections).toHaveLength(2);
});

test("an owner that closes at once hears of no opening", async () => {
  const { net, options, accepted, settle } = stage();
  net.dialSpare(options);
  await settle();
  const owner = new Ear();
  net.connect(options, owner).close();
  await settle();
  expect(owner.link).toBeNull();
  expect(owner.ends).toEqual([{ kind: "closed-here" }]);
  expect(accepted[0]?.ends).toEqual([{ kind: "closed-by-peer" }]);
});

test.each([
  ["ended", (peer: Ear) => peer.link?.close()],
  ["was spoken to", (peer: Ear) => peer.link?.send(bytes("unasked"))],
])("a spare that %s is not used, and nothing of it is left", async (_, spoil) => {
  const { memory, net, options, accepted, settle } = stage();
  net.dialSpare(options);
  await settle();
  spoil(accepted[0] as Ear);
  await settle();
  const owner = new Ear();
  net.connect(options, owner);
  await settle();
  expect(memory.connections).toHaveLength(2);
  expect(memory.open).toHaveLength(1);
  expect(owner.link).not.toBeNull();
  expect(owner.text).toBe("");
  expect(owner.ends).toEqual([]);
});

test("a spare that cannot be had costs nothing", async () => {
  const { memory, net, options, settle } = stage();
  memory.rule = "refuse";
  net.dialSpare(options);
  await settle();
  memory.rule = "normal";
  const owner = new Ear();
  net.connect(options, owner);
  await settle();
  expect(owner.link).not.toBeNull();
});

test("a spare is for the address that it was dialed at", async () => {
  const { memory, net, options, settle } = stage();
  net.dialSpare(options);
  await settle();
  const owner = new Ear();
  net.connect({ ...options, port: options.port + 1 }, owner);
  await settle();
  expect(owner.ends).toEqual([{ kind: "not-connected", reason: "ECONNREFUSED" }]);
  expect(memory.open).toHaveLength(0);
});

test("one that is dropped is closed; one that was handed out stays", async () => {
  const { memory, net, options, settle } = stage();
  net.dialSpare(options);
  await settle();
  net.dropSpare();
  await settle();
  expect(memory.open).toHaveLength(0);
  net.dialSpare(options);
  await settle();
  net.connect(options, new Ear());
  net.dropSpare();
  await settle();
  expect(memory.open).toHaveLength(1);
});
