// Both forms of a DuplicatePass against each other and against a count by hand, on random chunks. A failure names its seed;
// ARMDB_TEST_SEED=n runs that one again.

import { describe, expect, test } from "bun:test";
import {
  type DuplicatePass,
  type PassShare,
  partsMaxOf,
} from "../../src/audit/scan/duplicate-pass.ts";
import { createDuplicatePass } from "../../src/audit/scan/duplicate-search.ts";
import { SortingDuplicatePass } from "../../src/audit/scan/sorting-duplicate-pass.ts";
import { WasmDuplicatePass } from "../../src/audit/scan/wasm-duplicate-pass.ts";
import { SLOT_DELETED_CRC, SLOT_LIVE, SLOT_PADDING } from "../../src/format/slot-scanner.ts";
import { Dice } from "../support/dice.ts";

const seedGiven = process.env["ARMDB_TEST_SEED"];
const firstSeed = seedGiven === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(seedGiven);
const SEEDS = seedGiven === undefined ? 10 : 1;

interface Slots {
  readonly facts: Uint8Array;
  readonly fingerprints: BigUint64Array;
}

function wasmPass(share: PassShare): WasmDuplicatePass {
  const pass = WasmDuplicatePass.create(share);
  if (pass === null) throw new Error("no memory for WebAssembly");
  return pass;
}

/** Feeds a pass with these slots in chunks of random lengths. */
function feed(pass: DuplicatePass, { facts, fingerprints }: Slots, dice: Dice): void {
  const chunkMax = dice.pick([1, 700, 100_000]);
  for (let first = 0; first < facts.length;) {
    const slots = Math.min(1 + dice.below(chunkMax), facts.length - first);
    pass.addChunk(facts.subarray(first), fingerprints.subarray(first), first, slots);
    first += slots;
  }
}

/** Its groups, in the order of their first slots. */
function groupsOf(pass: DuplicatePass): (readonly number[])[] {
  return [...pass.groups()].sort((left, right) => (left[0] as number) - (right[0] as number));
}

function groupsByHand(
  { facts, fingerprints }: Slots,
  share: Pick<PassShare, "part" | "parts">,
): number[][] {
  const groups = new Map<bigint, number[]>();
  for (const [slot, fingerprint] of fingerprints.entries()) {
    if (((facts[slot] as number) & SLOT_LIVE) === 0) continue;
    if (Number(fingerprint & 0xffffffffn) % share.parts !== share.part) continue;
    groups.set(fingerprint, [...(groups.get(fingerprint) ?? []), slot]);
  }
  return [...groups.values()].filter((slots) => slots.length > 1);
}

/** Some live, some not, of `variety` fingerprints over the whole range. */
function randomSlots(dice: Dice, count: number, variety: number): Slots {
  const facts = new Uint8Array(count);
  const fingerprints = new BigUint64Array(count);
  for (let slot = 0; slot < count; slot++) {
    facts[slot] = dice.pick([SLOT_LIVE, SLOT_LIVE, SLOT_LIVE | SLOT_PADDING, SLOT_DELETED_CRC, 0]);
    fingerprints[slot] = BigInt(dice.below(variety)) * 0x9e3779b97f4a7c15n;
  }
  return { facts, fingerprints };
}

const FORMS = [
  ["sorting", (share: PassShare) => new SortingDuplicatePass(share)],
  ["wasm", wasmPass],
] as const;
const ENOUGH = 256 * 1024 * 1024;

