// How long a SlotScanner takes for a slot: `bun scripts/benchmark/scan.ts [passes]`. One core, one chunk that stays in the
// cache, no file. Prints the median and the spread over the passes, ns a slot, without and with routing by key. `stale`: with
// deleted slots in between whose crc is not right, which is no damage, but each slot beside them has its own taken.

import { createSlotScanner } from "../../src/format/create-slot-scanner.ts";
import { PlainSlotScanner } from "../../src/format/plain-slot-scanner.ts";
import { shardOfKey } from "../../src/format/routing.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  type SlotLayout,
  slotLayout,
  STATUS_DELETED,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import {
  type RoutingCheck,
  SLOT_DELETED_CRC,
  SLOT_LIVE,
  type SlotScanner,
  slotsPerChunk,
} from "../../src/format/slot-scanner.ts";
import { WasmSlotScanner } from "../../src/format/wasm-slot-scanner.ts";

const LAYOUTS: readonly SlotLayout[] = [
  slotLayout(8, 64),
  slotLayout(4, 3),
  slotLayout(16, 100),
  slotLayout(32, 1000),
];
const ROUTING: RoutingCheck = { shard: 1, shardCount: 4, shardPrefixBits: 0 };
const PASSES = Number(process.argv[2] ?? 100);
const STALE_APART_BYTES = 8 * 1024;
/** Until all is compiled by the last tier. */
const WARM_PASSES = 40;

interface Candidate {
  readonly name: string;
  readonly isStale: boolean;
  make(layout: SlotLayout, routing: RoutingCheck | null): SlotScanner;
}

const CANDIDATES: readonly Candidate[] = [
  {
    name: "plain",
    isStale: false,
    make: (layout, routing) => new PlainSlotScanner(layout, routing, slotsPerChunk(layout)),
  },
  {
    name: "wasm",
    isStale: false,
    make: (layout, routing) => createSlotScanner(layout, routing),
  },
  {
    name: "wasm, stale, own crc",
    isStale: true,
    make: (layout, routing) => wasm(layout, routing, Infinity),
  },
  {
    name: "wasm, stale, native crc",
    isStale: true,
    make: (layout, routing) => wasm(layout, routing, 0),
  },
];

function wasm(layout: SlotLayout, routing: RoutingCheck | null, nativeBytesMin: number) {
  const scanner = WasmSlotScanner.create(layout, routing, slotsPerChunk(layout), nativeBytesMin);
  if (scanner === null) throw new Error("No memory for WebAssembly");
  return scanner;
}

/** Fills the chunk with live slots whose keys belong to the shard of ROUTING. */
function fill(scanner: SlotScanner): void {
  const { layout, chunk } = scanner;
  const key = new Uint8Array(layout.keyLen);
  const value = new Uint8Array(layout.valueLen);
  let number = 0;
  for (let index = 0; index < scanner.slotsMax; index++) {
    do {
      number++;
      for (let at = 0; at < 4; at++) key[at] = number >> (8 * at);
    } while (shardOfKey(key, ROUTING.shardCount, 0) !== ROUTING.shard);
    value.fill(number);
    const start = index * layout.slotSize;
    const image = chunk.subarray(start, start + layout.slotSize);
    encodeOccupiedSlot(image, layout, packMeta(STATUS_OCCUPIED, 1), key, value);
  }
}

/** Makes slots DELETED so often that every stretch of the chunk has one, and their crcs wrong. */
function makeStale({ layout, slotsMax, words }: SlotScanner): void {
  const apart = Math.max(2, Math.floor(STALE_APART_BYTES / layout.slotSize));
  for (let index = 1; index < slotsMax; index += apart) {
    const at = (index * layout.slotSize) / 4;
    words[at] = packMeta(STATUS_DELETED, 2);
    words[at + 1] = 0;
  }
}

/** Scans the whole chunk once; ns a slot. */
function pass(scanner: SlotScanner, factsExpected: number): number {
  const startedAtMs = performance.now();
  const { facts } = scanner.scan(scanner.slotsMax);
  const tookMs = performance.now() - startedAtMs;
  if (facts !== factsExpected) throw new Error(`Facts ${facts} instead of ${factsExpected}`);
  return (tookMs * 1e6) / scanner.slotsMax;
}

function cell(samples: readonly number[]): string {
  const sorted = samples.toSorted((left, right) => left - right);
  const at = (share: number) =>
    (sorted[Math.floor(share * (sorted.length - 1))] as number).toFixed(1);
  return `${at(0.5).padStart(7)} [${at(0.1)}-${at(0.9)}]`.padEnd(26);
}

for (const layout of LAYOUTS) {
  const runs = CANDIDATES.map(({ name, isStale, make }) => {
    const scanners = [make(layout, null), make(layout, ROUTING)];
    scanners.forEach(fill);
    if (isStale) scanners.forEach(makeStale);
    const facts = isStale ? SLOT_LIVE | SLOT_DELETED_CRC : SLOT_LIVE;
    return { name, facts, scanners, samples: scanners.map(() => [] as number[]) };
  });
  for (let turn = 0; turn < WARM_PASSES + PASSES; turn++) {
    for (const { facts, scanners, samples } of runs) {
      scanners.forEach((scanner, index) => {
        const took = pass(scanner, facts);
        if (turn >= WARM_PASSES) samples[index]?.push(took);
      });
    }
  }
  console.log(
    `${layout.keyLen}x${layout.valueLen}, ns a slot: no routing, routing; median [p10-p90]`,
  );
  for (const { name, samples } of runs) {
    console.log(`  ${name.padEnd(24)} ${samples.map(cell).join("")}`);
  }
}
