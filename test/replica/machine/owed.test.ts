// What a shard owes: how each debt arises, when it is due, how debts join, and that a whole scan that began later pays
// them all.

import { describe, expect, test } from "bun:test";
import { Driven, live, polling, started } from "./driven.ts";

/** 32 full batches: a whole ring. */
const RING = 32;

describe("a run of full batches", () => {
  test("owes a loss from 8,000 events on, since its begin", () => {
    const machine = live(2).wait(500).batches(31);
    expect(machine.state.owed).toBe(null);
    const sinceMs = machine.nowMs;
    machine.wait(100).batches(1);
    expect(machine.state.owed).toMatchObject({ why: "loss", sinceMs, notBeforeMs: null });
    expect(machine.word).toBe("live");
  });

  test("is due 1 s after a batch that is not full, or a heartbeat, ended it", () => {
    for (const end of ["batch", "heartbeat"] as const) {
      const machine = live(2).batches(RING);
      expect(machine.wait(3_600_000 - 10_000).at).toBe("streaming");
      if (end === "batch") machine.batches(1, false, 5);
      else machine.heartbeat();
      expect(machine.wait(999).at).toBe("streaming");
      expect(machine.wait(1).done).toEqual(["close 1"]);
    }
  });

  test("is not ended by time: a pause of the network cuts no run in two", () => {
    const machine = live(2).batches(16).wait(10_000).batches(16);
    expect(machine.state.owed?.why).toBe("loss");
  });

  test("counts what is left over of a ring in the batch that is not full", () => {
    expect(live(2).batches(32, true, 249).batches(1, false, 224).state.owed?.why).toBe("loss");
    expect(live(2).batches(20).batches(1, false, 5).batches(20).state.owed).toBe(null);
  });

  test("moves the debt with each further batch, so that no scan within it pays", () => {
    const machine = live(1).batches(RING);
    const since = machine.state.owed?.since ?? 0;
    expect(machine.batches(1).state.owed?.since).toBe(since + 1);
    machine.heartbeat().wait(1_000);
    const link = machine.beside;
    machine.granted(link).opened(link).shardInfo(link).batches(RING).caughtUp(link).whole(link);
    expect(machine.judged().state.owed?.why).toBe("loss");
    machine.heartbeat().wait(1_000).besideScan();
    expect(machine.state.owed).toBe(null);
  });

  test("that never ends keeps neither --resync nor a comparison away", () => {
    const machine = live(2, { resyncMs: 60_000 }).batches(RING);
    expect(machine.wait(61_000).done).toEqual(["ask 2 2"]);
    const compared = live(2).batches(RING).take({ kind: "rescan" });
    expect(compared.done).toEqual(["close 1"]);
  });

  test("counts behind CaughtUp already, and ends with its connection", () => {
    const machine = started().confirming().batches(RING).whole().judged();
    expect(machine.state.owed?.why).toBe("loss");
    machine.ended();
    expect([machine.state.run, machine.state.owed?.why]).toEqual([null, "loss"]);
    expect(machine.wait(1_000).streaming().state.owed?.why).toBe("old-ring");
  });
});

