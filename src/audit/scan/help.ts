// Scans blocks of a shard that another thread scans from its start. Used by scan/scan-thread.ts when no shard is left to begin.
// Promises: memory for so many slots and no more; what a block comes to is the same whoever scans it.

import { slotOffset } from "../../format/shard-header.ts";
import { tryDisk } from "../look/file-look.ts";
import { BlockScanner } from "./block.ts";
import { type BlockClaims, readableSlots } from "./claims.ts";
import type { Help, HelpedBlock, ScanTask, SlotRange } from "./data.ts";
import type { ScanTools } from "./shard.ts";
import type { SlotChecker } from "./slot-check.ts";

/** Of an answer; 9 bytes each. */
const HELP_SLOTS_MAX = 1024 * 1024;

type HelperClaims = Pick<BlockClaims, "takeLast" | "rangeOf" | "slotsPerBlock" | "left">;
type HelpTools = Pick<ScanTools, "disk" | "task" | "budget" | "state">;

/** Scans blocks until none is to be had, or the answer is large enough. Never throws for what the disk says. */
export async function helpScan(
  scan: ScanTask,
  claims: HelperClaims,
  { disk, task, budget, state }: HelpTools,
): Promise<Help> {
  const [file] = tryDisk(() => disk.open(scan.path, "read"));
  if (file === null) return { blocks: [], isOver: true };
  const blocksMax = Math.max(1, Math.floor(HELP_SLOTS_MAX / claims.slotsPerBlock));
  const blocks: HelpedBlock[] = [];
  let keys: BlockKeys | null = null;
  const { slotSize } = scan.layout;
  const part = task.part({
    name: "slots",
    shard: scan.shard,
    unitBytes: slotSize,
    totalBytes: slotOffset(readableSlots(scan), slotSize),
  });
  using scanner = new BlockScanner(scan, file, state.comparesSidecar === true, {
    disk,
    task,
    part,
    budget,
    seen: (checker, first, slots) => keys?.add(checker, first, slots),
  });
  try {
    while (blocks.length < blocksMax) {
      const block = claims.takeLast();
      if (block === null) return { blocks, isOver: claims.left === 0 };
      const range = claims.rangeOf(block);
      keys = scan.duplicateBytesMax === 0 ? null : new BlockKeys(range);
      const result = await scanner.scan(range);
      blocks.push({ result, keys: result.sums.occupied === 0 ? null : keys });
      if (result.stopped) return { blocks, isOver: true };
    }
  } finally {
    file.close();
  }
  return { blocks, isOver: false };
}

/** What crosses to another thread without a copy. */
export function buffersOf(blocks: readonly HelpedBlock[]): ArrayBuffer[] {
  return blocks.flatMap(({ keys }) =>
    keys === null ? [] : [keys.facts.buffer, keys.fingerprints.buffer],
  );
}

/** Facts and fingerprints of a block; what was not read has none. */
class BlockKeys {
  readonly facts: Uint8Array<ArrayBuffer>;
  readonly fingerprints: BigUint64Array<ArrayBuffer>;
  readonly #first: number;

  constructor({ first, slots }: SlotRange) {
    this.facts = new Uint8Array(slots);
    this.fingerprints = new BigUint64Array(slots);
    this.#first = first;
  }

  add(checker: SlotChecker, first: number, slots: number): void {
    this.facts.set(checker.facts.subarray(0, slots), first - this.#first);
    this.fingerprints.set(checker.fingerprints.subarray(0, slots), first - this.#first);
  }
}
