// What a follower shows itself by, put together: in memory, with a supervisor that only answers. Who may ask for what, how many
// at once, what keeps a follower from starting and what does not, and that nothing is left behind.

import { describe, expect, test } from "bun:test";
import { ArmdbError } from "../../src/errors.ts";
import type { ControlListenOptions, ControlSockets } from "../../src/io/control-socket.ts";
import type { Link, LinkEvents } from "../../src/io/net.ts";
import type { NoticeSocket } from "../../src/io/notify.ts";
import type { CompareEvent } from "../../src/replica/compare/compare-types.ts";
import {
  FollowerServices,
  type FollowerServicesOptions,
} from "../../src/status/follower-services.ts";
import { StatusSource } from "../../src/status/status-source.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { NOW_MS, viewOf } from "./facts.ts";

/** The first word of a comparison. */
const PROGRESS = { type: "progress" };

class Peer implements Link {
  readonly peer = "/d/armdb.sock";
  text = "";
  readonly queuedBytes = 0;
  events: LinkEvents | null = null;

  send(frame: Uint8Array): void {
    this.text += Buffer.from(frame).toString();
  }

  pause(): void {}

  resume(): void {}

  finish(): void {
    this.close();
  }

  close(): void {
    this.events?.ended(this, { kind: "closed-here" });
  }

  ask(request: Record<string, unknown>): Record<string, unknown>[] {
    this.text = "";
    this.events?.received(this, Buffer.from(`${JSON.stringify({ schema: 1, ...request })}\n`));
    return this.lines;
  }