describe("a debt", () => {
  test("is paid by a whole scan that was dialed after it, and by none dialed before", () => {
    const machine = started().dialing().take({ kind: "rescan" });
    machine.shardInfo().caughtUp().whole();
    expect(machine.state.owed?.why).toBe("asked");
    expect(machine.judged().done).toEqual(["close 1"]);
    machine.wait(150).streaming();
    expect(machine.state.owed).toBe(null);
  });

  test("joins: the stronger why, the later since, the earlier begin and due time", () => {
    const machine = live(1).streaming().take({ kind: "rescan" });
    const asked = machine.state.owed;
    expect(asked).toMatchObject({ why: "asked", notBeforeMs: machine.nowMs });
    machine.granted(machine.beside).opened(machine.beside).wait(500).batches(RING).heartbeat();
    const both = machine.state.owed;
    expect(both?.why).toBe("loss");
    expect(both?.sinceMs).toBe(asked?.sinceMs ?? 0);
    expect(both?.since).toBe(machine.state.inputs);
    machine.take({ kind: "rescan" });
    expect(machine.state.owed).toMatchObject({ why: "loss", notBeforeMs: machine.nowMs });
  });

  test("outlasts a verdict, a reconnect, a failed scan and the calendar", () => {
    const machine = started({ protocol: 1, resyncMs: 5_000 }).confirming().whole().judged(3);
    const { owed } = machine.state;
    expect(owed?.why).toBe("settle");
    expect(machine.heartbeat().state.owed).toBe(owed);
    expect(machine.batches(1, false, 1).state.owed).toBe(owed);
    expect(machine.ended().wait(900).state.owed).toBe(owed);
    machine.wait(100).scanning().ended();
    expect(machine.state.owed).toMatchObject({ why: "cut", holdsReady: true });
    expect(machine.wait(2_000).streaming().state.owed).toBe(null);
  });

  test("of an earlier run is paid by the first whole scan", () => {
    const saved = { complete: true, diverged: 2, owed: { why: "loss", sinceMs: -5_000 } } as const;
    const again = new Driven().start(true, saved);
    expect(again.state).toMatchObject({
      complete: true,
      diverged: 2,
      owed: { why: "loss", sinceMs: -5_000 },
    });
    expect(again.streaming(0, 2).state.owed).toBe(null);
  });
});

describe("what is owed", () => {
  test("is told when it arises, and when it grows stronger", () => {
    const machine = live(1).take({ kind: "rescan" }).take({ kind: "rescan" });
    machine.batches(RING + 2).heartbeat();
    const told = machine.reports.flatMap((report) => (report.kind === "owed" ? report.why : []));
    expect(told).toEqual(["asked", "loss"]);
  });
});

describe("a judged scan", () => {
  test("owes another for suspects, 1 s later, three times in a row, then leaves them to the calendar", () => {
    const machine = started().streaming(2);
    for (const why of ["settle", "settle", "settle"]) {
      expect(machine.state.owed?.why).toBe(why as "settle");
      expect([machine.word, machine.wait(999).at]).toEqual(["scanning", "streaming"]);
      machine.wait(1).wait(150).streaming(2);
    }
    expect(machine.state.owed).toBe(null);
    expect([machine.word, machine.state.scheduledAtMs]).toEqual([
      "scanning",
      machine.nowMs + 3_600_000,
    ]);
    machine.take({ kind: "rescan" }).wait(150).streaming(0);
    expect([machine.word, machine.state.settlingScans]).toEqual(["live", 0]);
  });

  test("owes another once --accept-leader has listed what is lost, at once", () => {
    const machine = started({ acceptLeader: true }).streaming(1).durable();
    expect(machine.state.owed?.why).toBe("settle");
    machine.wait(1_000).wait(150).streaming(0, 1);
    expect(machine.done).toEqual(["acceptLeader", "close 2", "save"]);
    expect(machine.reports.some(({ kind }) => kind === "ready")).toBe(false);
    machine.wait(150).streaming(0, 1).durable();
    expect(machine.reports.filter(({ kind }) => kind === "ready").length).toBe(1);
    expect(machine.done).not.toContain("acceptLeader");
  });

  test("lists for --accept-leader all that differs: what waits for its second look is waited for, three scans at most", () => {
    const machine = started({ acceptLeader: true }).streaming(200, 1_000);
    expect([machine.done, machine.state.owed?.why]).toEqual([["save"], "settle"]);
    machine.wait(1_000).wait(150).streaming(0, 1_200);
    expect(machine.done).toContain("acceptLeader");
    const busy = started({ acceptLeader: true });
    const done = [0, 1, 2, 3].map((scan) => {
      if (scan > 0) busy.wait(1_000).wait(150);
      return busy.streaming(1, 10).done.includes("acceptLeader");
    });
    expect(done).toEqual([false, false, false, true]);
  });

  test("owes another after a gap on protocol 2, unless the leader tells of drops", () => {
    const machine = started({ followedBefore: true }).streaming();
    expect(machine.state.owed).toMatchObject({
      why: "old-ring",
      notBeforeMs: machine.nowMs + 2_000,
    });
    expect(machine.wait(2_150).streaming().state.owed).toBe(null);
    const told = started({ followedBefore: true })
      .scanning()
      .error("events dropped, rescan required");
    expect(told.wait(150).streaming().state.owed).toBe(null);
    expect(started({ followedBefore: true, protocol: 1 }).streaming().state.owed).toBe(null);
  });

  test("is judged once, and decides nothing before", () => {
    const machine = started().scanning().take({ kind: "rescan" }).caughtUp().whole();
    expect([machine.at, machine.wait(5_000).at]).toEqual(["streaming", "streaming"]);
    expect(machine.judged(0, 4).done).toEqual(["close 1", "save"]);
    expect(machine.judged(0, 0).state.diverged).toBe(4);
  });
});

