// The WASM applier against the plain one: the same batches must come to the same outcomes, tables and file bytes. A failure
// names its seed; ARMDB_TEST_SEED=n runs that one again.

import { describe, expect, test } from "bun:test";
import { slotLayout, type SlotLayout, packMeta, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import {
  type ApplyOptions,
  type BatchApplier,
  PENDING_BYTES_FULL,
} from "../../src/replica/apply/batch-applier.ts";
import { distrusted } from "../../src/store/slot-table.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { WasmApplier } from "../../src/replica/apply/wasm-applier.ts";
import { FRAME_PAYLOAD_BYTES_MAX } from "../../src/limits.ts";
import type { ProtocolVersion } from "../../src/wire/messages.ts";
import { Dice } from "../support/dice.ts";
import { payloadOf, RandomBatches } from "./random-batches.ts";

const SHARD = 3;
const seedGiven = process.env["ARMDB_TEST_SEED"];
const firstSeed = seedGiven === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(seedGiven);
const SEEDS = seedGiven === undefined ? 30 : 1;

const LAYOUTS: readonly SlotLayout[] = [
  slotLayout(8, 64), // an event is as long as a slot: in place
  slotLayout(4, 3), // shorter than a slot
  slotLayout(1, 0),
  slotLayout(16, 100),
  slotLayout(7, 249), // one byte past a multiple of 8: the most padding
  slotLayout(32, 1000), // native crc, in place
  slotLayout(33, 1000), // native crc, in an area of its own
];

function wasmApplier(layout: SlotLayout, slotCount: number, nativeBytesMin?: number): WasmApplier {
  const applier = WasmApplier.create(SHARD, layout, slotCount, nativeBytesMin);
  if (applier === null) throw new Error("no memory for WebAssembly");
  return applier;
}

/** A file of slots that takes writes. */
class FileImage {
  bytes = new Uint8Array(0);
  writes: string[] = [];

  take(applier: BatchApplier, slotSize: number): void {
    applier.takeWrites((slot, memory, start, end) => {
      const bytes = memory.subarray(start, end);
      const at = slot * slotSize;
      if (at + bytes.length > this.bytes.length) {
        const longer = new Uint8Array(at + bytes.length);
        longer.set(this.bytes);
        this.bytes = longer;
      }
      this.bytes.set(bytes, at);
      this.writes.push(`${slot}+${bytes.length}`);
    });
  }
}

/** What can be seen of an applier. */
function facts(applier: BatchApplier) {
  const { slotCount, occupied, pendingBytes } = applier;
  const words = Uint32Array.from({ length: slotCount }, (_, slot) => applier.word(slot));
  const marks = Uint8Array.from(
    words,
    (_, slot) => (applier.isSeen(slot) ? 1 : 0) + (applier.isTouched(slot) ? 2 : 0),
  );
  return { slotCount, occupied, pendingBytes, words, marks };
}

/** Runs a random course over both and compares after each step. */
function compareCourse(seed: number, layout: SlotLayout, nativeBytesMin?: number): void {
  const message = `ARMDB_TEST_SEED=${seed}`;
  const dice = new Dice(seed);
  const slotCount = dice.pick([1, 31, 32, 33, 300]);
  const protocol: ProtocolVersion = dice.pick([1, 2]);
  const batches = new RandomBatches(dice, SHARD, layout, protocol);
  const both = [
    { applier: new PlainApplier(SHARD, layout, slotCount), file: new FileImage() },
    { applier: wasmApplier(layout, slotCount, nativeBytesMin), file: new FileImage() },
  ] as const;
  const [plain, wasm] = both;

  for (let step = 0; step < 40; step++) {
    const payload = batches.next(plain.applier.slotCount);
    const options: ApplyOptions = {
      protocol,
      purpose: dice.pick(["live", "scan", "compare"]),
      resetsSaved: dice.oneIn(2),
    };
    const expected = plain.applier.apply(payload, options);
    expect(wasm.applier.apply(payload, options), message).toEqual(expected);
    if (expected.kind === "grow" && expected.slotMax < 10_000) {
      const grown = expected.slotMax + 1 + (dice.oneIn(20) ? 20_000 : 0);
      for (const { applier } of both) applier.grow(grown);
    }
    if (expected.kind === "save-first") {
      const saved = { ...options, resetsSaved: true };
      const second = plain.applier.apply(payload, saved);
      expect(wasm.applier.apply(payload, saved), message).toEqual(second);
    }
    if (dice.oneIn(6)) {
      const slot = dice.below(plain.applier.slotCount);
      const word = dice.oneIn(2) ? 0 : distrusted(plain.applier.word(slot));
      for (const { applier } of both) applier.setSlot(slot, word, 0);
    }
    if (dice.oneIn(15)) for (const { applier } of both) applier.beginScan();
    if (dice.oneIn(3) || plain.applier.pendingBytes >= PENDING_BYTES_FULL) {
      for (const { applier, file } of both) file.take(applier, layout.slotSize);
    }
    expect(facts(wasm.applier), message).toEqual(facts(plain.applier));
  }
  for (const { applier, file } of both) file.take(applier, layout.slotSize);
  expect(wasm.file.writes, message).toEqual(plain.file.writes);
  expect(Buffer.compare(wasm.file.bytes, plain.file.bytes), message).toBe(0);
}

describe("WasmApplier does what PlainApplier does", () => {
  for (const layout of LAYOUTS) {
    for (const [crcs, nativeBytesMin] of [
      ["crcs by the kernel", Infinity],
      ["crcs by native calls", 0],
    ] as const) {
      test(`on random batches of ${layout.keyLen}x${layout.valueLen}, ${crcs}`, () => {
        for (let seed = firstSeed; seed < firstSeed + SEEDS; seed++) {
          compareCourse(seed, layout, nativeBytesMin);
        }
      });
    }
  }
});
