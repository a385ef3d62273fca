// A batch is taken whole or not at all: what is refused, what must grow first and what must be saved first leaves no trace.

import { describe, expect, test } from "bun:test";
import { packMeta, slotLayout } from "../../src/format/slot.ts";
import type { ApplyOptions, BatchApplier } from "../../src/replica/apply/batch-applier.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { WasmApplier } from "../../src/replica/apply/wasm-applier.ts";
import { distrusted } from "../../src/store/slot-table.ts";
import { DIFFERENCE_OLDER } from "../../src/wasm/cells.ts";
import { type BatchRow, batchPayload, takeAll } from "../support/applier-batches.ts";

const SHARD = 1;
const LAYOUT = slotLayout(4, 3);
const SLOTS = 10;

const APPLIERS: readonly (readonly [string, () => BatchApplier])[] = [
  ["PlainApplier", () => new PlainApplier(SHARD, LAYOUT, SLOTS)],
  ["WasmApplier", () => WasmApplier.create(SHARD, LAYOUT, SLOTS) as BatchApplier],
];
const SCAN: ApplyOptions = { protocol: 2, purpose: "scan", resetsSaved: false };

const occupied = (slot: number, version = 1): BatchRow => ({
  slot,
  word: packMeta(1, version),
  key: "key!",
  value: "val",
});
const reset = (slot: number, version = 1): BatchRow => ({
  slot,
  word: packMeta(0, version),
  key: "",
  value: "",
});
const payload = (rows: readonly BatchRow[], shard = SHARD) => batchPayload(shard, LAYOUT, 2, rows);

/** Everything that an outcome without effect must leave as it was. */
function traceOf(applier: BatchApplier) {
  const slots = Array.from({ length: applier.slotCount }, (_, slot) => [
    applier.word(slot),
    applier.isSeen(slot),
    applier.isTouched(slot),
  ]);
  return { slots, occupied: applier.occupied, pendingBytes: applier.pendingBytes };
}

