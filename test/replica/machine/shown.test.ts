// What is shown of a shard, read from the machine's state alone.

import { describe, expect, test } from "bun:test";
import {
  activityOf,
  isReady,
  NO_PROGRESS,
  owedShown,
  progressOf,
  scanShown,
} from "../../../src/replica/machine/shown.ts";
import { Driven, live, LOST, polling, started } from "./driven.ts";

const activity = (machine: Driven) => activityOf(machine.state, machine.nowMs);

describe("the state", () => {
  test("is diverged whatever the link does, over a restart too; activity says what it does", () => {
    const machine = new Driven().start(true, { complete: true, diverged: 3 });
    expect([machine.word, activity(machine)]).toEqual(["diverged", "connecting to 127.0.0.1:7400"]);
    expect(machine.granted().ended().word).toBe("diverged");
    expect(activity(machine)).toBe("the leader closed the connection; again in 1.0 s");
    machine.wait(1_000).streaming(0, 3);
    expect([machine.word, activity(machine)]).toEqual([
      "diverged",
      "3 slots differ from the leader",
    ]);
    machine.take({ kind: "struck", diverged: 1 });
    expect([machine.done, activity(machine)]).toEqual([["save"], "1 slot differs from the leader"]);
    machine.take({ kind: "struck", diverged: 2 });
    expect(machine.state.diverged).toBe(1);
    expect(machine.take({ kind: "struck", diverged: 0 }).word).toBe("live");
  });

  test("is scanning while slots wait for their second look", () => {
    const machine = live(2).take({ kind: "rescan" }).wait(150).streaming(2);
    expect([machine.word, activity(machine)]).toEqual(["scanning", "2 slots look different"]);
    machine.wait(1_150).scanning();
    expect([machine.word, activity(machine)]).toEqual([
      "scanning",
      "2 slots look different; catching up",
    ]);
    expect(activity(machine.caughtUp())).toBe(
      "2 slots look different; making sure that it was whole",
    );
  });

  test("has words for each stage of a connection", () => {
    const machine = new Driven({ protocol: 1 });
    const seen = [activity(machine)];
    const look = (next: Driven) => seen.push(`${next.word}: ${activity(next)}`);
    look(machine.start(false));
    look(machine.dialing().shardInfo());
    look(machine.take({ kind: "filesMade", error: null }));
    look(machine.caughtUp());
    look(machine.whole().judged());
    look(machine.wait(5_000).heartbeat());
    machine.take({ kind: "rescan" });
    look(machine.granted(2).opened(2).shardInfo(2));
    look(polling());
    look(live(2).take({ kind: "rescan" }));
    look(live(2).take({ kind: "stop" }));
    expect(seen).toEqual([
      "starting",
      "connecting: connecting to 127.0.0.1:7400",
      "scanning: creating its files",
      "scanning: catching up",
      "scanning: making sure that it was whole",
      "connecting: asking for the live stream",
      "live: following the live stream",
      "live: following, and scanning on a second connection",
      "polling: rescanning: no live stream available",
      "connecting: opening the stream again",
      "stopped: closing its files",
    ]);
  });

  test("is reported when it changes, and not when it does not", () => {
    const machine = live(2);
    const words = machine.reports.flatMap((report) =>
      report.kind === "state" ? report.state : [],
    );
    expect(words).toEqual(["scanning", "live"]);
    expect(machine.batches(3).heartbeat().reports.at(-1)?.kind).toBe("ready");
  });
});

describe("ready", () => {
  test("needs a whole scan that is judged and durable, and is said once", () => {
    const machine = started().confirming();
    expect(isReady(machine.whole().state)).toBe(false);
    expect(isReady(machine.judged().state)).toBe(false);
    expect(isReady(machine.durable().state)).toBe(true);
    machine.take({ kind: "rescan" }).wait(150).streaming().durable().ended();
    expect(isReady(machine.state)).toBe(true);
    expect(machine.reports.filter(({ kind }) => kind === "ready").length).toBe(1);
    expect(isReady(machine.take({ kind: "stop" }).state)).toBe(false);
  });

  test("waits for a second look, and goes on waiting when that is cut", () => {
    const machine = started().streaming(1).durable();
    expect(isReady(machine.state)).toBe(false);
    machine.wait(1_150).scanning().ended();
    expect([isReady(machine.state), machine.state.owed?.why]).toEqual([false, "cut"]);
    expect(isReady(machine.wait(1_000).streaming().state)).toBe(true);
  });

  test("needs nothing owed and the last scan durable with --once", () => {
    const machine = started({ once: true }).streaming(1).durable();
    machine.wait(1_150).streaming();
    expect(isReady(machine.state)).toBe(false);
    expect(isReady(machine.durable().state)).toBe(true);
  });
});

describe("complete", () => {
  test("is false from the moment the files are made until a whole scan is durable", () => {
    const machine = new Driven().start(false);
    expect(machine.state.complete).toBeNull();
    machine.dialing().shardInfo().take({ kind: "filesMade", error: null });
    machine.caughtUp().whole().judged();
    expect(machine.state.complete).toBe(false);
    expect(machine.durable().state.complete).toBe(true);
    expect(machine.ended().state.complete).toBe(true);
  });
});

describe("what is owed and scanned", () => {
  test("is shown with its age, and with the budget that it waits for", () => {
    const machine = live(1);
    expect(owedShown(machine.state, machine.nowMs)).toBe(null);
    machine.take({ kind: "rescan" }).take({ kind: "held", request: 2, untilMs: 77, limit: 8 });
    const shown = { why: "asked", sinceMs: 500, heldUntilMs: 77 } as const;
    expect(owedShown(machine.state, machine.nowMs + 500)).toEqual(shown);
  });

  test("is shown with its kind, its reason, its phase and its time", () => {
    const machine = started().granted().wait(40).opened().shardInfo();
    const scan = { link: 1, kind: "first", why: "first", phase: "scanning", ms: 40 } as const;
    expect(scanShown(machine.state, machine.nowMs)).toEqual(scan);
    machine.caughtUp();
    expect(scanShown(machine.state, machine.nowMs)?.phase).toBe("confirming");
    expect(scanShown(machine.whole().state, machine.nowMs)).toBe(null);
    machine.judged().ended().wait(1_000).scanning();
    expect(scanShown(machine.state, machine.nowMs)).toMatchObject({
      kind: "rescan",
      why: "reconnect",
    });
    const beside = live(1).take({ kind: "rescan" }).granted(2).shardInfo(2);
    expect(scanShown(beside.state, beside.nowMs)).toMatchObject({ kind: "beside", why: "asked" });
  });

  test("is progress when it passes any slot before, and not when a cut scan is made again", () => {
    const machine = started().scanning();
    const first = progressOf(NO_PROGRESS, machine.state, 100);
    expect(progressOf(first, machine.state, 100)).toBe(first);
    machine.ended(LOST).wait(1_000).scanning();
    expect(progressOf(first, machine.state, 99)).toBe(first);
    expect(progressOf(first, machine.state, null)).toBe(first);
    const second = progressOf(first, machine.state, 101);
    expect(second).toEqual({ scans: 0, slot: 101 });
    machine.caughtUp().whole();
    expect(progressOf(second, machine.state, null)).toEqual({ scans: 1, slot: -1 });
  });
});
