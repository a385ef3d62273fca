// The load of a replica: what it asks of the disk besides its reads, what it does not read, and that it hears a stop.

import { describe, expect, test } from "bun:test";
import { packMeta, type SlotLayout, slotLayout } from "../../src/format/slot.ts";
import { slotOffset } from "../../src/format/shard-header.ts";
import { slotsPerChunk } from "../../src/format/slot-scanner.ts";
import type { DiskFile } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { SharedCells } from "../../src/replica/threads/shared-cells.ts";
import { loadSlots } from "../../src/store/load-slots.ts";
import { ManualClock } from "../support/manual-clock.ts";

const LAYOUT: SlotLayout = slotLayout(8, 64);
const CHUNK_SLOTS = slotsPerChunk(LAYOUT);

/** A file of zeros that writes its calls down; the calls that are given do what they do. */
function fileOf(calls: string[], given: Partial<DiskFile> = {}): DiskFile {
  const file = realDisk.open(import.meta.path, "read");
  file.read = (into, offset) => {
    into.fill(0);
    calls.push(`read ${offset}`);
    return into.length;
  };
  file.nextData = (offset) => offset;
  return Object.assign(file, given);
}

/** What a load of so many slots comes to. */
function load(file: DiskFile, slots: number, cells = new SharedCells(), clock = new ManualClock()) {
  const table = new PlainApplier(0, LAYOUT, slots);
  const counts = loadSlots(file, table, { layout: LAYOUT, attention: cells, clock });
  file.close();
  return { counts, table };
}

const at = (slot: number) => slotOffset(slot, LAYOUT.slotSize);

test("a load has what follows its first read from the disk read ahead, however fast that was", () => {
  const calls: string[] = [];
  const file = fileOf(calls, {
    blocksFetched: () => calls.length,
    willRead: (offset) => void calls.push(`ahead from ${offset}`),
  });
  const { counts } = load(file, 2 * CHUNK_SLOTS);
  expect(counts).toMatchObject({ free: 2 * CHUNK_SLOTS, torn: 0 });
  expect(calls).toEqual([
    `read ${at(0)}`,
    `ahead from ${at(2 * CHUNK_SLOTS)}`,
    `read ${at(CHUNK_SLOTS)}`,
  ]);
});

describe("holes of a file", () => {
  test("are counted and not read: what is read begins with the slot that data lies in", () => {
    const calls: string[] = [];
    const slots = 600_000_000;
    const [first, second] = [1_000_003, 500_000_000];
    const file = fileOf(calls, {
      nextData: (offset) => {
        if (offset <= at(first) + 70) return at(first) + 70;
        return offset <= at(second) ? at(second) : null;
      },
    });
    const read = file.read.bind(file);
    file.read = (into, offset) => {
      const got = read(into, offset);
      new DataView(into.buffer, into.byteOffset).setUint32(0, packMeta(2, 7), true);
      return got;
    };
    const { counts, table } = load(file, slots);
    expect(calls).toEqual([`read ${at(first)}`, `read ${at(second)}`]);
    expect(counts).toEqual({ occupied: 0, deleted: 2, free: slots - 2, torn: 0 });
    expect([first, second].map((slot) => table.word(slot))).toEqual(
      [first, second].map(() => packMeta(2, 7)),
    );
  });

  test("up to the end leave nothing to be read", () => {
    const calls: string[] = [];
    const { counts } = load(fileOf(calls, { nextData: () => null }), 1_000_000);
    expect([counts?.free, calls]).toEqual([1_000_000, []]);
  });
});

describe("a load that is to stop", () => {
  test("hears it before its next read, and has shown that it lives before each", () => {
    const [cells, clock] = [new SharedCells(), new ManualClock()];
    const calls: string[] = [];
    const pulses: number[] = [];
    const file = fileOf(calls);
    const read = file.read.bind(file);
    file.read = (into, offset) => {
      clock.advance(40);
      pulses.push(clock.nowMs() - (cells.pulseAtMs ?? 0));
      if (calls.length === 2) cells.stop();
      return read(into, offset);
    };
    const { counts } = load(file, 10 * CHUNK_SLOTS, cells, clock);
    expect([counts, calls.length, pulses]).toEqual([null, 3, [40, 40, 40]]);
  });

  test("is not begun where that was said before", () => {
    const cells = new SharedCells();
    cells.stop();
    const calls: string[] = [];
    expect(load(fileOf(calls), 10, cells).counts).toBe(null);
    expect(calls).toEqual([]);
  });
});
