// What the service manager hears: READY once, STATUS as it changes, WATCHDOG only while every thread is heard of; and that the
// datagrams really arrive, by a path and by an abstract name.

import { afterAll, describe, expect, test } from "bun:test";
import { openNoticeSocket, type NoticeSocket } from "../../src/io/notify.ts";
import { managerWishes, ServiceNotices } from "../../src/status/service-notices.ts";
import { statusLine } from "../../src/status/status-line.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { TempRoot } from "../support/temp.ts";
import { documentOf, NOW_MS, viewOf } from "./facts.ts";
import { NoticeReceiver } from "./notice-receiver.ts";
import { need } from "../support/needs.ts";

const LIVE = documentOf([viewOf(), viewOf({ shard: 1 })]);
const SCANNING = documentOf([
  viewOf({ state: "scanning", lastFullScanAtMs: null, complete: false }),
]);
const SILENT = documentOf([viewOf(), viewOf({ shard: 1 }, { heardAtMs: NOW_MS - 20_000 })]);
const OVER = documentOf([
  viewOf(),
  viewOf({ shard: 1, state: "failed" }, { ended: true, heardAtMs: 0 }),
]);

class Stage implements NoticeSocket {
  readonly clock = new ManualClock();
  readonly sent: string[] = [];
  status: StatusDocument = SCANNING;
  refuses: string | null = null;
  closed = false;
  readonly notices: ServiceNotices;

  constructor(watchdogMs: number | null = null) {
    const { clock } = this;
    this.notices = new ServiceNotices({
      socket: this,
      clock,
      watchdogMs,
      status: () => this.status,
    });
    this.notices.start();
  }

  send(text: string): string | null {
    if (this.refuses === null) this.sent.push(text);
    return this.refuses;
  }

  close(): void {
    this.closed = true;
  }

  get words(): string[] {
    return this.sent.flatMap((text) => text.split("\n"));
  }
}

describe("a follower in one line", () => {
  const waiting = { state: "waiting", caughtUp: false } as const;
  const lineOf = (...snapshots: readonly (Parameters<typeof viewOf>[0] | null)[]) =>
    statusLine(documentOf(snapshots.map((snapshot, shard) => viewOf(snapshot, { shard }))));

  test("is starting until a shard has said anything", () => {
    expect(lineOf()).toBe("starting");
    expect(lineOf(null, null)).toBe("starting");
    expect(lineOf(null, { state: "connecting" })).toStartWith("behind: 0 of 2 shards live");
  });

  test("says why it waits, without the time of the next try and without a leader's own words", () => {
    const activity = "nothing listens at db1:7400; again in 2.3 s";
    expect(lineOf({ ...waiting, activity })).toBe("waiting: nothing listens at db1:7400");
    const said = "the leader says: x\nWATCHDOG=1; again in 2.3 s";
    expect(lineOf({ ...waiting, activity: said })).toBe(
      "behind: 0 of 1 shards live, 1 waiting, lag 2.0 s",
    );
    const odd = "an odd\nreason; again in 2.3 s";
    expect(lineOf({ ...waiting, activity: odd })).toBe("waiting: an odd reason");
  });

  test("says how far a scan is, and for how long at most", () => {
    const scan = {
      ...({ link: 1, kind: "first", why: "first", phase: "scanning" } as const),
      ...{ ms: 60_000, slot: 25_999 },
    };
    const scanning = { state: "scanning" as const, scan, slots: 1_000_000, shownAtMs: NOW_MS };
    expect(lineOf({ ...scanning, scanned: 13_000, occupied: 13_000 })).toContain(
      ", catch-up 2.6 %, 217 records/s, 37 m left",
    );
    expect(lineOf({ ...scanning, scanned: 26_000, occupied: 26_000 })).toContain(
      ", catch-up 2.6 %, 433 records/s, at most 37 m left",
    );
  });
});

