// Both appliers against the table that decides, over every combination; and what they hand to the disk.

import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { toHex, viewOf } from "../../src/bytes.ts";
import { packMeta, slotLayout, versionOf } from "../../src/format/slot.ts";
import type {
  AppliedBatch,
  BatchApplier,
  BatchPurpose,
} from "../../src/replica/apply/batch-applier.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { WasmApplier } from "../../src/replica/apply/wasm-applier.ts";
import { distrusted } from "../../src/store/slot-table.ts";
import {
  DIFFERENCE_OLDER,
  DIFFERENCE_SAME_VERSION,
  DIFFERENCE_TAKEN,
} from "../../src/wasm/cells.ts";
import type { ProtocolVersion } from "../../src/wire/messages.ts";
import {
  eventWord,
  fateOf,
  type Here,
  HERES,
  RELATIONS,
  STATUS_OF,
  type There,
  THERES,
  VERSIONS,
} from "../support/applier-table.ts";
import { type BatchRow, batchPayload, imageOf, takeAll } from "../support/applier-batches.ts";

const SHARD = 1;
const LAYOUT = slotLayout(4, 3);
const SLOTS = 300;
const SLOT = 9;
const KEY = "key!";

const APPLIERS: readonly (readonly [string, () => BatchApplier])[] = [
  ["PlainApplier", () => new PlainApplier(SHARD, LAYOUT, SLOTS)],
  ["WasmApplier", () => WasmApplier.create(SHARD, LAYOUT, SLOTS) as BatchApplier],
];

const row = (there: There, slot: number, version: number): BatchRow => ({
  slot,
  word: eventWord(there, version),
  key: KEY,
  value: there === "changed" ? "new" : "old",
});

/** Puts slot 9 into a state at this version. */
function prepare(applier: BatchApplier, here: Here, version: number): void {
  const occupied = imageOf(row("occupied", SLOT, version), LAYOUT);
  const word = packMeta(1, version);
  if (here === "free") applier.setSlot(SLOT, packMeta(0, version), 0);
  if (here === "deleted") applier.setSlot(SLOT, packMeta(2, version), 0);
  if (here === "occupied") applier.setSlot(SLOT, word, viewOf(occupied).getUint32(4, true));
  if (here === "torn") applier.setSlot(SLOT, distrusted(word), 0);
}

function apply(
  applier: BatchApplier,
  rows: readonly BatchRow[],
  protocol: ProtocolVersion,
  purpose: BatchPurpose = "scan",
): AppliedBatch {
  const payload = batchPayload(SHARD, LAYOUT, protocol, rows);
  const outcome = applier.apply(payload, { protocol, purpose, resetsSaved: true });
  if (outcome.kind !== "applied") throw new Error(JSON.stringify(outcome));
  return outcome;
}

for (const [name, newApplier] of APPLIERS) {
  describe(name, () => {
    for (const protocol of [1, 2] as const) {
      for (const here of HERES) {
        for (const there of THERES) {
          test(`protocol ${protocol}: here ${here}, ${there} comes: as the table says at every version`, () => {
            for (const relation of RELATIONS) {
              for (const [versionHere, versionThere] of VERSIONS[relation]) {
                const versions = { relation, versionHere, versionThere };
                for (const purpose of ["live", "scan", "compare"] as const) {
                  expectFate(newApplier, { purpose, protocol, here, there, ...versions });
                }
              }
            }
          });
        }
      }
    }

    test("nothing here and a FREE of version 0: nothing to do", () => {
      for (const protocol of [1, 2] as const) {
        const applier = newApplier();
        expect(apply(applier, [row("free", SLOT, 0)], protocol)).toMatchObject({ taken: 0 });
        expect(applier.pendingBytes).toBe(0);
      }
    });

    test("a first version of 2^29 and above is taken, on both protocols", () => {
      for (const protocol of [1, 2] as const) {
        const applier = newApplier();
        expect(apply(applier, [row("occupied", SLOT, 2 ** 29)], protocol).taken).toBe(1);
        expect(versionOf(applier.word(SLOT))).toBe(2 ** 29);
      }
    });

    test("neighbours go out in one write, the rest by themselves, in order", () => {
      const applier = newApplier();
      const slots = [3, 4, 5, 7, 8, 6, 6, 20];
      apply(
        applier,
        slots.map((slot, index) => row("occupied", slot, index + 1)),
        2,
      );
      apply(applier, [row("deleted", 8, 20), row("deleted", 9, 20), row("occupied", 10, 1)], 2);
      const size = LAYOUT.slotSize;
      expect(takeAll(applier).map(({ slot, bytes }) => [slot, bytes.length])).toEqual([
        [3, 3 * size],
        [7, 2 * size],
        [6, size],
        [6, size],
        [20, size],
        [8, 4],
        [9, 4],
        [10, size],
      ]);
      expect(applier.pendingBytes).toBe(0);
      expect(takeAll(applier)).toEqual([]);
    });

    test("marks what a scan shows and what a stream touches, until the next scan", () => {
      const applier = newApplier();
      apply(applier, [row("occupied", 1, 1)], 2, "scan");
      apply(applier, [row("occupied", 2, 1), row("occupied", 1, 1)], 2, "live");
      const marks = () => [0, 1, 2].map((slot) => [applier.isSeen(slot), applier.isTouched(slot)]);
      expect(marks()).toEqual([
        [false, false],
        [true, true],
        [false, true],
      ]);
      applier.beginScan();
      expect(marks().flat()).toEqual(Array(6).fill(false));
    });

    test("the same version of other bytes is noted in a scan, and never live", () => {
      for (const [purpose, noted] of [
        ["scan", 1],
        ["live", 0],
      ] as const) {
        const applier = newApplier();
        apply(applier, [row("occupied", SLOT, 5)], 1, "live");
        const again = apply(applier, [row("changed", SLOT, 5)], 1, purpose);
        expect(again.differences).toHaveLength(4 * noted);
      }
    });
  });
}

