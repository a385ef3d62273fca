// The asking side of the control socket: what is believed of an answer, and that there always is one within 5 s.

import { describe, expect, test } from "bun:test";
import type { LineEnd, LineEvents, LineSockets } from "../../src/io/unix-socket.ts";
import { asciiJson } from "../../src/status/ascii-json.ts";
import { readStatusDocument } from "../../src/status/status-types.ts";
import { ANSWER_LIMIT_MS, askForStatus } from "../../src/status/status-request.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { SimProcess } from "../support/sim-process.ts";
import { documentOf, NOW_MS, viewOf } from "./facts.ts";

const DIVERGED = { slot: 5, kind: "missing" as const, here: 41, there: null };
const DOCUMENT = documentOf([
  viewOf({ lastError: "text of a \u202e leader", oldestUnsyncedAtMs: NOW_MS - 507 }),
  viewOf({
    ...{ shard: 1, state: "diverged", divergedSlots: 1, diverged: [DIVERGED], suspectSlots: 2 },
    owed: { why: "loss", sinceMs: 5, heldUntilMs: 7 },
    scan: { ...{ link: 1, kind: "first", why: "first", phase: "scanning" }, ms: 5, slot: -1 },
  }),
  viewOf(null, { shard: 2 }),
]);

describe("readStatusDocument()", () => {
  test("reads back what a follower says, every field of it", () => {
    expect(readStatusDocument(JSON.parse(asciiJson(DOCUMENT)))).toEqual(DOCUMENT);
  });

  test("leaves out what it does not know", () => {
    const more = { ...DOCUMENT, future: 1, shards: [{ ...DOCUMENT.shards[0], future: [2] }] };
    expect(readStatusDocument(more)).toEqual({
      ...DOCUMENT,
      shards: DOCUMENT.shards.slice(0, 1),
    });
  });

  test("takes no nonsense for a number, a text or a flag", () => {
    const shard = {
      shard: 0,
      state: "live",
      slots: "1000",
      occupied: -1,
      lagMs: Number.NaN,
      appliedTotal: "12; rm",
      lastError: 7,
      ready: "yes",
      streaming: "sometimes",
      owed: { why: 1, sinceMs: 2 },
      scan: [],
      catchUp: { share: "all" },
      diverged: [{ slot: "x" }, 7, null],
    };
    expect(readStatusDocument({ ...DOCUMENT, shards: [shard] })?.shards[0]).toMatchObject({
      slots: null,
      occupied: null,
      lagMs: null,
      appliedTotal: null,
      lastError: null,
      ready: null,
      streaming: null,
      owed: null,
      scan: null,
      catchUp: null,
      diverged: [],
    });
  });

  const refused: [string, unknown][] = [
    ["nothing", null],
    ["a list", []],
    ["another schema", { ...DOCUMENT, schema: 2 }],
    ["another command", { ...DOCUMENT, command: "compare" }],
    ["an unknown verdict", { ...DOCUMENT, verdict: "splendid" }],
    ["no shards", { ...DOCUMENT, shards: undefined }],
    ["too many shards", { ...DOCUMENT, shards: new Array(256).fill(DOCUMENT.shards[0]) }],
    ["an unknown state", { ...DOCUMENT, shards: [{ ...DOCUMENT.shards[0], state: "x" }] }],
    ["a shard without a number", { ...DOCUMENT, shards: [{ state: "live" }] }],
  ];
  for (const [name, value] of refused) {
    test(`refuses ${name}`, () => expect(readStatusDocument(value)).toBeNull());
  }
});

/** A socket whose other end is the test. */
class FakeSockets implements LineSockets {
  events: LineEvents | null = null;
  readonly sent: string[] = [];
  closes = 0;

  connect(_path: string, _lineBytesMax: number, events: LineEvents) {
    this.events = events;
    return {
      send: (text: string) => void this.sent.push(text),
      close: () => void this.closes++,
    };
  }
}

describe("askForStatus()", () => {
  const ask = () => {
    const sockets = new FakeSockets();
    const clock = new ManualClock();
    return { sockets, clock, answer: askForStatus(sockets, clock, "/d/armdb.sock") };
  };

  test("asks, takes the document and hangs up", async () => {
    const { sockets, clock, answer } = ask();
    sockets.events?.opened({ send: (text) => void sockets.sent.push(text), close: () => {} });
    sockets.events?.line(asciiJson(DOCUMENT));
    expect(await answer).toEqual({ kind: "status", document: DOCUMENT });
    expect(sockets.sent).toEqual(['{"schema":1,"request":"status"}']);
    expect([sockets.closes, clock.pendingTimers]).toEqual([1, 0]);
  });

  const ends: [LineEnd, string][] = [
    [{ kind: "not-connected", reason: "ENOENT" }, "nobody"],
    [{ kind: "not-connected", reason: "ECONNREFUSED" }, "nobody"],
    [{ kind: "not-connected", reason: "EACCES" }, "forbidden"],
    [{ kind: "not-connected", reason: "EPERM" }, "forbidden"],
    [{ kind: "not-connected", reason: "EAGAIN" }, "mute"],
    [{ kind: "closed-by-peer" }, "mute"],
    [{ kind: "broken", reason: "ECONNRESET" }, "mute"],
    [{ kind: "line-too-long" }, "mute"],
  ];
  for (const [end, kind] of ends) {
    test(`${JSON.stringify(end)} is ${kind}`, async () => {
      const { sockets, answer } = ask();
      sockets.events?.ended(end);
      expect((await answer).kind).toBe(kind as "nobody");
    });
  }

  for (const line of ["hello", "[]", '{"type":"error","message":"no"}']) {
    test(`the line ${line} is mute`, async () => {
      const { sockets, answer } = ask();
      sockets.events?.line(line);
      expect((await answer).kind).toBe("mute");
    });
  }

  test("that was suspended itself hears the answer that came meanwhile", async () => {
    const sockets = new FakeSockets();
    const clock = new ManualClock();
    const held = new SimProcess(clock, new MemoryNet(clock));
    const answer = askForStatus(sockets, held.clock, "/d/armdb.sock");
    held.stop();
    clock.advance(60_000);
    held.goOn();
    sockets.events?.line(asciiJson(DOCUMENT));
    expect(await answer).toEqual({ kind: "status", document: DOCUMENT });
  });

  test("waits 5 s and no longer", async () => {
    const { sockets, clock, answer } = ask();
    clock.advance(ANSWER_LIMIT_MS);
    expect(await answer).toEqual({ kind: "mute", reason: "no answer within 5 s" });
    expect(sockets.closes).toBe(1);
  });
});
