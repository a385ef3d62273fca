// What of a shard's scans counts as a difference, over the rounds of a comparison by the running follower.

import { describe, expect, test } from "bun:test";
import { DifferenceBudget } from "../../src/audit/compare/differences.ts";
import {
  packMeta,
  STATUS_DELETED,
  STATUS_INVALID,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { type ComparedScan, MENDED } from "../../src/replica/compare/compare-types.ts";
import { ComparedShardRounds } from "../../src/status/compared-shard.ts";

const occupied = (version: number) => packMeta(STATUS_OCCUPIED, version);
const deleted = (version: number) => packMeta(STATUS_DELETED, version);
const damaged = (version: number) => packMeta(STATUS_INVALID, version);

type Row = readonly [slot: number, here: number, there: number, flags: number];

function scanOf(rows: readonly Row[], changes: Partial<ComparedScan> = {}): ComparedScan {
  return {
    slots: Uint32Array.from(rows, ([slot]) => slot),
    here: Uint32Array.from(rows, ([, here]) => here),
    there: Uint32Array.from(rows, ([, , there]) => there),
    flags: Uint8Array.from(rows, ([, , , flags]) => flags),
    compared: 1000,
    notKept: 0,
    inFlightMax: 0,
    ...changes,
  };
}

function shardWith(...scans: readonly ComparedScan[]): ComparedShardRounds {
  const shard = new ComparedShardRounds(0, new DifferenceBudget());
  scans.forEach((scan, index) => shard.add(scan, index + 1));
  return shard;
}

const kinds = (shard: ComparedShardRounds) =>
  shard.differences().map(({ slot, kind }) => [slot, kind]);

describe("a compared shard", () => {
  test("names each kind, said of what was here before the scan", () => {
    const shard = shardWith(
      scanOf([
        [0, 0, occupied(3), MENDED],
        [1, occupied(2), occupied(3), MENDED],
        [2, occupied(4), occupied(3), 0],
        [3, occupied(3), occupied(3), MENDED],
        [4, deleted(3), occupied(3), MENDED],
        [5, occupied(3), 0, 0],
        [6, damaged(3), occupied(3), MENDED],
        [7, damaged(3), 0, MENDED],
        [8, occupied(2), deleted(3), MENDED],
      ]),
    );
    expect(kinds(shard)).toEqual([
      [0, "missing"],
      [1, "older"],
      [2, "newer"],
      [3, "value"],
      [4, "status"],
      [5, "extra"],
      [6, "missing"],
      [7, "status"],
      [8, "older"],
    ]);
    expect([shard.compared, shard.differs, shard.healed]).toEqual([1000, 9, 7]);
    expect([shard.isHealed(0), shard.isHealed(2)]).toEqual([true, false]);
  });

  test("drops what is no difference after all", () => {
    const shard = shardWith(
      scanOf([
        [0, deleted(3), deleted(3), 0],
        [1, deleted(3), packMeta(0, 9), 0],
      ]),
    );
    expect(shard.differs).toBe(0);
  });

  test("keeps what the first round mended, and asks for no more rounds for it", () => {
    const shard = shardWith(scanOf([[1, occupied(2), occupied(3), MENDED]]), scanOf([]));
    expect([kinds(shard), shard.isOpen]).toEqual([[[1, "older"]], false]);
  });

  test("what stands still is looked at again and counts when it is still so", () => {
    const row: Row = [2, occupied(4), occupied(3), 0];
    const once = shardWith(scanOf([row]));
    expect([once.isOpen, once.differs]).toEqual([true, 1]);
    const twice = shardWith(scanOf([row]), scanOf([row]));
    expect(kinds(twice)).toEqual([[2, "newer"]]);
  });

  test("what differed once and does not any more is no difference", () => {
    expect(shardWith(scanOf([[2, occupied(4), occupied(3), 0]]), scanOf([])).differs).toBe(0);
  });

  test("what differs only in the second round has not been looked at twice", () => {
    const shard = shardWith(
      scanOf([[2, occupied(4), occupied(3), 0]]),
      scanOf([[3, occupied(4), occupied(3), 0]]),
    );
    expect(shard.differs).toBe(0);
  });

  test("a slot that both sides have written in between was in flight", () => {
    const shard = shardWith(
      scanOf([[2, occupied(4), occupied(3), 0]]),
      scanOf([[2, occupied(6), occupied(5), 0]]),
    );
    expect(shard.differs).toBe(0);
  });

  test("after a stream that was opened again, newer slots within the leader's pace are rescanned, not lost", () => {
    const rows: Row[] = [
      [0, 0, occupied(1), MENDED],
      [1, occupied(2), occupied(3), MENDED],
      [2, damaged(2), occupied(2), MENDED],
      [3, occupied(9), occupied(8), 0],
    ];
    const shard = shardWith(scanOf(rows, { inFlightMax: 2 }));
    expect(kinds(shard)).toEqual([
      [2, "missing"],
      [3, "newer"],
    ]);
    expect(shard.rescanned).toBe(2);
  });

  test("more newer slots than the leader can have written are told, all of them", () => {
    const rows = Array.from({ length: 5 }, (_, slot): Row => [slot, 0, occupied(1), MENDED]);
    const shard = shardWith(scanOf(rows, { inFlightMax: 4 }));
    expect([shard.differs, shard.rescanned]).toEqual([5, 0]);
  });

  test("keeps no more than its budget, and counts the rest", () => {
    const rows = Array.from({ length: 10 }, (_, slot): Row => [slot, 0, occupied(1), MENDED]);
    const shard = new ComparedShardRounds(0, new DifferenceBudget(6));
    shard.add(scanOf(rows, { notKept: 3 }), 1);
    expect([shard.differences().length, shard.differs, shard.isTruncated]).toEqual([6, 13, true]);
  });

  test("gives the places of what stood still back for the next round", () => {
    const rows = Array.from({ length: 6 }, (_, slot): Row => [slot, occupied(4), occupied(3), 0]);
    const shard = new ComparedShardRounds(0, new DifferenceBudget(6));
    for (let round = 1; round <= 4; round++) shard.add(scanOf(rows), round);
    expect([shard.differs, shard.isTruncated]).toEqual([6, false]);
  });
});