const TOLD_AS = {
  take: DIFFERENCE_TAKEN,
  replace: DIFFERENCE_TAKEN,
  older: DIFFERENCE_OLDER,
  "same-version": DIFFERENCE_SAME_VERSION,
} as const;

interface Case {
  readonly purpose: BatchPurpose;
  readonly protocol: ProtocolVersion;
  readonly here: Here;
  readonly there: There;
  readonly relation: (typeof RELATIONS)[number];
  readonly versionHere: number;
  readonly versionThere: number;
}

function expectFate(newApplier: () => BatchApplier, one: Case): void {
  const { purpose, protocol, here, there, relation, versionHere, versionThere } = one;
  const applier = newApplier();
  prepare(applier, here, versionHere);
  const before = applier.word(SLOT);
  const event = row(there, SLOT, versionThere);
  const outcome = apply(applier, [event], protocol, purpose);
  // FREE of version 0 says that nothing was ever there.
  const isNothing = here === "never" && event.word === 0;
  const fate = isNothing ? "same" : fateOf(here, there, relation, protocol);

  const happens = fate === "take" || fate === "replace";
  const isTold = purpose === "compare" || (purpose === "scan" && !happens);
  const told = isTold && fate !== "same" ? [SLOT, before, event.word, TOLD_AS[fate]] : [];
  const dies = here === "occupied" && STATUS_OF[there] !== 1;
  expect({ ...one, ...outcome }).toEqual({
    ...one,
    kind: "applied",
    ...{ events: 1, slotFirst: SLOT, slotLast: SLOT, ascending: true },
    taken: happens ? 1 : 0,
    replaced: fate === "replace" ? 1 : 0,
    cleared: happens && dies ? 1 : 0,
    versionMax: happens ? versionThere : -1,
    invalidSlot: -1,
    differences: Uint32Array.from(told),
  });
  const word = happens ? event.word : before;
  expect({ ...one, word: applier.word(SLOT) }).toEqual({ ...one, word });
  expect(applier.occupied).toBe((word & 3) === 1 ? 1 : 0);

  const wanted = STATUS_OF[there] === 1 ? imageOf(event, LAYOUT) : wordBytes(event.word);
  const writes = takeAll(applier).map(({ slot, bytes }) => `${slot} ${toHex(bytes)}`);
  expect({ ...one, writes }).toEqual({
    ...one,
    writes: happens ? [`${SLOT} ${toHex(wanted)}`] : [],
  });
  if (happens && STATUS_OF[there] === 1) {
    const stored = viewOf(wanted).getUint32(4, true);
    const bytes = Buffer.concat([wanted.subarray(0, 4), wanted.subarray(8, 15)]);
    expect(stored).toBe(crc32(bytes));
  }
}

function wordBytes(word: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, word, true);
  return bytes;
}
