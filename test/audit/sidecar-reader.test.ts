// The words of a sidecar, asked for chunk by chunk: right wherever a chunk lies, in few reads.

import { expect, test } from "bun:test";
import { SidecarReader } from "../../src/audit/check/sidecar.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { TempRoot } from "../support/temp.ts";

const WORDS = 300_000;

/** A sidecar whose words are their own numbers, and how often it is read. */
function stage(path: string) {
  const file = realDisk.open(path, "create");
  file.write(new Uint8Array(Uint32Array.from({ length: WORDS }, (_, word) => word).buffer), 0);
  file.close();
  let reads = 0;
  const disk: Disk = {
    ...realDisk,
    open(name, mode) {
      const opened = realDisk.open(name, mode);
      const read = opened.read.bind(opened);
      opened.read = (into, offset) => {
        reads += 1;
        return read(into, offset);
      };
      return opened;
    },
  };
  return { reader: new SidecarReader(disk, path), reads: () => reads };
}

test("chunks in order are read a quarter of a MiB at a time", () => {
  using temp = new TempRoot("sidecar");
  const { reader, reads } = stage(temp.fresh("words"));
  for (let first = 0; first < WORDS; first += 504) {
    const slots = Math.min(504, WORDS - first);
    const words = reader.read(first, slots);
    expect(words).toHaveLength(slots);
    expect([words?.[0], words?.at(-1)]).toEqual([first, first + slots - 1]);
  }
  reader.close();
  expect(reads()).toBeLessThanOrEqual(Math.ceil((4 * WORDS) / (256 * 1024)) + 1);
});

test("chunks anywhere, and longer ones than what is read ahead, are right; past the end there are none", () => {
  using temp = new TempRoot("sidecar");
  const { reader } = stage(temp.fresh("words"));
  for (const [first, slots] of [
    [200_000, 10],
    [0, 100_000],
    [50_000, 100_000],
    [149_999, 2],
    [WORDS - 1, 1],
  ] as const) {
    const words = reader.read(first, slots);
    expect(words).toHaveLength(slots);
    expect([words?.[0], words?.at(-1)]).toEqual([first, first + slots - 1]);
  }
  expect(reader.read(WORDS - 1, 2)).toBeNull();
  reader.close();
});