describe("the calendar", () => {
  test("owes a scan --resync after the last one, and none with off", () => {
    const machine = live(2);
    const sinceMs = machine.nowMs;
    machine.wait(3_600_000);
    expect(machine.nowMs - sinceMs).toBe(3_600_000);
    expect(machine.state.owed?.why).toBe("calendar");
    expect(live(2, { resyncMs: null }).wait(1e9).at).toBe("streaming");
  });

  test("polls every --poll, but scans at most a fifth of the time", () => {
    const machine = polling({ pollMs: 10_000 });
    expect(machine.state.scheduledAtMs).toBe(machine.nowMs + 10_000);
    machine.take({ kind: "rescan" });
    const link = machine.beside;
    machine
      .granted(link)
      .opened(link)
      .shardInfo(link)
      .wait(8_000)
      .caughtUp(link)
      .whole(link)
      .judged();
    expect(machine.state.scheduledAtMs).toBe(machine.nowMs + 32_000);
  });

  test("is not set while a scan is coming anyway, but where one waits for the end of a run", () => {
    expect(started().streaming(1).state.scheduledAtMs).toBe(null);
    const running = started().confirming().batches(RING).whole().judged();
    expect(running.state.scheduledAtMs).toBe(running.nowMs + 3_600_000);
  });

  test("is not set by a verdict before the scan is whole", () => {
    const machine = live(1).ended().wait(1_000).confirming().wait(6_800).heartbeat();
    expect([machine.state.scheduledAtMs, machine.whole().judged().word]).toEqual([null, "polling"]);
  });

  test("is planned anew when the verdict on the stream changes", () => {
    const machine = started({ protocol: 1 }).streaming();
    expect(machine.state.scheduledAtMs).toBe(machine.nowMs + 3_600_000);
    machine.wait(6_800).heartbeat();
    expect(machine.state.scheduledAtMs).toBe(machine.nowMs + 300_000);
    machine.wait(1_000).batches(1, false, 1);
    expect(machine.state.scheduledAtMs).toBe(machine.nowMs + 3_600_000);
  });
});

describe("--once", () => {
  test("knows cut, accept and settle only", () => {
    const machine = started({ once: true, followedBefore: true }).streaming().durable();
    expect(machine.take({ kind: "rescan" }).batches(RING).heartbeat().state.owed).toBe(null);
    expect([machine.state.scheduledAtMs, machine.wait(1e9).at]).toEqual([null, "streaming"]);
    const settling = started({ once: true }).streaming(1);
    expect(settling.batches(RING).state.owed).toMatchObject({ why: "settle", notBeforeMs: 11_000 });
    expect(started({ once: true }).scanning().ended().state.owed?.why).toBe("cut");
  });
});
