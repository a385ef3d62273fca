// Reads the log of a RecordingDisk: short words per call, and the questions about order that the tests ask of them.

import { basename } from "node:path";
import { expect } from "bun:test";
import type { DiskCall, RecordingDisk } from "./recording-disk.ts";

const HEADER_BYTES = 4096;
/** Offsets in the header of a shard (format.md). */
const SLOT_COUNT_OFFSET = 8;
const CLEAN_FLAG_OFFSET = 17;

/** `write slots fixed.data`, `fdatasync fixed.data`, `rename fixed_repl.cursor.tmp`: what a call did, and to what. */
export function wordOf(call: DiskCall): string {
  return `${kindOf(call)} ${basename(call.path)}`;
}

function kindOf({ operation, offset = 0, data }: DiskCall): string {
  if (operation !== "write" || data === undefined) return operation;
  if (offset >= HEADER_BYTES) return "write slots";
  if (offset === CLEAN_FLAG_OFFSET && data.length === 1) return `write flag ${data[0]}`;
  if (offset === SLOT_COUNT_OFFSET && data.length === 4) return "write count";
  return "write";
}

/** Words of the calls from `from` on, without those that only look. */
export function wordsFrom(disk: RecordingDisk, from = 0): string[] {
  const words = disk.calls.slice(from).map(wordOf);
  return words.filter((word) => !/^(read|close|own|open read) /.test(word));
}

/** These words come in this order, others in between. */
export function expectInOrder(words: readonly string[], wanted: readonly string[]): void {
  let from = 0;
  for (const word of wanted) {
    const at = words.indexOf(word, from);
    if (at < 0) expect(words.slice(from)).toContain(word);
    from = at + 1;
  }
}

/** Times of the calls with this word. */
export function timesOf(disk: RecordingDisk, word: string): number[] {
  return disk.calls.filter((call) => wordOf(call) === word).map((call) => call.atMs);
}
