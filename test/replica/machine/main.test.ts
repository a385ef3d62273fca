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

  test("is asked for with a probe on protocol 1, and live when no echo came for 3 s", () => {
    const machine = started({ protocol: 1 }).scanning().caughtUp();
    expect(machine.done).toEqual(["probe 1"]);
    machine.wait(200).whole().judged();
    expect(machine.word).toBe("connecting");
    expect(machine.wait(2_799).word).toBe("connecting");
    expect(machine.wait(1).word).toBe("live");
  });

  test("is polling when a heartbeat came before the first live batch and within 4.5 s", () => {
    for (const atMs of [0, 800, 2_999, 3_000, 4_499]) {
      const machine = started({ protocol: 1 }).confirming().wait(atMs).heartbeat();
      expect(machine.done).toEqual(["expect 1 false"]);
      expect(machine.whole().judged().word).toBe("polling");
      expect(machine.wait(10_000).heartbeat().word).toBe("polling");
    }
  });

  test("is live at a heartbeat that comes later than an echo", () => {
    const machine = started({ protocol: 1 }).confirming().wait(4_500).heartbeat().whole().judged();
    expect([machine.word, machine.wait(10_000).heartbeat().word]).toEqual(["live", "live"]);
  });

  test("is live at the first batch, which an early heartbeat does not change any more", () => {
    const machine = started({ protocol: 1 }).confirming().whole().judged().batches(1, false, 3);
    expect(machine.word).toBe("live");
    expect(machine.heartbeat().word).toBe("live");
  });

  test("turns from polling to live when a batch comes after all", () => {
    const machine = polling();
    expect(machine.batches(1, false, 3).done).toEqual(["expect 1 true"]);
    expect(machine.word).toBe("live");
  });

  test("gives the echo 3 s more after we were held up ourselves", () => {
    const machine = started({ protocol: 1 }).confirming().wait(2_000);
    machine.take({ kind: "heldUp", ms: 20_400 });
    const text = "held up for 20 s (stopped or starved)";
    expect(machine.reports.at(-1)).toEqual({ kind: "log", level: "warn", text, heldUpMs: 20_400 });
    machine.whole().judged().wait(2_999);
    expect([machine.word, machine.wait(1).word]).toEqual(["connecting", "live"]);
  });

  test("shows a new leader process where a lost stream is given again", () => {
    const machine = live(1).ended().wait(1_100).confirming().whole().judged();
    expect(machine.wait(2_999).done).not.toContain("leaderRestarted");
    expect(machine.wait(1).done).toEqual(["leaderRestarted"]);
    expect(machine.wait(1_000).heartbeat().done).toEqual(["expect 2 false"]);
    expect(machine.batches(1, false, 3).done).toEqual(["expect 2 true"]);
    const without = live(1).ended().wait(1_100).confirming().heartbeat();
    expect(without.done).toEqual(["expect 2 false"]);
    const second = live(2).ended().wait(1_100).confirming();
    expect(second.done).toEqual([]);
  });
});
