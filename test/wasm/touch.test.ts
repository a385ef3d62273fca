// Memory of the slot table: the system is asked for each page once, by a write, and for none that no slot falls into.

import { describe, expect, test } from "bun:test";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { WasmApplier } from "../../src/replica/apply/wasm-applier.ts";
import { GROUP_BYTES, GROUP_SLOTS } from "../../src/wasm/cells.ts";
import { BATCH_PREFIX_BYTES, EVENT_HEADER_BYTES } from "../../src/wire/slot-batch.ts";

const LAYOUT = slotLayout(1, 0);
const PAGE_BYTES = 4096;
const PAGES = 8_000;
const GROUPS_PER_PAGE = PAGE_BYTES / GROUP_BYTES;
/** Slots whose groups take up so many pages. */
const SLOTS = Math.floor(PAGES * GROUPS_PER_PAGE) * GROUP_SLOTS;
const EVENT_BYTES = EVENT_HEADER_BYTES + 1;

function applier(): WasmApplier {
  const made = WasmApplier.create(0, LAYOUT, SLOTS);
  if (made === null) throw new Error("no memory for WebAssembly");
  return made;
}

/** An OCCUPIED event for a slot of each page, in order. */
function eventOfEachPage(): Uint8Array {
  const payload = new Uint8Array(BATCH_PREFIX_BYTES + PAGES * EVENT_BYTES);
  const view = new DataView(payload.buffer);
  view.setUint32(1, PAGES, true);
  for (let page = 0; page < PAGES; page++) {
    const at = BATCH_PREFIX_BYTES + page * EVENT_BYTES;
    view.setUint32(at, Math.floor(page * GROUPS_PER_PAGE) * GROUP_SLOTS, true);
    view.setUint32(at + 4, packMeta(STATUS_OCCUPIED, 1), true);
  }
  return payload;
}

/** Pages that this process was given while `run` ran. */
function pagesAskedFor(run: () => void): number {
  const before = process.resourceUsage().minorPageFault;
  run();
  return process.resourceUsage().minorPageFault - before;
}

/** What the runtime itself may ask for meanwhile. */
const PAGES_OF_RUNTIME = PAGES / 4;

describe("touch()", () => {
  test("a scan asks for each page of the table once", () => {
    const payload = eventOfEachPage();
    const table = applier();
    const options = { protocol: 1, purpose: "scan", resetsSaved: false } as const;
    const asked = pagesAskedFor(() => {
      table.beginScan();
      expect(table.apply(payload, options)).toMatchObject({ kind: "applied", taken: PAGES });
    });
    // Read first, each page would be asked for twice.
    expect(asked).toBeLessThan(PAGES + PAGES_OF_RUNTIME);
  });

  test("a table that is filled from a file asks for each page once", () => {
    const table = applier();
    const asked = pagesAskedFor(() => {
      for (let page = 0; page < PAGES; page++) {
        const slot = Math.floor(page * GROUPS_PER_PAGE) * GROUP_SLOTS;
        table.setSlot(slot, packMeta(STATUS_OCCUPIED, 1), 0);
      }
    });
    expect(asked).toBeLessThan(PAGES + PAGES_OF_RUNTIME);
  });

  test("a scan over a table that was never used asks for no page of it", () => {
    const table = applier();
    expect(pagesAskedFor(() => table.beginScan())).toBeLessThan(PAGES_OF_RUNTIME);
  });

  test("a scan forgets the marks of the one before, to the last slot", () => {
    const table = applier();
    const options = { protocol: 1, purpose: "scan", resetsSaved: false } as const;
    const payload = eventOfEachPage().subarray(0, BATCH_PREFIX_BYTES + EVENT_BYTES);
    const view = new DataView(payload.buffer);
    view.setUint32(1, 1, true);
    view.setUint32(BATCH_PREFIX_BYTES, SLOTS - 1, true);
    table.beginScan();
    table.apply(payload, options);
    expect(table.isSeen(SLOTS - 1)).toBe(true);
    table.beginScan();
    expect(table.isSeen(SLOTS - 1)).toBe(false);
  });
});
