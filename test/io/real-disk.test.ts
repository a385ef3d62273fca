// Bytes that go to the real disk from within memory: only those asked for, from where they lie now.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { realDisk, WRITE_BYTES_MAX } from "../../src/io/real-disk.ts";
import { TempRoot } from "../support/temp.ts";
import { need } from "../support/needs.ts";

/** What a file holds after these writes. */
function written(root: TempRoot, write: (file: ReturnType<typeof realDisk.open>) => void): Buffer {
  const path = join(root.path, "parts");
  const file = realDisk.open(path, "create");
  try {
    write(file);
  } finally {
    file.close();
  }
  return readFileSync(path);
}

test("a part of memory is written where it belongs, and nothing beside it", () => {
  using root = new TempRoot("real-disk");
  const bytes = written(root, (file) => {
    file.write(new Uint8Array(12).fill(0xee), 0);
    file.writePart(Uint8Array.of(1, 2, 3, 4, 5, 6), 2, 5, 4);
    file.writePart(Uint8Array.of(7, 8), 1, 1, 0);
  });
  expect([...bytes]).toEqual([...Array(4).fill(0xee), 3, 4, 5, ...Array(5).fill(0xee)]);
});

test("a part of a view counts from the view's first byte", () => {
  using root = new TempRoot("real-disk");
  const buffer = new ArrayBuffer(4096);
  new Uint8Array(buffer).set([1, 2, 3, 4, 5, 6], 1000);
  const view = new Uint8Array(buffer, 1002, 100);
  expect([...written(root, (file) => file.writePart(view, 1, 3, 0))]).toEqual([4, 5]);
});

/** More than five calls may have. */
function long(): Uint8Array {
  const memory = new Uint8Array(5 * WRITE_BYTES_MAX + 1);
  for (let index = 0; index < memory.length; index++) memory[index] = (index * 7919) >>> 5;
  return memory;
}

test("a part that takes several calls is whole", () => {
  using root = new TempRoot("real-disk");
  const memory = long();
  const bytes = written(root, (file) => file.writePart(memory, 3, memory.length, 5));
  expect(bytes.subarray(5).equals(memory.subarray(3))).toBe(true);
});

/** Writes that this thread has asked the system for; null where the kernel does not count them. */
function writesAsked(): number | null {
  const counts = "/proc/thread-self/io";
  if (!existsSync(counts)) return null;
  return Number(/^syscw: (\d+)$/m.exec(readFileSync(counts, "latin1"))?.[1]);
}

test.if(need("count of writes in /proc", writesAsked() !== null))(
  "no call has more than the bound, and none less than it has to",
  () => {
    using root = new TempRoot("real-disk");
    written(root, (file) => {
      const memory = long();
      const before = writesAsked() ?? 0;
      file.write(memory, 0);
      expect((writesAsked() ?? 0) - before).toBe(6);
    });
  },
);

test("what memory holds at the time of a write is written, also of an array that the runtime has moved", () => {
  using root = new TempRoot("real-disk");
  const memory = Uint8Array.of(1, 2, 3, 4);
  const bytes = written(root, (file) => {
    file.writePart(memory, 0, 4, 0);
    expect(memory.buffer.byteLength).toBe(4);
    Bun.gc(true);
    memory.fill(9);
    file.writePart(memory, 0, 4, 4);
  });
  expect([...bytes]).toEqual([1, 2, 3, 4, 9, 9, 9, 9]);
});

test("memory that has grown is written from where it lies now, and what it was before from nowhere", () => {
  using root = new TempRoot("real-disk");
  const kernel = new WebAssembly.Memory({ initial: 1, maximum: 64 });
  const before = new Uint8Array(kernel.buffer);
  before.fill(5, 0, 4);
  const bytes = written(root, (file) => {
    file.writePart(before, 0, 4, 0);
    kernel.grow(63);
    expect(() => file.writePart(before, 0, 4, 4)).toThrow("a write from outside its memory");
    const after = new Uint8Array(kernel.buffer);
    after.fill(6, 2, 4);
    file.writePart(after, 0, 4, 4);
  });
  expect([...bytes]).toEqual([5, 5, 5, 5, 5, 5, 6, 6]);
});

test("bytes past the end of memory are never written", () => {
  using root = new TempRoot("real-disk");
  const bytes = written(root, (file) => {
    for (const [start, end] of [
      [0, 5],
      [-1, 2],
    ] as const) {
      expect(() => file.writePart(new Uint8Array(4), start, end, 0)).toThrow("outside its memory");
    }
  });
  expect(bytes.length).toBe(0);
});

test("no call goes to the system with an offset that is none", () => {
  using root = new TempRoot("real-disk");
  const bytes = written(root, (file) => {
    for (const offset of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => file.writePart(new Uint8Array(4), 0, 4, offset)).toThrow(
        `file offset ${offset}`,
      );
      expect(() => file.read(new Uint8Array(4), offset)).toThrow(`file offset ${offset}`);
    }
  });
  expect(bytes.length).toBe(0);
});
