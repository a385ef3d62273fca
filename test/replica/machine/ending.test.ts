// The end of a shard: stopped, broken, or both at once. Whatever the order, nothing begins any more and `end` is said
// once.

import { describe, expect, test } from "bun:test";
import { DISK_ERROR, Driven, live, started } from "./driven.ts";

const stop = (machine: Driven) => machine.take({ kind: "stop" });
const closed = (machine: Driven) => machine.take({ kind: "filesClosed", error: null });
const made = (machine: Driven) => machine.take({ kind: "filesMade", error: null });
const broken = (machine: Driven) => machine.take({ kind: "diskFailed", error: DISK_ERROR });

describe("a stop", () => {
  test("drops or closes what there is, closes the files, and ends when they are", () => {
    const stages: readonly (readonly [string[], Driven])[] = [
      [["drop 1"], started()],
      [["tell 1 over", "close 1"], started().granted()],
      [["close 1"], started().scanning()],
      [["close 1"], live(2)],
      [["drop 2", "close 1"], live(1).take({ kind: "rescan" })],
      [[], started().granted().ended()],
    ];
    for (const [actions, machine] of stages) {
      expect(stop(machine).done.toSorted()).toEqual([...actions, "closeFiles"].toSorted());
      expect(machine.word).toBe("stopped");
      const before = machine.state;
      expect(stop(machine).state).toBe(before);
      expect(closed(machine).done).toEqual(["end null"]);
    }
  });

  test("ends at once where there are no files", () => {
    expect(stop(new Driven()).done).toEqual(["end null"]);
    expect(stop(new Driven().start(false)).done).toEqual(["drop 1", "end null"]);
  });

  test("waits for files that are being made, and closes them", () => {
    const machine = stop(new Driven().start(false).dialing().shardInfo());
    expect(machine.done).toEqual(["tell 1 over", "close 1"]);
    expect(made(machine).done).toEqual(["closeFiles", "save"]);
    expect([closed(machine).done, machine.state.complete]).toEqual([["end null"], false]);
  });

  test("says what went wrong while the files were made or closed", () => {
    const making = stop(new Driven().start(false).dialing().shardInfo());
    making.take({ kind: "filesMade", error: DISK_ERROR });
    expect([making.done, making.word]).toEqual([["end storage"], "failed"]);
    const closing = stop(live(2)).take({ kind: "filesClosed", error: DISK_ERROR });
    expect([closing.done, closing.word]).toEqual([["end storage"], "failed"]);
  });

  test("still hears what is durable, and what differs", () => {
    const machine = stop(started().streaming(0, 0));
    expect(machine.durable().done).toEqual(["save"]);
    expect(machine.state.complete).toBe(true);
    const differs = stop(started().confirming().whole());
    expect(differs.judged(0, 7).done).toEqual(["save"]);
    expect(differs.state.diverged).toBe(7);
  });

  test("is the last: nothing that comes later changes anything", () => {
    const machine = closed(stop(live(2)));
    const before = machine.state;
    closed(broken(stop(machine.start().granted().durable())));
    machine.take({ kind: "struck", diverged: 0 }).take({ kind: "rescan" }).wait(1e9);
    expect([machine.state, machine.done]).toEqual([before, []]);
    expect(machine.state).toBe(before);
  });
});

describe("a disk that fails", () => {
  test("abandons the files, and ends with the error", () => {
    const machine = broken(live(2));
    expect(machine.done).toEqual(["close 1", "abandonFiles"]);
    expect([machine.word, closed(machine).done]).toEqual(["failed", ["end storage"]]);
  });

  test("is told of a stop that is under way, too", () => {
    const machine = broken(stop(live(2)));
    expect([machine.done, closed(machine).done]).toEqual([[], ["end storage"]]);
    const making = broken(new Driven().start(false).dialing().shardInfo());
    expect([making.done, made(making).done]).toEqual([
      ["tell 1 over", "close 1"],
      ["abandonFiles", "save"],
    ]);
    const both = broken(stop(new Driven().start(false).dialing().shardInfo()));
    expect(made(both).done).toEqual(["abandonFiles", "save"]);
  });

  test("keeps its first error", () => {
    const machine = broken(live(2));
    machine.take({ kind: "diskFailed", error: { code: "no-space", message: "ENOSPC" } });
    expect(closed(machine).done).toEqual(["end storage"]);
  });
});
