// What a comparison makes of one scan: each difference once, with what was here before, and without what was merely on its way.

import { describe, expect, test } from "bun:test";
import { packMeta, slotLayout } from "../../src/format/slot.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { SlotColumns } from "../../src/replica/apply/slot-columns.ts";
import { MENDED } from "../../src/replica/compare/compare-types.ts";
import { RecordedScan } from "../../src/replica/compare/recorded-scan.ts";
import { distrusted } from "../../src/store/slot-table.ts";
import { batchPayload } from "../support/applier-batches.ts";

const SHARD = 1;
const LAYOUT = slotLayout(4, 3);
const SLOTS = 20;

type Event = readonly [slot: number, word: number];

const occupied = (version: number) => packMeta(1, version);
const deleted = (version: number) => packMeta(2, version);

/** A scan over a table of records of version 5 in slots 0 to 9. */
class Stage {
  readonly applier = new PlainApplier(SHARD, LAYOUT, SLOTS);
  readonly spoilt = new SlotColumns();
  readonly scan: RecordedScan;

  constructor(differencesMax = 100) {
    this.scan = new RecordedScan(this.applier, this.spoilt, differencesMax);
    this.#apply(Array.from({ length: 10 }, (_, slot) => [slot, occupied(5)] as const));
    this.applier.beginScan();
  }

  #apply(events: readonly Event[], purpose: "live" | "compare" = "live") {
    const rows = events.map(([slot, word]) => ({ slot, word, key: "key!", value: "old" }));
    const payload = batchPayload(SHARD, LAYOUT, 2, rows);
    const outcome = this.applier.apply(payload, { protocol: 2, purpose, resetsSaved: true });
    if (outcome.kind !== "applied") throw new Error(outcome.kind);
    return { payload, differences: outcome.differences };
  }

  /** The scan's batch, and all that follows it: slots of version 5 but these. */
  sends(events: readonly Event[], atMs = 0): void {
    this.scan.add(this.#apply(events, "compare").differences, atMs);
  }

  sendsRest(...but: readonly number[]): void {
    const slots = Array.from({ length: 10 }, (_, slot) => slot);
    const rest = slots.filter((slot) => !but.includes(slot) && !this.applier.isSeen(slot));
    this.sends(rest.map((slot) => [slot, occupied(5)]));
  }

  streams(events: readonly Event[], sinceMs = 0): void {
    this.scan.explain(this.#apply(events).payload, LAYOUT, 2, sinceMs);
  }

  /** Bytes on disk that are not what the table says, as the pass over the file leaves them. */
  spoils(slot: number, word: number): void {
    this.spoilt.add(slot, word, 0, 0);
    this.applier.setSlot(slot, distrusted(this.applier.word(slot)), 0);
  }

  found(): number[][] {
    this.scan.finish(0);
    const { slots, here, there, flags } = this.scan.result(SLOTS, 0);
    return [...slots].map((slot, index) => [
      ...[slot, here[index] as number, there[index] as number, flags[index] as number],
    ]);
  }
}

describe("a recorded scan", () => {
  test("tells what was here, what came and whether that was taken, in order of the slots", () => {
    const stage = new Stage();
    stage.sends([
      [1, occupied(6)],
      [2, occupied(4)],
      [4, deleted(7)],
    ]);
    stage.sendsRest(3);
    stage.sends([[12, occupied(1)]]);
    expect(stage.found()).toEqual([
      [1, occupied(5), occupied(6), MENDED],
      [2, occupied(5), occupied(4), 0],
      [3, occupied(5), 0, 0],
      [4, occupied(5), deleted(7), MENDED],
      [12, 0, occupied(1), MENDED],
    ]);
  });

  test("slots without a record on either side are none, unless both are deleted", () => {
    const stage = new Stage();
    stage.applier.setSlot(14, deleted(2), 0);
    stage.sendsRest();
    stage.sends([
      [13, deleted(1)],
      [14, deleted(3)],
    ]);
    expect(stage.found()).toEqual([[14, deleted(2), deleted(3), MENDED]]);
  });

  test("what the stream brought since the scan began is newer than what the scan has read", () => {
    const stage = new Stage();
    stage.streams([[2, occupied(8)]]);
    stage.sends([[2, occupied(5)]]);
    stage.sendsRest();
    expect(stage.found()).toEqual([]);
  });

  test("what the stream brings soon after was on its way; what it brings later was lost before", () => {
    const stage = new Stage();
    stage.sends([[1, occupied(6)]], 1_000);
    stage.sends([[2, occupied(6)]], 9_000);
    stage.streams(
      [
        [1, occupied(7)],
        [2, occupied(7)],
      ],
      5_000,
    );
    stage.sendsRest();
    expect(stage.found()).toEqual([[1, occupied(5), occupied(6), MENDED]]);
  });

  test("spoilt bytes are told as they were, once, whoever wrote them anew", () => {
    const stage = new Stage();
    stage.spoils(1, occupied(4));
    stage.spoils(2, distrusted(occupied(5)));
    stage.spoils(3, 0);
    stage.spoils(6, occupied(9));
    // By the stream, or by a scan that nobody looked at.
    stage.streams([[3, occupied(8)]]);
    stage.sends([
      [1, occupied(5)],
      [2, occupied(5)],
    ]);
    stage.sendsRest(6);
    expect(stage.found()).toEqual([
      [1, occupied(4), occupied(5), MENDED],
      [2, distrusted(occupied(5)), occupied(5), MENDED],
      [3, 0, occupied(8), MENDED],
      [6, occupied(9), 0, MENDED],
    ]);
  });

  test("keeps no more than its bound of each sort, and counts the rest", () => {
    const stage = new Stage(2);
    const newer = [0, 1, 2, 3].map((slot) => [slot, occupied(6)] as const);
    stage.sends(newer);
    stage.sendsRest(4, 5, 6, 7, 8);
    expect(stage.found().map(([slot]) => slot)).toEqual([0, 1, 4, 5]);
    expect(stage.scan.result(SLOTS, 0)).toMatchObject({ notKept: 5, compared: SLOTS });
  });
});
