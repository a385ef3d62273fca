// Both forms of a DuplicatePass against each other and against a count by hand, on random chunks. A failure names its seed;
// ARMDB_TEST_SEED=n runs that one again.

import { describe, expect, test } from "bun:test";
import {
  createDuplicatePass,
  type PassShare,
  passesFor,
} from "../../src/audit/scan/duplicate-pass.ts";
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

/** Groups of a pass that was fed these slots in chunks of random lengths, in the order of their first slots. */
function groupsOf(
  pass: SortingDuplicatePass | WasmDuplicatePass,
  { facts, fingerprints }: Slots,
  dice: Dice,
): number[][] {
  const chunkMax = dice.pick([1, 700, 100_000]);
  for (let first = 0; first < facts.length;) {
    const slots = Math.min(1 + dice.below(chunkMax), facts.length - first);
    pass.addChunk(facts.subarray(first), fingerprints.subarray(first), first, slots);
    first += slots;
  }
  return pass.groups().sort((left, right) => (left[0] as number) - (right[0] as number));
}

function groupsByHand({ facts, fingerprints }: Slots, share: PassShare): number[][] {
  const groups = new Map<bigint, number[]>();
  for (const [slot, fingerprint] of fingerprints.entries()) {
    if (((facts[slot] as number) & SLOT_LIVE) === 0) continue;
    if (Number(fingerprint & 0xffffffffn) % share.passes !== share.pass) continue;
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

test.each(Array.from({ length: SEEDS }, (_, index) => firstSeed + index))(
  "both forms find every group, in any number of passes (seed %p)",
  (seed) => {
    const dice = new Dice(seed);
    const count = dice.pick([1, 100, 3_000, 40_000]);
    const slots = randomSlots(dice, count, dice.pick([count, 50 * count, 2 ** 31]));
    const passes = dice.pick([1, 2, 5]);
    for (let pass = 0; pass < passes; pass++) {
      const share = { pass, passes, slotsMax: count };
      const wanted = groupsByHand(slots, share);
      expect(groupsOf(new SortingDuplicatePass(share), slots, dice)).toEqual(wanted);
      expect(groupsOf(wasmPass(share), slots, dice)).toEqual(wanted);
    }
  },
);

describe("slots of one key only", () => {
  const count = 60_000;
  const slots = {
    facts: new Uint8Array(count).fill(SLOT_LIVE),
    fingerprints: new BigUint64Array(count).fill(0xffffffff_fffffff0n),
  };
  // More than the share of one pass of ten, so that the memory grows.
  const share = { pass: 0xfffffff0 % 10, passes: 10, slotsMax: count };

  test.each([
    ["sorting", () => new SortingDuplicatePass(share)],
    ["wasm", () => wasmPass(share)],
  ] as const)("are one group, ascending: %s", (_, create) => {
    const groups = groupsOf(create(), slots, new Dice(1));
    expect(groups).toHaveLength(1);
    expect(groups[0]?.every((slot, index) => slot === index)).toBe(true);
    expect(groups[0]).toHaveLength(count);
  });
});

test("slots whose fingerprints differ in a bit that is not kept are no group: nothing is read again for them", () => {
  const count = 20_000;
  const facts = new Uint8Array(count).fill(SLOT_LIVE);
  const halves = Uint32Array.from({ length: 2 * count }, (_, word) => word >> 2);
  // Neighbours have one lower half; their upper halves differ in the highest bit.
  for (let slot = 0; slot < count; slot++) halves[2 * slot + 1] = slot % 2 === 0 ? 0 : 0x80000000;
  const slots = { facts, fingerprints: new BigUint64Array(halves.buffer) };
  const share = { pass: 0, passes: 1, slotsMax: count };
  expect(groupsOf(wasmPass(share), slots, new Dice(1))).toEqual([]);
});

test("few slots are sorted, many go to the kernel", () => {
  expect(createDuplicatePass({ pass: 0, passes: 1, slotsMax: 100 })).toBeInstanceOf(
    SortingDuplicatePass,
  );
  expect(createDuplicatePass({ pass: 1, passes: 3, slotsMax: 1_000_000 })).toBeInstanceOf(
    WasmDuplicatePass,
  );
});

test("passes are as many as the memory makes necessary, with some memory however little is given", () => {
  expect(passesFor(0, 0)).toBe(1);
  expect(passesFor(1_000_000, 20_000_000)).toBe(1);
  expect(passesFor(1_000_001, 20_000_000)).toBe(2);
  expect(passesFor(1_000_000, 1)).toBe(Math.ceil(20_000_000 / 65_536));
});