for (const [name, newApplier] of APPLIERS) {
  describe(name, () => {
    const good = [occupied(0), occupied(1)];
    const bad: readonly (readonly [string, Uint8Array, string])[] = [
      ["another shard's batch", payload(good, 2), "other-shard"],
      ["a batch cut in its last event", payload(good).subarray(0, -1), "event-truncated"],
      [
        "status 3 in its last event",
        payload([...good, { ...occupied(2), word: 7 }]),
        "status-invalid",
      ],
      [
        "a count that lies",
        Uint8Array.of(SHARD, 255, 255, 255, 255, 0, 0),
        "count-exceeds-payload",
      ],
      ["four bytes", Uint8Array.of(SHARD, 0, 0, 0), "too-short"],
    ];
    for (const [what, bytes, fault] of bad) {
      test(`refuses ${what} whole`, () => {
        const applier = newApplier();
        const before = traceOf(applier);
        expect(applier.apply(bytes, SCAN)).toMatchObject({ kind: "problem", problem: { fault } });
        expect(traceOf(applier)).toEqual(before);
      });
    }

    test("asks to grow for a slot past its table, and takes the batch afterwards", () => {
      const applier = newApplier();
      const before = traceOf(applier);
      const bytes = payload([occupied(0), occupied(12), occupied(SLOTS)]);
      expect(applier.apply(bytes, SCAN)).toEqual({ kind: "grow", slotMax: 12 });
      expect(traceOf(applier)).toEqual(before);
      applier.grow(20);
      expect(applier.apply(bytes, SCAN)).toMatchObject({ kind: "applied", taken: 3 });
      expect([0, 12, SLOTS].map((slot) => applier.word(slot))).toEqual([5, 5, 5]);
      expect(applier.slotCount).toBe(20);
    });

    test("keeps words, crcs and marks when it grows", () => {
      const applier = newApplier();
      applier.apply(payload([occupied(3)]), SCAN);
      takeAll(applier);
      applier.grow(5000);
      expect([applier.word(3), applier.isSeen(3), applier.occupied]).toEqual([5, true, 1]);
      // The same bytes are the same; that needs the crc.
      expect(applier.apply(payload([occupied(3)]), SCAN)).toMatchObject({
        taken: 0,
        differences: new Uint32Array(0),
      });
      expect(applier.pendingBytes).toBe(0);
    });

    test("asks to save the good copies that resets would clear, and no others", () => {
      const applier = newApplier();
      applier.apply(
        payload([occupied(0, 4), occupied(1, 4), occupied(2, 4), occupied(3, 4)]),
        SCAN,
      );
      takeAll(applier);
      applier.setSlot(2, packMeta(2, 4), 0);
      applier.setSlot(3, distrusted(packMeta(1, 4)), 0);
      const before = traceOf(applier);
      // 0: equal version; 1: newer; 2: deleted here; 3: torn here; 4: nothing here; 5 is not touched.
      const resets = [reset(0, 4), reset(1, 5), reset(2, 5), reset(3, 4), reset(4, 1)];
      const bytes = payload([...resets, occupied(5)]);
      expect(applier.apply(bytes, SCAN)).toEqual({ kind: "save-first", slots: [0, 1] });
      expect(traceOf(applier)).toEqual(before);
      const saved = applier.apply(bytes, { ...SCAN, resetsSaved: true });
      expect(saved).toMatchObject({ kind: "applied", events: 6, taken: 6, cleared: 2 });
      expect([0, 1, 2, 3, 4].map((slot) => applier.word(slot) & 3)).toEqual([0, 0, 0, 0, 0]);
    });

    test("takes status 3 as a delete on protocol 1, and asks to save the good copy that it clears", () => {
      const applier = newApplier();
      const options = { ...SCAN, protocol: 1 } as const;
      applier.apply(payload([occupied(0, 4), occupied(1, 4)]), options);
      takeAll(applier);
      const bad = (slot: number, version: number): BatchRow => ({
        ...occupied(slot),
        word: packMeta(3, version),
      });
      const bytes = payload([bad(0, 5), bad(1, 3), bad(2, 7)]);
      expect(applier.apply(bytes, options)).toEqual({ kind: "save-first", slots: [0] });
      const saved = applier.apply(bytes, { ...options, resetsSaved: true });
      expect(saved).toMatchObject({ kind: "applied", taken: 2, cleared: 1, ascending: true });
      const words = [0, 1, 2].map((slot) => applier.word(slot));
      expect(words).toEqual([packMeta(2, 5), packMeta(1, 4), packMeta(2, 7)]);
      const refused = applier.apply(bytes, { ...options, protocol: 2 });
      expect(refused).toMatchObject({ kind: "problem" });
    });

    test("saves nothing for resets that are older", () => {
      const applier = newApplier();
      applier.apply(payload([occupied(0, 4)]), SCAN);
      expect(applier.apply(payload([reset(0, 3)]), SCAN)).toMatchObject({
        kind: "applied",
        taken: 0,
        differences: Uint32Array.of(0, packMeta(1, 4), packMeta(0, 3), DIFFERENCE_OLDER),
      });
      expect(applier.word(0)).toBe(packMeta(1, 4));
    });

    test("takes an empty batch, and one with bytes behind it", () => {
      const applier = newApplier();
      expect(applier.apply(payload([]), SCAN)).toMatchObject({ kind: "applied", events: 0 });
      const longer = new Uint8Array(Buffer.concat([payload([occupied(0)]), Buffer.alloc(9, 255)]));
      expect(applier.apply(longer, SCAN)).toMatchObject({ kind: "applied", events: 1, taken: 1 });
    });

    test("keeps nothing of the payload it was given", () => {
      const applier = newApplier();
      const bytes = payload([occupied(0)]);
      applier.apply(bytes, SCAN);
      bytes.fill(0xaa);
      const [written] = takeAll(applier);
      expect(Buffer.from(written!.bytes.subarray(8, 15)).toString()).toBe("key!val");
    });
  });
}
