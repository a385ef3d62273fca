// The WASM applier at its bounds: the largest batches there can be, a full image area, growth, and what it refuses.

import { describe, expect, test } from "bun:test";
import { Bug } from "../../src/errors.ts";
import {
  packMeta,
  type SlotLayout,
  slotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { FRAME_PAYLOAD_BYTES_MAX } from "../../src/limits.ts";
import {
  type ApplyOptions,
  type BatchApplier,
  PENDING_BYTES_FULL,
} from "../../src/replica/apply/batch-applier.ts";
import { createApplier } from "../../src/replica/apply/create-applier.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { WasmApplier } from "../../src/replica/apply/wasm-applier.ts";
import { BATCH_PREFIX_BYTES, eventBytes } from "../../src/wire/slot-batch.ts";
import { payloadOf } from "./random-batches.ts";

const SHARD = 3;
const SCAN: ApplyOptions = { protocol: 2, purpose: "scan", resetsSaved: false };
const SMALLEST = slotLayout(1, 0);

function wasmApplier(layout: SlotLayout, slotCount: number): WasmApplier {
  const applier = WasmApplier.create(SHARD, layout, slotCount);
  if (applier === null) throw new Error("no memory for WebAssembly");
  return applier;
}

/** As many events of one status as the longest payload holds, for slots 0 and up. */
function longestPayload(layout: SlotLayout, meta: number): Uint8Array {
  const each = eventBytes(meta & 3, layout, 2);
  const count = Math.floor((FRAME_PAYLOAD_BYTES_MAX - BATCH_PREFIX_BYTES) / each);
  const events = Array.from({ length: count }, (_, slot) => ({ slot, meta }));
  return payloadOf(SHARD, layout, 2, events, ({ slot }) => slot);
}

function writesOf(applier: BatchApplier): string[] {
  const writes: string[] = [];
  applier.takeWrites((slot, memory, start, end) =>
    writes.push(`${slot}: ${Bun.hash.crc32(memory.subarray(start, end))}`),
  );
  return writes;
}

/** Takes the same course on both appliers, which must then be the same. */
function onBoth(layout: SlotLayout, slotCount: number, course: (applier: BatchApplier) => unknown) {
  const plain = course(new PlainApplier(SHARD, layout, slotCount));
  expect(course(wasmApplier(layout, slotCount))).toEqual(plain);
}

describe("WasmApplier at the bounds", () => {
  test("lists 32,767 copies that resets would clear, then clears them", () => {
    onBoth(SMALLEST, 40_000, (applier) => {
      for (let slot = 0; slot < 40_000; slot++) {
        applier.setSlot(slot, packMeta(STATUS_OCCUPIED, 4), 1);
      }
      const payload = longestPayload(SMALLEST, packMeta(STATUS_FREE, 4));
      const first = applier.apply(payload, SCAN);
      const second = applier.apply(payload, { ...SCAN, resetsSaved: true });
      expect(second).toMatchObject({ kind: "applied", events: 32_767, cleared: 32_767 });
      return [first, second, applier.occupied, writesOf(applier)];
    });
  });

  test.each([
    ["older", 4],
    ["taken", 10],
  ])("lists 32,767 differences that are %s", (_, version) => {
    onBoth(SMALLEST, 40_000, (applier) => {
      for (let slot = 0; slot < 40_000; slot++) {
        applier.setSlot(slot, packMeta(STATUS_DELETED, 9), 0);
      }
      const payload = longestPayload(SMALLEST, packMeta(STATUS_FREE, version));
      const outcome = applier.apply(payload, { ...SCAN, purpose: "compare" });
      expect(outcome.kind === "applied" && outcome.differences.length).toBe(4 * 32_767);
      return outcome;
    });
  });

  for (const [keyLen, valueLen] of [
    [1, 0],
    [8, 64],
    [16, 100],
    [32, 1000],
  ] as const) {
    test(`takes the longest payload of ${keyLen}x${valueLen} on a full image area`, () => {
      const layout = slotLayout(keyLen, valueLen);
      onBoth(layout, 40_000, (applier) => {
        let version = 1;
        while (applier.pendingBytes + layout.slotSize <= PENDING_BYTES_FULL) {
          const event = { slot: 0, meta: packMeta(STATUS_OCCUPIED, version++) };
          applier.apply(
            payloadOf(SHARD, layout, 2, [event], () => version),
            SCAN,
          );
        }
        const payload = longestPayload(layout, packMeta(STATUS_OCCUPIED, version));
        return [applier.apply(payload, SCAN), applier.pendingBytes, writesOf(applier)];
      });
    });
  }

  test("keeps the table and what is pending when it grows", () => {
    const layout = slotLayout(32, 1000);
    onBoth(layout, 1, (applier) => {
      const seen: unknown[] = [];
      for (let slot = 0; slot < 200_000; slot = slot * 3 + 1) {
        const event = { slot, meta: packMeta(STATUS_OCCUPIED, slot) };
        const payload = payloadOf(SHARD, layout, 2, [event], () => slot);
        const outcome = applier.apply(payload, SCAN);
        if (outcome.kind === "grow") {
          applier.grow(slot + 1);
          applier.apply(payload, SCAN);
        }
        seen.push(outcome, applier.slotCount, applier.word(slot), applier.isSeen(slot));
      }
      return [seen, applier.word(1), applier.isSeen(4), writesOf(applier)];
    });
  });

  test("a batch when the pending writes were not taken is a bug", () => {
    const layout = slotLayout(8, 64);
    const applier = wasmApplier(layout, 40_000);
    applier.apply(longestPayload(layout, packMeta(STATUS_OCCUPIED, 1)), SCAN);
    applier.apply(longestPayload(layout, packMeta(STATUS_OCCUPIED, 2)), SCAN);
    const third = longestPayload(layout, packMeta(STATUS_OCCUPIED, 3));
    expect(() => applier.apply(third, SCAN)).toThrow(Bug);
  });

  test("is not made for more slots than its memory can hold", () => {
    expect(WasmApplier.create(SHARD, SMALLEST, 600_000_000)).toBeNull();
  });

  test("a growth past its memory is an error that says so, and the table stays", () => {
    const applier = wasmApplier(SMALLEST, 10);
    expect(() => applier.grow(600_000_000)).toThrow("Cannot hold 600000000 slots in memory");
    expect(applier.slotCount).toBe(10);
  });
});

test("createApplier gives the fast applier where it can", () => {
  expect(createApplier(SHARD, SMALLEST, 10)).toBeInstanceOf(WasmApplier);
});