  get lines(): Record<string, unknown>[] {
    const lines = this.text.split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

class Stage implements ControlSockets {
  readonly clock = new ManualClock(NOW_MS);
  readonly net = new MemoryNet(this.clock);
  readonly warnings: string[] = [];
  readonly said: string[] = [];
  readonly at: string[] = [];
  readonly notices: string[] = [];
  readonly comparing = new Map<number, (event: CompareEvent) => void>();
  readonly givenUp: number[] = [];
  listening: ControlListenOptions | null = null;
  refuses: unknown = null;
  geometry: { shardCount: number } | null = { shardCount: 2 };
  readonly source: StatusSource;
  readonly services: FollowerServices;

  constructor(changes: Partial<FollowerServicesOptions> = {}) {
    const stage = this;
    const { clock, net } = this;
    const supervisor = {
      protocol: 1 as const,
      connectionsToday: 2,
      connectionsNextAtMs: null,
      saved: { atMs: null, failure: null },
      shards: [viewOf(), viewOf({ shard: 1 })],
      get geometry() {
        const { geometry } = stage;
        return geometry && { ...geometry, shardPrefixBits: 0, keyLen: 8, valueLen: 16 };
      },
      compare(shard: number, _max: number, received: (event: CompareEvent) => void) {
        stage.comparing.set(shard, received);
        return () => void stage.givenUp.push(shard);
      },
    };
    const place = { host: "10.0.0.5", port: 7400, connectionsPerDay: 1000, pid: 7 };
    const more = { sync: "group", found: null } as const;
    this.source = new StatusSource({ supervisor, clock, ...place, ...more });
    this.services = new FollowerServices({
      ...{ source: this.source, supervisor, clock, net, sockets: this, dir: "/d" },
      http: { host: "127.0.0.1", port: 9407 },
      maxLagMs: 30_000,
      manager: null,
      openNoticeSocket: () => this.#noticeSocket(),
      process: () => ({ residentBytes: 1, cpuSeconds: 1, droppedLines: 0 }),
      build: { version: "0.1.0", commit: "unknown" },
      info: (text) => void this.said.push(text),
      warn: (text) => void this.warnings.push(text),
      listening: (at) => void this.at.push(at),
      ...changes,
    });
  }

  #noticeSocket(): NoticeSocket {
    return {
      send: (text) => {
        this.notices.push(text);
        return null;
      },
      close: () => void this.notices.push("closed"),
    };
  }

  listen(options: ControlListenOptions) {
    if (this.refuses !== null) throw this.refuses;
    this.listening = options;
    return { renew: () => null, stop: () => void (this.listening = null) };
  }

  connect(): Peer {
    const peer = new Peer();
    peer.events = this.listening?.accept() ?? null;
    peer.events?.opened(peer);
    return peer;
  }

  compareRequest(changes: Record<string, unknown> = {}): Record<string, unknown> {
    const leader = "10.0.0.5:7400";
    return { request: "compare", leader, rounds: 1, waitMs: 0, shard: null, ...changes };
  }

  answerAll(): void {
    const empty = new Uint32Array();
    const columns = { slots: empty, here: empty, there: empty, flags: new Uint8Array() };
    const scan = { ...columns, compared: 10, notKept: 0, inFlightMax: 0 };
    for (const received of this.comparing.values()) received({ kind: "compared", scan });
    this.clock.settle();
  }
}

/** The error of a system call, explained. */
function refusal(code: string): ArmdbError {
  const cause = Object.assign(new Error(code), { code });
  return new ArmdbError("storage", `Cannot listen: ${code}`, { cause });
}

describe("the services of a follower", () => {
  test("serve HTTP once, where they say", () => {
    const stage = new Stage();
    stage.services.listen();
    stage.services.listen();
    expect(stage.at).toEqual(["127.0.0.1:9407"]);
    expect(stage.said).toEqual([
      "Metrics and health at http://127.0.0.1:9407/metrics, /health, /ready, /status.json",
    ]);
    expect(stage.warnings).toEqual([]);
  });

  test("warn where others can reach them", () => {
    const stage = new Stage({ http: { host: "0.0.0.0", port: 9407 } });
    stage.services.listen();
    expect(stage.warnings).toEqual([expect.stringContaining("no password and no encryption")]);
  });

  test("serve nothing that was not asked for", () => {
    const stage = new Stage({ http: null });
    stage.services.listen();
    expect([stage.at, stage.notices, stage.clock.pendingTimers]).toEqual([[], [], 0]);
  });

  test("answer status over the socket, with the follower's stopping in it", () => {
    const stage = new Stage();
    stage.services.locked(null);
    const peer = stage.connect();
    expect(peer.ask({ request: "status" })).toMatchObject([
      { command: "status", verdict: "live", leader: "10.0.0.5:7400", pid: 7, stopping: false },
    ]);
    stage.services.stopping();
    expect(peer.ask({ request: "status" })).toMatchObject([{ stopping: true }]);
  });

  test("compare all shards for one asker at a time, and for the next when that is over", () => {
    const stage = new Stage();
    stage.services.locked(null);
    const [first, second] = [stage.connect(), stage.connect()];
    expect(first.ask(stage.compareRequest())).toMatchObject([PROGRESS]);
    expect([...stage.comparing.keys()]).toEqual([0, 1]);
    expect(second.ask(stage.compareRequest())).toMatchObject([
      { type: "error", code: "unknown", message: expect.stringContaining("under way") },
    ]);
    stage.answerAll();
    expect(first.lines.at(-1)).toMatchObject({ command: "compare", verdict: "same" });
    expect(new Set(first.lines.slice(0, -1).map(({ type }) => type))).toEqual(
      new Set(["progress"]),
    );
    expect(second.ask(stage.compareRequest({ shard: 1 }))).toMatchObject([PROGRESS]);
    stage.answerAll();
    expect(second.lines.at(-1)).toMatchObject({ command: "compare", shards: [{ shard: 1 }] });
  });

  test("give a comparison up when its asker goes away", () => {
    const stage = new Stage();
    stage.services.locked(null);
    const peer = stage.connect();
    peer.ask(stage.compareRequest());
    peer.close();
    expect(stage.givenUp).toEqual([0, 1]);
    expect(stage.connect().ask(stage.compareRequest())).toMatchObject([PROGRESS]);
  });

  test("refuse to compare with another leader, and before there is one", () => {
    const stage = new Stage();
    stage.services.locked(null);
    const peer = stage.connect();
    expect(peer.ask(stage.compareRequest({ leader: "10.0.0.6:7400" }))).toMatchObject([
      { type: "error", code: "usage" },
    ]);
    stage.geometry = null;
    expect(peer.ask(stage.compareRequest())).toMatchObject([{ type: "error", code: "unknown" }]);
    expect(stage.comparing.size).toBe(0);
  });

  test("tell the service manager", () => {
    const stage = new Stage({ manager: { socket: "/run/n", watchdogMs: null } });
    stage.services.listen();
    stage.services.listen();
    stage.services.ready();
    stage.services.stopping();
    stage.services.close();
    const words = stage.notices.join("\n").split("\n");
    expect(words.filter((word) => !word.startsWith("STATUS="))).toEqual([
      "READY=1",
      "STOPPING=1",
      "closed",
    ]);
  });

  test("go on without a service manager that cannot be spoken to", () => {
    const stage = new Stage({
      manager: { socket: "vsock:2:1", watchdogMs: null },
      openNoticeSocket: () => {
        throw new ArmdbError("usage", "which is no unix socket");
      },
    });
    stage.services.listen();
    expect(stage.warnings).toEqual(["which is no unix socket"]);
  });

  test("go on without a socket where the file system holds none, and say so", () => {
    const stage = new Stage();
    stage.refuses = refusal("EPERM");
    stage.services.locked(null);
    expect(stage.warnings).toEqual([expect.stringContaining("EPERM")]);
    stage.services.close();
  });

  test("do not go on where the socket's name is taken or the directory is not ours", () => {
    for (const refused of [refusal("EACCES"), new ArmdbError("storage", "a file lies there")]) {
      const stage = new Stage();
      stage.refuses = refused;
      expect(() => stage.services.locked(null)).toThrow(refused);
    }
  });

  test("leave nothing behind", () => {
    const stage = new Stage({ manager: { socket: "/run/n", watchdogMs: 60_000 } });
    stage.services.listen();
    stage.services.locked(null);
    stage.connect().ask(stage.compareRequest());
    stage.services.close();
    stage.services.close();
    expect([stage.listening, stage.givenUp, stage.clock.pendingTimers]).toEqual([null, [0, 1], 0]);
    stage.services.close();
  });
});
