// The WASM scanner against the plain one on random chunks, and both against slots made by hand. A failure names its seed;
// ARMDB_TEST_SEED=n runs that one again.

import { describe, expect, test } from "bun:test";
import { viewOf } from "../../src/bytes.ts";
import { createSlotScanner } from "../../src/format/create-slot-scanner.ts";
import { PlainSlotScanner } from "../../src/format/plain-slot-scanner.ts";
import { shardOfKey } from "../../src/format/routing.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  type SlotLayout,
  slotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  VERSION_MAX,
} from "../../src/format/slot.ts";
import {
  type RoutingCheck,
  SLOT_BAD_CRC,
  SLOT_BAD_STATUS,
  SLOT_DELETED_CRC,
  SLOT_FREE_NOT_EMPTY,
  SLOT_FREE_VERSION,
  SLOT_LIVE,
  SLOT_MISROUTED,
  SLOT_PADDING,
  type SlotScanner,
} from "../../src/format/slot-scanner.ts";
import { WasmSlotScanner } from "../../src/format/wasm-slot-scanner.ts";
import { Dice } from "../support/dice.ts";
import { occupiedSlot, soundSlot } from "../support/random-slots.ts";

const seedGiven = process.env["ARMDB_TEST_SEED"];
const firstSeed = seedGiven === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(seedGiven);
const SEEDS = seedGiven === undefined ? 20 : 1;
const SLOTS = 100;

function wasmScanner(
  layout: SlotLayout,
  routing: RoutingCheck | null,
  nativeBytesMin?: number,
): WasmSlotScanner {
  const scanner = WasmSlotScanner.create(layout, routing, SLOTS, nativeBytesMin);
  if (scanner === null) throw new Error("no memory for WebAssembly");
  return scanner;
}

/** Any kind of slot, sound or not. */
function randomSlot(dice: Dice, layout: SlotLayout): Uint8Array {
  const version = dice.pick([0, 1, 2, 1000, VERSION_MAX - 1]);
  const image = dice.oneIn(5)
    ? new Uint8Array(layout.slotSize)
    : occupiedSlot(dice, layout, version);
  const view = viewOf(image);
  if (dice.oneIn(4)) view.setUint32(0, packMeta(STATUS_DELETED, version + dice.below(2)), true);
  if (dice.oneIn(8)) view.setUint32(0, packMeta(STATUS_FREE, version), true);
  if (dice.oneIn(15)) view.setUint32(0, packMeta(STATUS_INVALID, version), true);
  if (dice.oneIn(8)) {
    const at = dice.below(image.length);
    image[at] = (image[at] as number) ^ (1 << dice.below(8));
  }
  if (dice.oneIn(8)) image[image.length - 1] = dice.below(3);
  return image;
}

/** Few shards, so that about every second key is at home. */
function randomRouting(dice: Dice, keyLen: number): RoutingCheck {
  const shardCount = dice.pick([1, 2, 2, 3]);
  const prefixes = [0, 1, 5, 8, 12, 16, 23, 24, keyLen * 8 - 1, keyLen * 8];
  return { shard: dice.below(shardCount), shardCount, shardPrefixBits: dice.pick(prefixes) };
}

function load(scanner: SlotScanner, slots: readonly Uint8Array[]): void {
  slots.forEach((bytes, index) => scanner.chunk.set(bytes, index * scanner.layout.slotSize));
}

/** All that a scan leaves behind. */
function scanned(scanner: SlotScanner, slots: number) {
  const summary = scanner.scan(slots);
  const facts = Array.from(scanner.facts.subarray(0, slots));
  const fingerprints = Array.from(scanner.fingerprints.subarray(0, slots)).map((hash, index) =>
    ((facts[index] as number) & SLOT_LIVE) === 0 ? 0 : hash,
  );
  return { summary, facts, fingerprints };
}

const KEYS_AND_VALUES: readonly (readonly [number, number])[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16].map((keyLen) => [keyLen, 3] as const),
  ...[17, 31, 32, 33, 64, 65, 96, 97, 128, 129, 300].map((keyLen) => [keyLen, 0] as const),
  [8, 64],
  [16, 100],
  [32, 1000],
];

describe("WasmSlotScanner finds what PlainSlotScanner finds", () => {
  for (const [keyLen, valueLen] of KEYS_AND_VALUES) {
    const layout = slotLayout(keyLen, valueLen);
    for (const [crcs, nativeBytesMin] of [
      ["crcs by the kernel", Infinity],
      ["crcs by native calls", 0],
    ] as const) {
      test(`in random chunks of ${keyLen}x${valueLen}, ${crcs}`, () => {
        for (let seed = firstSeed; seed < firstSeed + SEEDS; seed++) {
          const dice = new Dice(seed);
          const routing = dice.oneIn(5) ? null : randomRouting(dice, keyLen);
          const plain = new PlainSlotScanner(layout, routing, SLOTS);
          const wasm = wasmScanner(layout, routing, nativeBytesMin);
          for (const slots of [SLOTS, dice.below(SLOTS + 1)]) {
            const chunk = Array.from({ length: SLOTS }, () => randomSlot(dice, layout));
            load(plain, chunk);
            load(wasm, chunk);
            const message = `ARMDB_TEST_SEED=${seed}`;
            expect({ message, ...scanned(wasm, slots) }).toEqual({
              message,
              ...scanned(plain, slots),
            });
            expect(Buffer.compare(wasm.chunk, plain.chunk), `chunk changed, ${message}`).toBe(0);
          }
        }
      });
    }
  }
});

