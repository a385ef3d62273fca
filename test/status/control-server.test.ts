// The follower's end of DIR/armdb.sock in simulated time: requests in any pieces, bounds on everything that a reader could
// leave hanging, and readers that go away in the middle.

import { describe, expect, test } from "bun:test";
import { ArmdbError } from "../../src/errors.ts";
import type { ControlListenOptions, ControlSockets } from "../../src/io/control-socket.ts";
import type { Link, LinkEvents } from "../../src/io/net.ts";
import {
  ANSWER_LIMIT_MS,
  type Answer,
  CONVERSATIONS_MAX,
  ControlServer,
  type Handler,
  REQUEST_BYTES_MAX,
  RENEW_INTERVAL_MS,
  REQUEST_LIMIT_MS,
} from "../../src/status/control-server.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** The look after the socket: always there. */
const RENEWAL_TIMERS = 1;

/** The server's view of a reader that takes what the test lets it take. */
class FakePeer implements Link {
  readonly peer = "/d/armdb.sock";
  text = "";
  queuedBytes = 0;
  dropped = false;
  finished = false;
  /** False: nothing is taken any more. */
  reads = true;
  events: LinkEvents | null = null;

  send(frame: Uint8Array): void {
    this.text += Buffer.from(frame).toString();
    if (!this.reads) this.queuedBytes += frame.length;
  }

  pause(): void {}

  resume(): void {}

  finish(): void {
    this.finished = true;
    if (this.queuedBytes === 0) this.close();
  }

  close(): void {
    this.dropped = true;
    this.leave();
  }

  say(text: string): void {
    this.events?.received(this, Buffer.from(text));
  }

  leave(): void {
    this.events?.ended(this, { kind: "closed-by-peer" });
  }

  takeAll(): void {
    this.queuedBytes = 0;
    this.events?.drained?.(this);
  }