describe("the service manager", () => {
  test("is told the status at once, and again only when it changes", () => {
    const stage = new Stage();
    expect(stage.sent).toEqual(["STATUS=behind: 0 of 1 shards live, 1 scanning, never caught up"]);
    stage.clock.advance(10_000);
    expect(stage.sent).toHaveLength(1);
    stage.status = LIVE;
    stage.clock.advance(1_000);
    expect(stage.sent[1]).toBe("STATUS=live: 2 of 2 shards live, lag 2.0 s");
  });

  test("is told READY=1 once, at once", () => {
    const stage = new Stage();
    stage.status = LIVE;
    stage.notices.ready();
    stage.clock.advance(60_000);
    expect(stage.words.filter((word) => word === "READY=1")).toHaveLength(1);
    expect(stage.sent[1]).toStartWith("READY=1\nSTATUS=live");
  });

  test("is told READY=1 later where it could not take it", () => {
    const stage = new Stage();
    stage.refuses = "EAGAIN";
    stage.notices.ready();
    stage.clock.advance(5_000);
    expect(stage.words).not.toContain("READY=1");
    stage.refuses = null;
    stage.clock.advance(1_000);
    expect(stage.words.filter((word) => word === "READY=1")).toHaveLength(1);
  });

  test("has its watchdog fed three times in its interval while every thread is heard of", () => {
    const stage = new Stage(60_000);
    stage.status = LIVE;
    stage.clock.advance(60_000);
    expect(stage.words.filter((word) => word === "WATCHDOG=1")).toHaveLength(3);
  });

  test("has a watchdog of 2 s fed in time too", () => {
    const stage = new Stage(2_000);
    stage.status = LIVE;
    stage.clock.advance(10_000);
    expect(stage.words.filter((word) => word === "WATCHDOG=1").length).toBeGreaterThanOrEqual(13);
  });

  test("has its watchdog starve while one thread says nothing, and fed again when it speaks", () => {
    const stage = new Stage(60_000);
    stage.status = SILENT;
    stage.clock.advance(120_000);
    expect(stage.words).not.toContain("WATCHDOG=1");
    stage.status = LIVE;
    stage.clock.advance(1_000);
    expect(stage.words).toContain("WATCHDOG=1");
  });

  test("has its watchdog fed although one shard has failed: the others go on", () => {
    const stage = new Stage(60_000);
    stage.status = OVER;
    stage.clock.advance(30_000);
    expect(stage.words).toContain("WATCHDOG=1");
  });

  test("has no watchdog fed that it does not run", () => {
    const stage = new Stage();
    stage.status = LIVE;
    stage.clock.advance(120_000);
    expect(stage.words).not.toContain("WATCHDOG=1");
  });

  test("is told STOPPING=1 once, and no other status after it", () => {
    const stage = new Stage();
    stage.notices.stopping();
    stage.notices.stopping();
    stage.status = LIVE;
    stage.clock.advance(5_000);
    expect(stage.sent.slice(1)).toEqual([
      "STOPPING=1\nSTATUS=stopping: closing every shard in good order",
    ]);
    stage.notices.close();
    expect([stage.closed, stage.clock.pendingTimers]).toEqual([true, 0]);
  });
});

describe("what the manager wants", () => {
  test("nothing without NOTIFY_SOCKET", () => {
    expect(managerWishes({}, 7)).toBeNull();
    expect(managerWishes({ NOTIFY_SOCKET: "", WATCHDOG_USEC: "1000" }, 7)).toBeNull();
  });

  const wishes: [Record<string, string>, number | null][] = [
    [{}, null],
    [{ WATCHDOG_USEC: "60000000" }, 60_000],
    [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "7" }, 60_000],
    [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "8" }, null],
    [{ WATCHDOG_USEC: "0" }, null],
    [{ WATCHDOG_USEC: "x" }, null],
  ];
  for (const [env, watchdogMs] of wishes) {
    test(`${JSON.stringify(env)}: a watchdog of ${watchdogMs} ms`, () => {
      expect(managerWishes({ NOTIFY_SOCKET: "/run/n", ...env }, 7)).toEqual({
        socket: "/run/n",
        watchdogMs,
      });
    });
  }
});

describe.if(need("linux", process.platform === "linux"))("a notice", () => {
  const temp = new TempRoot("notice");
  afterAll(() => temp[Symbol.dispose]());

  const names: [string, () => string][] = [
    ["a path", () => temp.fresh("socket")],
    ["an abstract name", () => `@armdb-test-${process.pid}-${performance.now()}`],
  ];
  for (const [kind, name] of names) {
    test(`arrives at ${kind}, whole`, async () => {
      await using receiver = await NoticeReceiver.start(name());
      const socket = openNoticeSocket(receiver.name);
      expect(socket.send("READY=1\nSTATUS=all is well")).toBeNull();
      expect(socket.send("WATCHDOG=1")).toBeNull();
      await receiver.until((notices) => notices.length === 2);
      expect(receiver.notices).toEqual(["READY=1\nSTATUS=all is well", "WATCHDOG=1"]);
      socket.close();
    });
  }

  test("to nobody is an errno, not an exception", () => {
    const missing = openNoticeSocket(temp.fresh("nobody"));
    expect(missing.send("READY=1")).toBe("ENOENT");
    missing.close();
    const abstract = openNoticeSocket("@armdb-test-nobody");
    expect(abstract.send("READY=1")).toBe("ECONNREFUSED");
    abstract.close();
  });

  test("to one who reads nothing does not wait", async () => {
    await using receiver = await NoticeReceiver.start(temp.fresh("deaf"), true);
    const socket = openNoticeSocket(receiver.name);
    const results = new Set<string | null>();
    for (let notice = 0; notice < 2000; notice++) results.add(socket.send("WATCHDOG=1"));
    expect(results).toEqual(new Set([null, "EWOULDBLOCK"]));
    socket.close();
  });

  for (const name of ["relative/path", "", `/${"x".repeat(200)}`, "vsock:2:1234"]) {
    test(`cannot go to "${name.slice(0, 20)}"`, () => {
      expect(() => openNoticeSocket(name)).toThrow("no unix socket");
    });
  }
});
