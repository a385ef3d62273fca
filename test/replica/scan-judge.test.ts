// What a whole scan is judged to have shown: slots that differ for the first time, those that differ again, those that are cleared.

import { describe, expect, test } from "bun:test";
import { packMeta, slotLayout } from "../../src/format/slot.ts";
import type { AppliedBatch } from "../../src/replica/apply/batch-applier.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { ScanJudge } from "../../src/replica/apply/scan-judge.ts";
import { distrusted } from "../../src/store/slot-table.ts";
import { batchPayload } from "../support/applier-batches.ts";

const SHARD = 1;
const LAYOUT = slotLayout(4, 3);
const SLOTS = 40;

type Record = readonly [slot: number, version: number];

const occupied = (version: number) => packMeta(1, version);

/** A judge over a table of SLOTS records of version 5. */
class Stage {
  readonly applier = new PlainApplier(SHARD, LAYOUT, SLOTS);
  readonly judge = new ScanJudge(this.applier);
  readonly cleared: number[] = [];

  constructor() {
    this.#apply(
      Array.from({ length: SLOTS }, (_, slot) => [slot, 5] as const),
      "live",
    );
  }

  #apply(records: readonly Record[], purpose: "live" | "compare"): Uint8Array {
    const rows = records.map(([slot, version]) => ({
      slot,
      word: occupied(version),
      key: "key!",
      value: "old",
    }));
    const payload = batchPayload(SHARD, LAYOUT, 1, rows);
    const outcome = this.applier.apply(payload, { protocol: 1, purpose, resetsSaved: true });
    this.#differences = (outcome as AppliedBatch).differences;
    return payload;
  }

  #differences: Uint32Array = new Uint32Array(0);

  /** A scan that shows all slots at version 5 but these; null: not at all. Returns how many are suspects. */
  scan(link: number, others: ReadonlyMap<number, number | null>): number {
    this.judge.begin(link);
    const records = Array.from(
      { length: SLOTS },
      (_, slot) => [slot, others.has(slot) ? others.get(slot) : 5] as const,
    );
    const sent = records.filter((record): record is Record => typeof record[1] === "number");
    this.#apply(sent, "compare");
    this.judge.note(link, this.#differences);
    return this.judge.finish(link, (slot) => void this.cleared.push(slot));
  }

  live(...records: readonly Record[]): boolean {
    return this.judge.overwrote(this.#apply(records, "live"), LAYOUT, 1);
  }
}

describe("a judge of scans", () => {
  test("calls a slot diverged that two scans in a row show, in order of the slots", () => {
    const stage = new Stage();
    const others = new Map([
      [30, 4],
      [2, null],
      [7, 4],
    ]);
    expect([stage.scan(1, others), stage.judge.divergedCount]).toEqual([3, 0]);
    others.set(35, null);
    expect([stage.scan(2, others), stage.judge.divergedCount]).toEqual([1, 3]);
    const here = occupied(5);
    expect(stage.judge.listed(10)).toEqual([
      { slot: 2, kind: "missing", here, there: null },
      { slot: 7, kind: "older", here, there: occupied(4) },
      { slot: 30, kind: "older", here, there: occupied(4) },
    ]);
    expect(stage.judge.listed(1)).toHaveLength(1);
    expect([stage.scan(3, new Map()), stage.judge.divergedCount]).toEqual([0, 0]);
  });

  test("what a scan takes is no difference, and what cannot be trusted is cleared where the leader has nothing", () => {
    const stage = new Stage();
    stage.applier.setSlot(3, distrusted(occupied(5)), 0);
    stage.applier.setSlot(4, distrusted(occupied(5)), 0);
    const others = new Map([
      [3, null],
      [9, 6],
    ]);
    expect([stage.scan(1, others), stage.cleared]).toEqual([0, [3]]);
    expect(stage.applier.word(4)).toBe(occupied(5));
  });

  test("a newer event strikes a diverged slot off, an older one does not", () => {
    const stage = new Stage();
    const others = new Map([
      [7, 4],
      [8, 4],
    ]);
    for (const link of [1, 2]) stage.scan(link, others);
    expect(stage.live([7, 4], [20, 6])).toBe(false);
    expect(stage.live([7, 6])).toBe(true);
    expect(stage.judge.divergedSlots).toEqual([8]);
    stage.judge.distrust([8]);
    expect([stage.scan(3, others), stage.applier.word(8)]).toEqual([1, occupied(4)]);
  });

  test("what an earlier run listed is confirmed by one scan; what is past its list stays in the count until then", () => {
    const stage = new Stage();
    const listed = [9, 4].map((slot) => {
      return { slot, kind: "older", here: occupied(5), there: occupied(4) } as const;
    });
    stage.judge.remember(listed, 10);
    expect([stage.judge.divergedCount, stage.judge.divergedSlots]).toEqual([10, [4, 9]]);
    expect([stage.live([9, 6]), stage.judge.divergedCount]).toEqual([true, 9]);
    const others = new Map([
      [4, 4],
      [9, 6],
      [11, 4],
    ]);
    expect([stage.scan(1, others), stage.judge.divergedSlots]).toEqual([1, [4]]);
    // The other one that differs may be any of the eight that were not listed: it is not struck off.
    expect(stage.judge.divergedCount).toBe(2);
    others.set(12, 4);
    // By now each is known by its slot, and what differs for the first time waits for another scan.
    expect([stage.scan(2, others), stage.judge.divergedCount]).toEqual([1, 2]);
    expect([stage.scan(3, new Map([[9, 6]])), stage.judge.divergedCount]).toEqual([0, 0]);
  });

  test("two scans are never judged as one", () => {
    const stage = new Stage();
    stage.judge.begin(1);
    stage.judge.begin(2);
    expect(() => stage.judge.note(1, new Uint32Array(0))).toThrow("one scan is judged at a time");
    expect(() => stage.judge.finish(1, () => {})).toThrow("one scan is judged at a time");
  });
});