  get lines(): Record<string, unknown>[] {
    return this.text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

class FakeSockets implements ControlSockets {
  options: ControlListenOptions | null = null;
  stopped = false;
  /** What a look at the name says. */
  renew: () => string | null = () => null;

  listen(options: ControlListenOptions) {
    this.options = options;
    return { renew: () => this.renew(), stop: () => void (this.stopped = true) };
  }

  connect(): FakePeer {
    const peer = new FakePeer();
    peer.events = this.options?.accept() ?? null;
    peer.events?.opened(peer);
    return peer;
  }
}

class Stage {
  readonly clock = new ManualClock();
  readonly sockets = new FakeSockets();
  /** Answers of `later` that wait. */
  readonly waiting: Answer[] = [];
  givenUp = 0;
  readonly warnings: string[] = [];
  readonly server: ControlServer;

  constructor() {
    const handlers = new Map<string, Handler>([
      [
        "echo",
        (fields, answer) => {
          answer.finish([`${JSON.stringify({ said: fields["word"] })}\n`]);
          return () => {};
        },
      ],
      [
        "later",
        (_fields, answer) => {
          this.waiting.push(answer);
          return () => void this.givenUp++;
        },
      ],
      [
        "refuse",
        () => {
          throw new ArmdbError("usage", "Not that", { hint: "this" });
        },
      ],
    ]);
    const { sockets, clock } = this;
    const warn = (text: string) => void this.warnings.push(text);
    this.server = new ControlServer({ sockets, clock, dir: "/d", owner: null, handlers, warn });
  }

  connect(): FakePeer {
    return this.sockets.connect();
  }
}

const echo = (word: string) => `${JSON.stringify({ schema: 1, request: "echo", word })}\n`;
const LATER = '{"schema":1,"request":"later"}\n';

describe("the control server", () => {
  test("listens at armdb.sock in the directory", () => {
    expect(new Stage().sockets.options?.path).toBe("/d/armdb.sock");
  });

  test("looks after its socket every 5 s until it stops, and says what became of it", () => {
    const stage = new Stage();
    let looks = 0;
    stage.sockets.renew = () => (++looks === 1 ? "it was removed and is made anew" : null);
    stage.clock.advance(RENEW_INTERVAL_MS);
    stage.sockets.renew = () => {
      looks++;
      throw new ArmdbError("storage", "Cannot listen");
    };
    stage.clock.advance(3 * RENEW_INTERVAL_MS);
    expect(stage.warnings).toEqual(["it was removed and is made anew", "Cannot listen"]);
    stage.server.stop();
    stage.clock.advance(10 * RENEW_INTERVAL_MS);
    expect(looks).toBe(4);
  });

  test("answers requests one after the other, in whatever pieces they come", () => {
    const stage = new Stage();
    const peer = stage.connect();
    for (const piece of `${echo("one")}${echo("two")}`) peer.say(piece);
    peer.say(echo("three") + echo("four"));
    expect(peer.lines.map((line) => line["said"])).toEqual(["one", "two", "three", "four"]);
    expect(peer.dropped).toBe(false);
  });

  test("answers a thousand requests of one piece", () => {
    const stage = new Stage();
    const peer = stage.connect();
    peer.say(echo("x").repeat(1000));
    expect(peer.lines).toHaveLength(1000);
  });

  test("waits with the next request until the reader has taken the last answer", () => {
    const stage = new Stage();
    const peer = stage.connect();
    peer.reads = false;
    peer.say(echo("one") + echo("two"));
    expect(peer.lines).toHaveLength(1);
    peer.takeAll();
    expect(peer.lines).toHaveLength(2);
  });

  const refusals: [string, string][] = [
    ["no JSON", "hello\n"],
    ["no object", "[1]\n"],
    ["another schema", '{"schema":2,"request":"echo"}\n'],
    ["an unknown request", '{"schema":1,"request":"destroy"}\n'],
    ["a request that is no word", '{"schema":1,"request":7}\n'],
  ];
  for (const [name, text] of refusals) {
    test(`refuses ${name} with an error line, and ends`, () => {
      const peer = new Stage().connect();
      peer.say(text);
      expect(peer.lines).toMatchObject([{ type: "error", code: "usage" }]);
      expect(peer.dropped).toBe(true);
      peer.say(echo("more"));
      expect(peer.lines).toHaveLength(1);
    });
  }

  test("says what a handler refuses, and goes on", () => {
    const peer = new Stage().connect();
    peer.say('{"schema":1,"request":"refuse"}\n');
    expect(peer.lines).toEqual([
      { type: "error", code: "usage", message: "Not that", hint: "this" },
    ]);
    peer.say(echo("still here"));
    expect(peer.lines[1]).toEqual({ said: "still here" });
  });

  test("refuses a request of more than 64 KiB, with and without an end", () => {
    const long = new Stage().connect();
    long.say("x".repeat(REQUEST_BYTES_MAX));
    expect(long.text).toBe("");
    long.say("x");
    expect([long.lines[0]?.["type"], long.dropped]).toEqual(["error", true]);
  });

  test("drops a reader that pushes requests into a running answer beyond the bound", () => {
    const stage = new Stage();
    const peer = stage.connect();
    peer.say(LATER);
    peer.say("x".repeat(REQUEST_BYTES_MAX + 1));
    expect([peer.text, peer.dropped, stage.givenUp]).toEqual(["", true, 1]);
  });

  test("gives a request 5 s, however it drips, and again after each answer", () => {
    const stage = new Stage();
    const peer = stage.connect();
    for (let second = 0; second < 4; second++) {
      peer.say("{");
      stage.clock.advance(1000);
    }
    expect(peer.dropped).toBe(false);
    stage.clock.advance(REQUEST_LIMIT_MS - 4000);
    expect(peer.dropped).toBe(true);

    const polite = stage.connect();
    stage.clock.advance(REQUEST_LIMIT_MS - 1);
    polite.say(echo("a"));
    stage.clock.advance(REQUEST_LIMIT_MS - 1);
    expect(polite.dropped).toBe(false);
    stage.clock.advance(1);
    expect(polite.dropped).toBe(true);
    expect(stage.clock.pendingTimers).toBe(RENEWAL_TIMERS);
  });

  test("has no limit for an answer that takes its time, only for one that is not read", () => {
    const stage = new Stage();
    const peer = stage.connect();
    peer.say(LATER);
    stage.clock.advance(60 * 60_000);
    expect(peer.dropped).toBe(false);
    stage.waiting[0]?.progress({ n: 1 });
    peer.reads = false;
    stage.waiting[0]?.progress({ n: 2 });
    stage.waiting[0]?.progress({ n: 3 });
    expect(peer.lines).toEqual([{ n: 1 }, { n: 2 }]);
    stage.clock.advance(ANSWER_LIMIT_MS - 1);
    expect(peer.dropped).toBe(false);
    stage.clock.advance(1);
    expect([peer.dropped, stage.givenUp]).toEqual([true, 1]);
  });

  test("makes the pieces of an answer only as the reader takes them", () => {
    const stage = new Stage();
    const peer = stage.connect();
    peer.say(LATER);
    let made = 0;
    const pieces = function* () {
      for (; made < 1000;) {
        made++;
        yield `{"n":${made}}\n`;
      }
    };
    peer.reads = false;
    stage.waiting[0]?.finish(pieces());
    expect(made).toBe(1);
    for (let round = 0; round < 10; round++) peer.takeAll();
    expect(made).toBe(11);
    peer.reads = true;
    peer.takeAll();
    expect([made, peer.lines.length]).toEqual([1000, 1000]);
    peer.say(echo("next"));
    expect(peer.lines.at(-1)).toEqual({ said: "next" });
  });

  test("gives up what a reader asked for when it goes away", () => {
    const stage = new Stage();
    const peer = stage.connect();
    peer.say(LATER);
    peer.leave();
    expect(stage.givenUp).toBe(1);
    stage.waiting[0]?.finish(["late\n"]);
    stage.waiting[0]?.fail(new ArmdbError("unknown", "late"));
    expect(peer.text).toBe("");
    expect(stage.clock.pendingTimers).toBe(RENEWAL_TIMERS);
  });

  test("takes 16 conversations, says so to the next, and takes one again when one is over", () => {
    const stage = new Stage();
    const peers = Array.from({ length: CONVERSATIONS_MAX }, () => stage.connect());
    const next = stage.connect();
    expect(next.lines).toMatchObject([{ type: "error", code: "usage" }]);
    expect(next.finished).toBe(true);
    peers[0]?.leave();
    const again = stage.connect();
    again.say(echo("here"));
    expect(again.lines).toEqual([{ said: "here" }]);
  });

  test("stop ends every conversation and the socket", () => {
    const stage = new Stage();
    const peers = [stage.connect(), stage.connect()];
    peers[0]?.say(LATER);
    stage.server.stop();
    expect(peers.map((peer) => peer.dropped)).toEqual([true, true]);
    expect([stage.givenUp, stage.sockets.stopped, stage.clock.pendingTimers]).toEqual([1, true, 0]);
  });

  test("answers are printable ASCII, whatever is in them", () => {
    const peer = new Stage().connect();
    peer.say('{"schema":1,"request":"refuse"}\n{"schema":1,"request":"\u202e"}\n');
    expect(peer.text.replaceAll("\n", "")).toMatch(/^[\x20-\x7e]*$/);
  });
});
