// Scans blocks of a shard that another thread scans from its start. Used by scan/scan-thread.ts when no shard is left to begin.
// Promises: memory for so many slots and no more; what is not sound in every way is left to the shard's own thread, as if
// nobody had looked.

import { slotOffset } from "../../format/shard-header.ts";
import type { DiskFile } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { tryDisk } from "../look/file-look.ts";
import type { ScanTools } from "./shard.ts";
import { type BlockClaims, type BlockSummary, type HelpedBlock, type SlotRange } from "./blocks.ts";
import type { ScanTask } from "./data.ts";
import { SidecarReader } from "../check/sidecar.ts";
import { SLOT_REMARKABLE, SLOT_SUSPECT, SlotChecker } from "./slot-check.ts";
import { SlotNotes } from "./slot-notes.ts";

/** Of an answer; 9 bytes each. */
const HELP_SLOTS_MAX = 1024 * 1024;

/** What a helper did of a shard. */
export interface Help {
  readonly blocks: readonly HelpedBlock[];
  /** Nothing more is to be done for this shard, or nothing that is of use. */
  readonly isOver: boolean;
}

type HelperClaims = Pick<BlockClaims, "takeLast" | "rangeOf" | "slotsPerBlock" | "left">;
type HelpTools = Pick<ScanTools, "disk" | "clock" | "shouldStop">;

/** Scans blocks until none is to be had, one is not sound, or the answer is large enough. Never throws for what the disk says. */
export function helpScan(task: ScanTask, claims: HelperClaims, tools: HelpTools): Help {
  const [opened] = tryDisk(() => new BlockScan(task, tools));
  if (opened === null) return { blocks: [], isOver: true };
  using scan = opened;
  const blocksMax = Math.max(1, Math.floor(HELP_SLOTS_MAX / claims.slotsPerBlock));
  const blocks: HelpedBlock[] = [];
  while (blocks.length < blocksMax) {
    const block = claims.takeLast();
    if (block === null) return { blocks, isOver: claims.left === 0 };
    const summary = scan.run(claims.rangeOf(block));
    blocks.push({ block, summary });
    if (summary === null) return { blocks, isOver: true };
  }
  return { blocks, isOver: false };
}

class BlockScan implements Disposable {
  readonly #task: ScanTask;
  readonly #file: DiskFile;
  readonly #tools: HelpTools;
  readonly #reader: OrderedReader;
  readonly #checker: SlotChecker;
  readonly #sidecar: SidecarReader | null;

  /** Throws DiskError where a file cannot be opened. */
  constructor(task: ScanTask, tools: HelpTools) {
    const { layout, routing, path, sidecarPath } = task;
    const file = tools.disk.open(path, "read");
    this.#task = task;
    this.#file = file;
    this.#tools = tools;
    this.#reader = new OrderedReader(file, tools.clock);
    this.#checker = new SlotChecker(layout, routing);
    try {
      this.#sidecar = sidecarPath === null ? null : new SidecarReader(tools.disk, sidecarPath);
    } catch (thrown) {
      file.close();
      throw thrown;
    }
  }

  /** Null when it was stopped, or a slot is not sound, or cannot be read. */
  run({ first, slots }: SlotRange): BlockSummary | null {
    const checker = this.#checker;
    const facts = new Uint8Array(slots);
    const fingerprints = new BigUint64Array(slots);
    const notes = new SlotNotes();
    checker.takeSums();
    for (let at = 0; at < slots; at += checker.slotsMax) {
      if (this.#tools.shouldStop()) return null;
      const count = Math.min(checker.slotsMax, slots - at);
      if (!this.#check(first + at, count, notes)) return null;
      facts.set(checker.facts.subarray(0, count), at);
      fingerprints.set(checker.fingerprints.subarray(0, count), at);
    }
    const bytesRead = slots * this.#task.layout.slotSize;
    return { ...checker.takeSums(), bytesRead, facts, fingerprints, notes: notes.counts };
  }

  #check(first: number, slots: number, notes: SlotNotes): boolean {
    const { slotSize } = this.#task.layout;
    const checker = this.#checker;
    const bytes = checker.chunk.subarray(0, slots * slotSize);
    const [got] = tryDisk(() => this.#reader.read(bytes, slotOffset(first, slotSize)));
    if (got !== bytes.length) return false;
    const joined = checker.check(slots);
    if ((joined & SLOT_SUSPECT) !== 0) return false;
    const sidecar = this.#sidecar;
    if (sidecar !== null) {
      const [words] = tryDisk(() => sidecar.read(first, slots));
      if (words === null || !checker.hasMetas(words, slots)) return false;
    }
    if ((joined & SLOT_REMARKABLE) === 0) return true;
    for (let index = 0; index < slots; index++)
      notes.addSlot(checker.facts[index] as number, first + index);
    return true;
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#sidecar?.close();
  }
}