describe.each(FORMS)("the form %s", (_, create) => {
  test.each(Array.from({ length: SEEDS }, (_, index) => firstSeed + index))(
    "finds every group, in any number of parts (seed %p)",
    (seed) => {
      const dice = new Dice(seed);
      const count = dice.pick([1, 100, 3_000, 40_000]);
      const slots = randomSlots(dice, count, dice.pick([count, 50 * count, 2 ** 31]));
      const parts = dice.pick([1, 2, 8]);
      for (let part = 0; part < parts; part++) {
        const share = { part, parts, slotsMax: count, bytesMax: ENOUGH };
        const pass = create(share);
        feed(pass, slots, dice);
        expect([pass.parts, pass.isCut]).toEqual([parts, false]);
        expect(groupsOf(pass)).toEqual(groupsByHand(slots, share));
      }
    },
  );

  test.each(Array.from({ length: SEEDS }, (_, index) => firstSeed + index))(
    "keeps a part of what does not fit its memory, all of that part (seed %p)",
    (seed) => {
      const dice = new Dice(seed);
      const count = 60_000;
      const slots = randomSlots(dice, count, dice.pick([count, 50 * count]));
      const bytesMax = dice.pick([64, 100, 200]) * 1024;
      const pass = create({ part: 0, parts: 1, slotsMax: count, bytesMax });
      feed(pass, slots, dice);
      expect(pass.isCut).toBe(false);
      expect(pass.parts).toBeGreaterThan(1);
      expect(Math.log2(pass.parts) % 1).toBe(0);
      expect(groupsOf(pass)).toEqual(groupsByHand(slots, { part: 0, parts: pass.parts }));
    },
  );

  const one = {
    facts: new Uint8Array(60_000).fill(SLOT_LIVE),
    fingerprints: new BigUint64Array(60_000).fill(0xffffffff_ffffff00n),
  };

  test("has slots of one key as one group, ascending", () => {
    const pass = create({ part: 0, parts: 8, slotsMax: 60_000, bytesMax: ENOUGH });
    feed(pass, one, new Dice(1));
    const groups = groupsOf(pass);
    expect(groups).toHaveLength(1);
    expect(groups[0]?.every((slot, index) => slot === index)).toBe(true);
    expect(groups[0]).toHaveLength(60_000);
  });

  test("says that it left some out where slots of one key do not fit: no part is small enough for them", () => {
    const pass = create({ part: 0, parts: 1, slotsMax: 60_000, bytesMax: 128 * 1024 });
    feed(pass, one, new Dice(1));
    expect([pass.isCut, pass.parts]).toEqual([true, 16]);
    const [group] = groupsOf(pass);
    expect(group?.length).toBeGreaterThan(10_000);
    expect(group?.length).toBeLessThan(20_000);
  });
});

test("slots whose fingerprints differ in a bit that is not kept are no group: nothing is read again for them", () => {
  const count = 20_000;
  const facts = new Uint8Array(count).fill(SLOT_LIVE);
  const halves = Uint32Array.from({ length: 2 * count }, (_, word) => word >> 2);
  // Neighbours have one lower half; their upper halves differ in the highest bit.
  for (let slot = 0; slot < count; slot++) halves[2 * slot + 1] = slot % 2 === 0 ? 0 : 0x80000000;
  const slots = { facts, fingerprints: new BigUint64Array(halves.buffer) };
  const pass = wasmPass({ part: 0, parts: 1, slotsMax: count, bytesMax: ENOUGH });
  feed(pass, slots, new Dice(1));
  expect(groupsOf(pass)).toEqual([]);
});

test("few slots are sorted, many go to the kernel", () => {
  const share = { part: 0, parts: 1, slotsMax: 100, bytesMax: ENOUGH };
  expect(createDuplicatePass(share)).toBeInstanceOf(SortingDuplicatePass);
  expect(createDuplicatePass({ ...share, slotsMax: 1_000_000 })).toBeInstanceOf(WasmDuplicatePass);
});

test("parts are at most four times as many as evenly spread fingerprints need", () => {
  const share = { part: 0, parts: 1, slotsMax: 29_000_000, bytesMax: ENOUGH };
  expect(partsMaxOf(share)).toBe(4);
  expect(partsMaxOf({ ...share, slotsMax: 100_000_000 })).toBe(16);
  expect(partsMaxOf({ ...share, slotsMax: 0, bytesMax: 0 })).toBe(4);
});
