// That the kernel tells the crc of a span of sound slots, whatever their layout: where it did not, each slot would have its
// own crc taken, which is right and slow.

import { expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { slotLayout } from "../../src/format/slot.ts";
import { AreaPlan, newKernel } from "../../src/format/wasm-kernel.ts";
import * as cells from "../../src/wasm/cells.ts";
import { Dice } from "../support/dice.ts";
import { soundSlot } from "../support/random-slots.ts";

const SLOTS = 40;
const SEED = 5;

test("the crc of a span of sound slots is told from their headers", () => {
  const dice = new Dice(SEED);
  for (const [keyLen, valueLen] of [
    ...Array.from({ length: 17 }, (_, valueLen) => [8, valueLen] as const),
    [4, 3],
    [1, 0],
    [16, 100],
    [32, 1000],
    [300, 5001],
  ] as const) {
    const layout = slotLayout(keyLen, valueLen);
    const { slotSize } = layout;
    const plan = new AreaPlan();
    const start = plan.area(SLOTS * slotSize);
    const products = plan.area(cells.PRODUCTS_BYTES);
    const kernel = newKernel(plan.end);
    if (kernel === null) throw new Error("no memory for WebAssembly");
    const words = new Uint32Array(kernel.memory.buffer);
    words[cells.KEY_BYTES / 4] = keyLen;
    words[cells.VALUE_BYTES / 4] = valueLen;
    words[cells.SLOT_BYTES / 4] = slotSize;
    words[cells.CHUNK_START / 4] = start;
    words[cells.PRODUCTS_START / 4] = products;
    kernel.prepareSpans();
    const chunk = new Uint8Array(kernel.memory.buffer, start, SLOTS * slotSize);
    for (let index = 0; index < SLOTS; index++)
      chunk.set(soundSlot(dice, layout), index * slotSize);
    for (const [first, end] of [
      [0, 0],
      [0, 1],
      [0, SLOTS],
      [7, 8],
      [7, 31],
    ] as const) {
      const told = kernel.spanCrc(first, end) >>> 0;
      const span = chunk.subarray(first * slotSize, end * slotSize);
      expect(told, `${keyLen}x${valueLen}, slots ${first} to ${end}`).toBe(crc32(span));
    }
  }
});
