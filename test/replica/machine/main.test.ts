// The main connection of a shard's machine: what each input makes of each of its states, and the stream's verdict.

import { describe, expect, test } from "bun:test";
import { DISK_ERROR, Driven, live, NOTHING_SAVED, polling, started } from "./driven.ts";

describe("the main connection", () => {
  test("is asked for at the start, and dialed when that is granted", () => {
    const machine = started();
    expect(machine.done).toEqual(["ask 1 2"]);
    expect(machine.word).toBe("connecting");
    expect(machine.granted().done).toEqual(["dial 1 main 2"]);
  });

  test("waits for the budget: said once, granted later", () => {
    const machine = started();
    const untilMs = new Date(2026, 4, 1, 14, 5).getTime();
    const held = () => machine.take({ kind: "held", request: 1, untilMs, limit: 1_000 });
    held();
    expect(machine.word).toBe("waiting");
    const text = "at the limit of --leader-connections (1000 a day); next try at 14:05";
    const logged = { kind: "log", level: "warn", text, reasonOf: "main" } as const;
    expect(machine.reports).toContainEqual(logged);
    held();
    expect(machine.reports.filter(({ kind }) => kind === "log")).toEqual([logged]);
    expect(machine.granted().done).toEqual(["dial 1 main 2"]);
  });

  test("counts when the leader accepted it, and not before", () => {
    const machine = started().granted();
    expect(machine.state.counts.connections).toBe(0);
    expect(machine.opened().done).toEqual(["tell 1 accepted"]);
    expect(machine.state.counts.connections).toBe(1);
  });

  test("scans from ShardInfo on, where there are files", () => {
    const machine = started().dialing().shardInfo();
    expect(machine.done).toEqual(["scan 1 first first", "tell 1 scanning"]);
    expect([machine.at, machine.word]).toEqual(["scanning", "scanning"]);
  });

  test("has the files made first, where there are none, and is incomplete from then on", () => {
    const machine = new Driven().start(false).dialing().shardInfo();
    expect(machine.done).toEqual(["makeFiles info"]);
    expect([machine.at, machine.word, machine.state.complete]).toEqual([
      "making",
      "scanning",
      null,
    ]);
    machine.take({ kind: "filesMade", error: null });
    expect(machine.done).toEqual(["scan 1 first first", "tell 1 scanning", "save"]);
    expect(machine.state.complete).toBe(false);
  });

  test("does not ask for the files twice when the connection is lost meanwhile", () => {
    const machine = new Driven().start(false).dialing().shardInfo().ended();
    expect(machine.done).toEqual(["tell 1 over"]);
    machine.wait(1_100).dialing().shardInfo();
    expect([machine.done, machine.at]).toEqual([[], "making"]);
    machine.take({ kind: "filesMade", error: null });
    expect(machine.done).toEqual(["scan 2 first first", "tell 2 scanning", "save"]);
  });

  test("keeps files that are made while nothing is connected", () => {
    const machine = new Driven().start(false).dialing().shardInfo().ended();
    machine.take({ kind: "filesMade", error: null });
    expect([machine.done, machine.state.complete]).toEqual([["save"], false]);
    machine.wait(1_100).dialing();
    expect(machine.shardInfo().done).toEqual(["scan 2 first first", "tell 2 scanning"]);
  });

  test("ends the shard when the files cannot be made", () => {
    const machine = new Driven().start(false).dialing().shardInfo();
    machine.take({ kind: "filesMade", error: DISK_ERROR });
    expect(machine.done).toEqual(["tell 1 over", "close 1", "end storage"]);
    expect(machine.word).toBe("failed");
  });

  test("is judged and synced when it is whole, never at CaughtUp", () => {
    const machine = started().scanning().caughtUp();
    expect([machine.done, machine.at, machine.word]).toEqual([[], "confirming", "scanning"]);
    machine.whole();
    expect(machine.done).toEqual(["judge 1", "sync 1"]);
    expect([machine.at, machine.word]).toEqual(["streaming", "live"]);
    expect(machine.judged().durable().done).toEqual(["save"]);
    expect(machine.state.complete).toBe(true);
  });

  test("is durable once, when what it wrote is, and not for a scan that never was", () => {
    const machine = started().streaming();
    const before = machine.state;
    expect(machine.take({ kind: "durable", link: 2 }).state).toBe(before);
    const after = machine.durable().state;
    expect(machine.durable().state).toBe(after);
  });

  test("is taken for whole only after its CaughtUp", () => {
    const machine = started().scanning();
    const before = machine.state;
    expect(machine.whole().state).toBe(before);
  });

  test("starts once", () => {
    const machine = started();
    const before = machine.state;
    machine.take({ kind: "start", hasFiles: false, saved: NOTHING_SAVED });
    expect(machine.state).toBe(before);
  });
});

