// The connection beside a protocol 1 stream: when it starts, that it stays open for the echo, and that its failures
// stay its own.

import { describe, expect, test } from "bun:test";
import { type Driven, live, polling, started, STALLED } from "./driven.ts";

const asked = (machine: Driven) => machine.take({ kind: "rescan" });

describe("a scan beside the stream", () => {
  test("goes from the request to the judgement, and closes when it is whole", () => {
    const machine = asked(live(1));
    expect(machine.done).toEqual(["ask 2 1"]);
    expect(machine.granted(2).done).toEqual(["dial 2 beside 1"]);
    expect(machine.opened(2).done).toEqual(["tell 2 accepted"]);
    expect(machine.shardInfo(2).done).toEqual(["scan 2 beside asked", "tell 2 scanning"]);
    expect(machine.caughtUp(2).done).toEqual(["probe 2"]);
    expect(machine.heartbeat(2).done).toEqual([]);
    expect(machine.whole(2).done).toEqual(["judge 2", "sync 2", "close 2"]);
    expect([machine.judged().state.owed, machine.word]).toEqual([null, "live"]);
    expect(machine.state.counts).toEqual({ connections: 2, reconnects: 0, scans: 2 });
  });

  test("is a rescan where there is no stream", () => {
    const machine = asked(polling());
    machine.granted(2).opened(2);
    expect(machine.shardInfo(2).done).toEqual(["scan 2 rescan asked", "tell 2 scanning"]);
  });

  test("waits for a main connection that is past its own scan, and for its judgement", () => {
    const machine = asked(started({ protocol: 1 }).confirming());
    expect([machine.done, machine.state.beside.at]).toEqual([[], "none"]);
    expect(machine.whole().state.beside.at).toBe("none");
    expect(machine.judged().done).toEqual(["ask 2 1"]);
  });

  test("is one at a time: a loss that is noticed meanwhile is scanned for afterwards", () => {
    const machine = asked(live(1)).granted(2).opened(2).shardInfo(2);
    machine.batches(32).heartbeat().wait(60_000).caughtUp(2).whole(2);
    expect(machine.state.owed?.why).toBe("loss");
    expect(machine.judged().done).toEqual(["ask 3 1"]);
    expect(machine.besideScan().state.owed).toBe(null);
  });

  test("is tried again with pauses of its own, which touch nothing of the main one", () => {
    const machine = asked(live(1));
    for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      machine.granted(machine.beside).ended(STALLED, machine.beside);
      expect([machine.word, machine.wait(pauseMs - 1).state.beside.at]).toEqual([
        "live",
        "resting",
      ]);
      expect(machine.wait(1).state.beside.at).toBe("asking");
    }
    expect(machine.state.pauses.main.delayMs).toBe(1_000);
    expect(machine.state.counts.reconnects).toBe(0);
    machine.besideScan();
    expect(machine.state.pauses.beside.delayMs).toBe(1_000);
  });

  test("says why it failed, and owes no more than before where it had not begun", () => {
    const machine = asked(live(1)).granted(2).error("invalid shard_id", 2);
    const text = "scan beside the stream: the leader has no such shard";
    expect(machine.reports.at(-1)).toEqual({
      kind: "log",
      level: "warn",
      text,
      reasonOf: "beside",
    });
    expect(machine.state.owed?.why).toBe("asked");
  });

  test("owes what was cut when it broke off", () => {
    const machine = asked(live(1)).granted(2).opened(2).shardInfo(2);
    const since = machine.state.owed?.since ?? 0;
    machine.ended(STALLED, 2);
    expect(machine.state.owed?.why).toBe("cut");
    expect(machine.state.owed?.since).toBeGreaterThan(since);
  });

  test("says where it waits for the budget", () => {
    const machine = asked(live(1));
    machine.take({ kind: "held", request: 2, untilMs: 99, limit: 8 });
    expect(machine.word).toBe("live");
    expect(machine.granted(2).done).toEqual(["dial 2 beside 1"]);
  });

  test("is given up when the main connection ends, in whatever it is; the debt stays", () => {
    const stages: readonly (readonly [string[], (machine: Driven) => unknown])[] = [
      [["drop 2"], () => null],
      [["tell 2 over", "close 2"], (machine) => machine.granted(2)],
      [["close 2"], (machine) => machine.granted(2).opened(2).shardInfo(2)],
      [["close 2"], (machine) => machine.granted(2).shardInfo(2).caughtUp(2)],
      [[], (machine) => machine.granted(2).ended(STALLED, 2)],
    ];
    for (const [actions, reach] of stages) {
      const machine = asked(live(1));
      reach(machine);
      expect(machine.ended().done).toEqual(actions);
      expect([machine.state.beside.at, machine.state.owed === null]).toEqual(["none", false]);
      const before = machine.state;
      expect(machine.granted(2).opened(2).whole(2).ended(STALLED, 2).state).toBe(before);
    }
  });

  test("is refused where it is another database, without an end of the shard", () => {
    const machine = asked(live(1)).granted(2).opened(2);
    machine.shardInfo(2, { code: "incompatible", message: "key length is 8 here and 4 there" });
    expect(machine.done).toEqual(["tell 2 over", "close 2"]);
    expect([machine.word, machine.state.beside.at]).toEqual(["live", "resting"]);
  });
});
