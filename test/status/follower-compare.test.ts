// A comparison over all shards of a running follower: rounds, pauses, shards that cannot be compared, giving up, and the
// document, which the asking side must understand.

import { describe, expect, test } from "bun:test";
import { packMeta, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { ArmdbError } from "../../src/errors.ts";
import {
  type CompareEvent,
  type ComparedScan,
  MENDED,
} from "../../src/replica/compare/compare-types.ts";
import { readCompareOrder } from "../../src/status/compare-order.ts";
import { type CompareRow, FollowerCompareRun } from "../../src/status/follower-compare.ts";
import { ManualClock } from "../support/manual-clock.ts";

const word = (version: number) => packMeta(STATUS_OCCUPIED, version);

function scanOf(slots: readonly number[], flags: number): ComparedScan {
  return {
    slots: Uint32Array.from(slots),
    here: Uint32Array.from(slots, () => word(flags === MENDED ? 1 : 3)),
    there: Uint32Array.from(slots, () => word(2)),
    flags: Uint8Array.from(slots, () => flags),
    compared: 100,
    notKept: 0,
    inFlightMax: 0,
  };
}

/** Shards that answer what the test says, when it says. */
class Stage {
  readonly clock = new ManualClock();
  readonly asked: number[] = [];
  readonly receivers = new Map<number, (event: CompareEvent) => void>();
  readonly givenUp: number[] = [];
  readonly progress: (readonly CompareRow[])[] = [];
  /** Shards that fail as soon as they are asked. */
  readonly failsAtOnce = new Set<number>();
  document: Record<string, unknown> | null = null;
  readonly run: FollowerCompareRun;

  constructor(shards: readonly number[], rounds = 2, waitMs = 2000) {
    this.run = new FollowerCompareRun({
      supervisor: {
        compare: (shard, _differencesMax, received) => {
          this.asked.push(shard);
          this.receivers.set(shard, received);
          if (this.failsAtOnce.has(shard)) received({ kind: "failed", reason: "not now" });
          return () => void this.givenUp.push(shard);
        },
      },
      clock: this.clock,
      order: { rounds, waitMs, shards },
      progress: (rows) => void this.progress.push(rows),
      done: (done) => {
        this.document = JSON.parse([...done.document()].join("")) as Record<string, unknown>;
      },
    });
  }

  answer(shard: number, scan: ComparedScan): void {
    this.receivers.get(shard)?.({ kind: "compared", scan });
  }

  fail(shard: number, reason: string): void {
    this.receivers.get(shard)?.({ kind: "failed", reason });
  }
}

describe("a comparison by the follower", () => {
  test("says at once how far it is, then every 5 s, in rounds and between them", () => {
    const stage = new Stage([0], 2, 12_000);
    stage.run.start();
    expect(stage.progress).toEqual([[{ shard: 0, round: 1, done: 0, total: 0 }]]);
    stage.clock.advance(10_000);
    expect(stage.progress).toHaveLength(3);
    stage.answer(0, scanOf([1], 0));
    expect(stage.progress).toHaveLength(4);
    stage.clock.advance(11_000);
    expect(stage.progress).toHaveLength(6);
    stage.clock.advance(1_000);
    stage.answer(0, scanOf([], 0));
    stage.clock.settle();
    expect([stage.document?.["verdict"], stage.clock.pendingTimers]).toEqual(["same", 0]);
  });

  test("asks all shards at once, and ends when nothing differs", () => {
    const stage = new Stage([0, 1, 2]);
    stage.run.start();
    expect(stage.asked).toEqual([0, 1, 2]);
    for (const shard of [2, 0, 1]) stage.answer(shard, scanOf([], 0));
    stage.clock.settle();
    expect(stage.document).toMatchObject({
      schema: 1,
      command: "compare",
      verdict: "same",
      healed: false,
      shards: [0, 1, 2].map((shard) => ({ shard, compared: 100, whole: true, differs: 0 })),
      differences: [],
    });
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("what was mended is told as healed, without another round", () => {
    const stage = new Stage([0, 1]);
    stage.run.start();
    stage.answer(0, scanOf([5, 9], MENDED));
    stage.answer(1, scanOf([], 0));
    stage.clock.settle();
    expect(stage.asked).toEqual([0, 1]);
    expect(stage.document).toMatchObject({ verdict: "differs", healed: true });
    expect(stage.document?.["differences"]).toEqual(
      [5, 9].map((slot) => ({
        shard: 0,
        slot,
        kind: "older",
        here: { status: "occupied", version: 1 },
        there: { status: "occupied", version: 2 },
        healed: true,
      })),
    );
  });

  test("looks again, after the pause, only at shards in which something stands", () => {
    const stage = new Stage([0, 1, 2]);
    stage.run.start();
    stage.answer(0, scanOf([5], MENDED));
    stage.answer(1, scanOf([7], 0));
    stage.answer(2, scanOf([], 0));
    stage.clock.advance(1_999);
    expect(stage.asked).toEqual([0, 1, 2]);
    stage.clock.advance(1);
    expect(stage.asked).toEqual([0, 1, 2, 1]);
    stage.answer(1, scanOf([7], 0));
    stage.clock.settle();
    expect(stage.document).toMatchObject({ verdict: "differs", healed: false });
    expect(stage.document?.["shards"]).toMatchObject([
      { shard: 0, differs: 1, healed: 1 },
      { shard: 1, differs: 1, healed: 0 },
      { shard: 2, differs: 0 },
    ]);
  });

  test("one round is one look", () => {
    const stage = new Stage([0], 1);
    stage.run.start();
    stage.answer(0, scanOf([7], 0));
    stage.clock.settle();
    expect(stage.document).toMatchObject({ verdict: "differs" });
    expect(stage.asked).toEqual([0]);
  });

  test("a shard that cannot be compared is unknown with its reason, and never the same", () => {
    const stage = new Stage([0, 1]);
    stage.failsAtOnce.add(0);
    stage.run.start();
    expect(stage.document).toBeNull();
    stage.answer(1, scanOf([], 0));
    stage.clock.settle();
    expect(stage.document).toMatchObject({ verdict: "unknown" });
    expect(stage.document?.["shards"]).toMatchObject([
      { shard: 0, reason: "not now" },
      { shard: 1 },
    ]);
  });

  test("differences go before what is unknown", () => {
    const stage = new Stage([0, 1], 1);
    stage.run.start();
    stage.answer(0, scanOf([7], 0));
    stage.fail(1, "the scan broke off");
    stage.clock.settle();
    expect(stage.document).toMatchObject({ verdict: "differs" });
  });

  test("every shard failing at once is an end too", () => {
    const stage = new Stage([0, 1]);
    stage.failsAtOnce.add(0).add(1);
    stage.run.start();
    stage.clock.settle();
    expect(stage.document).toMatchObject({ verdict: "unknown" });
  });

  test("shows progress of all shards in the form that the asking side reads", () => {
    const stage = new Stage([3, 4]);
    stage.run.start();
    stage.receivers.get(4)?.({ kind: "progress", done: 40, total: 100 });
    expect(stage.progress.at(-1)).toEqual([
      { shard: 3, round: 1, done: 0, total: 0 },
      { shard: 4, round: 1, done: 40, total: 100 },
    ]);
  });

  test("given up, it gives up its shards and says no more", () => {
    const stage = new Stage([0, 1]);
    stage.run.start();
    stage.answer(0, scanOf([7], 0));
    stage.run.stop();
    stage.answer(1, scanOf([7], 0));
    stage.clock.advance(60_000);
    expect([stage.givenUp, stage.document, stage.clock.pendingTimers]).toEqual([[1], null, 0]);
  });

  test("a document of many differences comes in pieces that make one line", () => {
    const stage = new Stage([0], 1);
    stage.run.start();
    stage.answer(
      0,
      scanOf(
        Array.from({ length: 2_500 }, (_, slot) => slot),
        MENDED,
      ),
    );
    stage.clock.settle();
    expect(stage.document?.["differences"]).toHaveLength(2_500);
    const pieces = [...stage.run.document()];
    expect(pieces.length).toBe(5);
    expect(pieces.join("").indexOf("\n")).toBe(pieces.join("").length - 1);
  });
});

describe("the request to compare", () => {
  const follower = { leader: "10.0.0.5:7400", shardCount: 4 };
  const good = { leader: "10.0.0.5:7400", rounds: 2, waitMs: 2000, shard: null };

  test("means all shards, or one", () => {
    expect(readCompareOrder(good, follower).shards).toEqual([0, 1, 2, 3]);
    expect(readCompareOrder({ ...good, shard: 3 }, follower)).toEqual({
      rounds: 2,
      waitMs: 2000,
      shards: [3],
    });
  });

  const refused: [string, Record<string, unknown>, string][] = [
    ["another leader", { leader: "10.0.0.6:7400" }, "follows 10.0.0.5:7400, not 10.0.0.6:7400"],
    ["no leader", { leader: 7 }, "leader is no HOST:PORT"],
    ["no rounds", { rounds: 0 }, "rounds"],
    ["rounds without end", { rounds: 1e9 }, "rounds"],
    ["a fraction of a round", { rounds: 1.5 }, "rounds"],
    ["a negative pause", { waitMs: -1 }, "waitMs"],
    ["a shard that is not there", { shard: 4 }, "no such shard"],
    ["a shard that is no number", { shard: "0" }, "no such shard"],
  ];
  for (const [name, changes, message] of refused) {
    test(`is refused with ${name}`, () => {
      const read = () => readCompareOrder({ ...good, ...changes }, follower);
      expect(read).toThrow(message);
      expect(read).toThrow(ArmdbError);
    });
  }

  test("names a leader of IPv6 as the follower does", () => {
    const six = { leader: "[::1]:7400", shardCount: 1 };
    expect(readCompareOrder({ ...good, leader: "[::1]:7400" }, six).shards).toEqual([0]);
  });
});