describe("the stream's verdict", () => {
  test("is live at once on protocol 2", () => {
    expect(started().confirming().whole().word).toBe("live");
  });

  test("is live on protocol 1 at a heartbeat that nobody asked for, however soon it comes", () => {
    for (const atMs of [0, 800, 4_999, 5_000, 5_999]) {
      const machine = started({ protocol: 1 }).confirming();
      expect(machine.done).toEqual([]);
      machine.wait(atMs).heartbeat();
      expect([machine.done, machine.whole().judged().word]).toEqual([[], "live"]);
      expect(machine.wait(60_000).heartbeat().done).toEqual([]);
    }
  });

  test("is asked for with a probe when no heartbeat came for 6 s, and is not known before the answer", () => {
    const machine = started({ protocol: 1 }).confirming().wait(200).whole().judged();
    expect([machine.wait(5_799).done, machine.word]).not.toContain("probe 1");
    expect([machine.wait(1).done, machine.word]).toEqual([["probe 1"], "connecting"]);
    expect([machine.wait(60_000).done, machine.word]).toEqual([["probe 1"], "connecting"]);
  });

  test("is polling when a heartbeat comes behind the probe, which may be its echo, and live at a second one", () => {
    for (const afterMs of [0, 800, 8_000]) {
      const machine = started({ protocol: 1 })
        .confirming()
        .wait(6_000 + afterMs)
        .heartbeat();
      expect(machine.done).toEqual(["expect 1 false"]);
      expect(machine.whole().judged().word).toBe("polling");
      expect(machine.wait(60_000).word).toBe("polling");
      expect([machine.heartbeat().done, machine.word]).toEqual([["expect 1 true"], "live"]);
    }
  });

  test("is live at the first batch, which a heartbeat does not change any more", () => {
    for (const atMs of [0, 7_000]) {
      const machine = started({ protocol: 1 }).confirming().whole().judged().wait(atMs);
      expect(machine.batches(1, false, 3).word).toBe("live");
      expect(machine.heartbeat().word).toBe("live");
    }
  });

  test("turns from polling to live when a batch comes after all", () => {
    const machine = polling();
    expect(machine.batches(1, false, 3).done).toEqual(["expect 1 true"]);
    expect(machine.word).toBe("live");
  });

  test("is not asked for before what came while we were held up is read", () => {
    const machine = started({ protocol: 1 }).confirming().whole().judged();
    machine.nowMs += 20_400;
    machine.take({ kind: "heldUp", ms: 20_400 });
    const text = "held up for 20 s (stopped or starved)";
    expect(machine.reports.at(-1)).toEqual({ kind: "log", level: "warn", text, heldUpMs: 20_400 });
    expect(machine.done).toEqual([]);
    const read = machine.wait(999).heartbeat();
    expect([read.word, read.wait(60_000).done]).toEqual(["live", []]);
  });

  test("shows a new leader process where a lost stream is given again, and only when that is proved", () => {
    const machine = live(1).ended().wait(1_100).confirming().whole().judged();
    expect(machine.wait(6_000).done).toEqual(["probe 2"]);
    expect(machine.wait(800).heartbeat().done).toEqual(["expect 2 false"]);
    expect(machine.heartbeat().done).toEqual(["expect 2 true", "leaderRestarted"]);
    const quick = live(1).ended().wait(1_100).confirming().heartbeat();
    expect(quick.done).toEqual(["leaderRestarted"]);
    const second = live(2).ended().wait(1_100).confirming();
    expect(second.done).toEqual([]);
  });
});