describe("WasmSlotScanner, in chunks whose other slots are sound,", () => {
  for (const [keyLen, valueLen] of KEYS_AND_VALUES) {
    const layout = slotLayout(keyLen, valueLen);
    test(`finds what PlainSlotScanner finds of one bit or none, ${keyLen}x${valueLen}`, () => {
      for (let seed = firstSeed; seed < firstSeed + SEEDS; seed++) {
        const dice = new Dice(seed);
        const plain = new PlainSlotScanner(layout, null, SLOTS);
        const wasm = wasmScanner(layout, null);
        const chunk = Array.from({ length: SLOTS }, () => soundSlot(dice, layout));
        if (!dice.oneIn(4)) {
          const bad = dice.pick(chunk);
          const at = dice.oneIn(2) ? dice.below(8) : dice.below(bad.length);
          bad[at] = (bad[at] as number) ^ (1 << dice.below(8));
        }
        load(plain, chunk);
        load(wasm, chunk);
        const message = `ARMDB_TEST_SEED=${seed}`;
        for (const slots of [SLOTS, dice.below(SLOTS + 1)]) {
          expect({ message, ...scanned(wasm, slots) }).toEqual({
            message,
            ...scanned(plain, slots),
          });
        }
      }
    });
  }

  test("finds every bit of a slot that is no longer as it was, and two slots in each other's place", () => {
    const layout = slotLayout(8, 3);
    const dice = new Dice(firstSeed);
    const scanner = wasmScanner(layout, null);
    const chunk = Array.from({ length: SLOTS }, () => occupiedSlot(dice, layout, 5));
    load(scanner, chunk);
    expect(scanner.scan(SLOTS).facts).toBe(SLOT_LIVE);
    const middle = 50 * layout.slotSize;
    for (let bit = 0; bit < 8 * layout.slotSize; bit++) {
      const at = middle + (bit >> 3);
      const before = scanner.chunk[at] as number;
      scanner.chunk[at] = before ^ (1 << (bit & 7));
      expect(scanner.scan(SLOTS).facts, `bit ${bit}`).not.toBe(SLOT_LIVE);
      scanner.chunk[at] = before;
    }
    // Headers that change places leave the bytes of the span the same in sum.
    const header = scanner.chunk.slice(middle, middle + 8);
    scanner.chunk.copyWithin(middle, 0, 8);
    scanner.chunk.set(header, 0);
    expect(scanner.scan(SLOTS).damaged).toBe(2);
  });
});

test("WasmSlotScanner routes keys of every length as shardOfKey does", () => {
  const dice = new Dice(firstSeed);
  for (let keyLen = 1; keyLen <= 140; keyLen++) {
    const layout = slotLayout(keyLen, 0);
    const scanner = wasmScanner(layout, { shard: 0, shardCount: 2, shardPrefixBits: 0 });
    const slots = Array.from({ length: SLOTS }, () => occupiedSlot(dice, layout, 1));
    load(scanner, slots);
    scanner.scan(SLOTS);
    const expected = slots.map((slot) => {
      const isHome = shardOfKey(slot.subarray(8, 8 + keyLen), 2, 0) === 0;
      return isHome ? SLOT_LIVE : SLOT_LIVE | SLOT_MISROUTED;
    });
    expect(Array.from(scanner.facts), `ARMDB_TEST_SEED=${firstSeed}, ${keyLen}`).toEqual(expected);
  }
});

describe("a SlotScanner names what is wrong", () => {
  const layout = slotLayout(8, 3);
  const dice = new Dice(7);
  const good = occupiedSlot(dice, layout, 5);
  const changed = (change: (bytes: Uint8Array, view: DataView) => void, of = good) => {
    const bytes = of.slice();
    change(bytes, viewOf(bytes));
    return bytes;
  };
  const home = shardOfKey(good.subarray(8, 16), 3, 0);
  const deleted = changed((_bytes, view) => view.setUint32(0, packMeta(STATUS_DELETED, 6), true));
  const empty = new Uint8Array(layout.slotSize);
  const cases: readonly (readonly [string, Uint8Array, number])[] = [
    ["a sound slot", good, SLOT_LIVE],
    ["a changed value", changed((bytes) => bytes.fill(1, 16, 17)), SLOT_BAD_CRC],
    ["padding that is not zero", changed((bytes) => bytes.fill(1, 23)), SLOT_LIVE | SLOT_PADDING],
    ["status 3", changed((_, view) => view.setUint32(0, 0xb, true)), SLOT_BAD_STATUS],
    ["a deleted slot with the crc of its last write", deleted, 0],
    [
      "a deleted slot with another crc",
      changed((bytes) => bytes.fill(9, 4, 8), deleted),
      SLOT_DELETED_CRC,
    ],
    ["a never-used slot", empty, 0],
    [
      "a free slot with a version",
      changed((bytes) => bytes.fill(4, 0, 1), empty),
      SLOT_FREE_VERSION,
    ],
    [
      "a free slot that is not empty",
      changed((bytes) => bytes.fill(4, 9), empty),
      SLOT_FREE_NOT_EMPTY,
    ],
  ];

  for (const [name, bytes, facts] of cases) {
    test(name, () => {
      for (const slotsMax of [1, 200]) {
        const scanner = createSlotScanner(layout, null, slotsMax);
        load(scanner, [bytes]);
        expect(scanner.scan(1).facts).toBe(facts);
      }
    });
  }

  test("a key of another shard", () => {
    for (let shard = 0; shard < 3; shard++) {
      for (const slotsMax of [1, 200]) {
        const routing = { shard, shardCount: 3, shardPrefixBits: 0 };
        const scanner = createSlotScanner(layout, routing, slotsMax);
        load(scanner, [good]);
        const misrouted = shard === home ? 0 : SLOT_MISROUTED;
        expect(scanner.scan(1).facts).toBe(SLOT_LIVE | misrouted);
      }
    }
  });
});
