// Reads a block of neighbouring slots and says all there is to say of it: what it counts, what is wrong, what its keys are. The
// one loop over slots of a scan: the shard's own thread, those that help it (scan/claims.ts), and what lies past the last slot.
// Promises: every slot is counted once or unread; what looks bad is read again before it is called so.

import { equalBytes } from "../../bytes.ts";
import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import { type ChunkSummary, slotsPerChunk } from "../../format/slot-scanner.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { SidecarReader } from "../check/sidecar.ts";
import { type FindingBudget, FindingList } from "../finding-list.ts";
import type { Finding } from "../findings.ts";
import { tryDisk } from "../look/file-look.ts";
import { Stopped } from "../stopped.ts";
import type { Part, Task } from "../task.ts";
import type { BlockResult, ScanTask, SlotRange } from "./data.ts";
import { SLOT_REMARKABLE, SLOT_SUSPECT, SlotChecker, SlotSums } from "./slot-check.ts";
import { SlotFindings } from "./slot-findings.ts";

/** Looks at what seems bad: at once, and where a writer is known or seen after pauses, ms. */
export const LOOK_PAUSES_MS = [0, 5, 10, 20, 40, 80] as const;
/** Where more slots of a chunk are to be read again, all of it is. */
const SINGLE_READS_MAX = 64;

export interface BlockTools {
  readonly disk: Disk;
  readonly task: Task;
  readonly part: Part;
  readonly budget: FindingBudget;
  /** Sees each chunk after its check; valid during the call. */
  seen(checker: SlotChecker, first: number, slots: number): void;
}

export class BlockScanner implements Disposable {
  readonly #scan: ScanTask;
  readonly #file: DiskFile;
  readonly #tools: BlockTools;
  readonly #reader: OrderedReader;
  readonly #checker: SlotChecker;
  #sidecar: SidecarReader | null = null;
  /** Why its words could not be compared to the end. */
  #sidecarFault: string | null = null;
  #single: Uint8Array | null = null;
  #again: Uint8Array | null = null;

  /** `file` stays the caller's. `comparesSidecar`: its crc was right. */
  constructor(scan: ScanTask, file: DiskFile, comparesSidecar: boolean, tools: BlockTools) {
    this.#scan = scan;
    this.#file = file;
    this.#tools = tools;
    this.#reader = new OrderedReader(file, tools.task.clock);
    const slotsMax = Math.min(slotsPerChunk(scan.layout), Math.max(1, scan.slotCount));
    this.#checker = new SlotChecker(scan.layout, scan.routing, slotsMax);
    const { sidecarPath } = scan;
    if (!comparesSidecar || sidecarPath === null) return;
    const [sidecar, error] = tryDisk(() => new SidecarReader(tools.disk, sidecarPath));
    this.#sidecar = sidecar;
    this.#sidecarFault = error?.errno ?? null;
  }

  /** Scans one block after another. Never throws for what the disk says, nor at a stop: then it says how far it came. */
  async scan(range: SlotRange): Promise<BlockResult> {
    const { slotSize } = this.#scan.layout;
    const { task, part, budget } = this.#tools;
    const block = new Block(this.#scan, budget);
    const start = slotOffset(range.first, slotSize);
    const end = start + range.slots * slotSize;
    let stopped = false;
    try {
      for await (const chunk of task.chunks(part, this.#reader, start, end, this.#checker.chunk)) {
        const first = (chunk.offset - SHARD_HEADER_BYTES) / slotSize;
        if (chunk.kind === "bytes") {
          const more = this.#check(block, first, chunk.bytes.length / slotSize, range);
          if (more !== null) await more;
        } else {
          block.changed ||= chunk.isCut;
          block.addUnreadable(first, chunk.byteCount / slotSize, chunk.reason);
        }
      }
    } catch (thrown) {
      if (!(thrown instanceof Stopped)) throw thrown;
      stopped = true;
    }
    return block.result(range, this.#sidecarFault, stopped);
  }

  /** Null: done. A step of a promise for each chunk is not free. */
  #check(block: Block, first: number, slots: number, range: SlotRange): Promise<void> | null {
    const summary = this.#checker.check(slots);
    const isSuspect = (summary.facts & SLOT_SUSPECT) !== 0;
    if (isSuspect || this.#sidecar !== null)
      return this.#checkMore(block, first, slots, range, summary);
    block.add(this.#checker, first, slots, summary, null);
    this.#tools.seen(this.#checker, first, slots);
    return null;
  }

  async #checkMore(
    block: Block,
    first: number,
    slots: number,
    range: SlotRange,
    before: ChunkSummary,
  ): Promise<void> {
    const checker = this.#checker;
    const isSuspect = (before.facts & SLOT_SUSPECT) !== 0;
    const summary = isSuspect ? await this.#lookAgain(block, first, slots, before) : before;
    const words = await this.#wordsOf(first, slots, range.first + range.slots);
    block.add(checker, first, slots, summary, words);
    this.#tools.seen(checker, first, slots);
  }

  /** All that looks bad in a chunk shares the pauses. */
  async #lookAgain(
    block: Block,
    first: number,
    slots: number,
    before: ChunkSummary,
  ): Promise<ChunkSummary> {
    let summary = before;
    let changed = false;
    for (const pauseMs of LOOK_PAUSES_MS) {
      if ((summary.facts & SLOT_SUSPECT) === 0) break;
      if (pauseMs > 0 && !this.#scan.isLive && !changed) break;
      await this.#tools.task.pause(pauseMs);
      if (!(await this.#readSuspects(first, slots))) continue;
      changed = true;
      summary = this.#checker.check(slots);
    }
    block.changed ||= changed;
    return summary;
  }

  /** Reads suspect slots into the chunk again. True when any of them has changed. */
  async #readSuspects(first: number, slots: number): Promise<boolean> {
    const { slotSize } = this.#scan.layout;
    const suspects = suspectsOf(this.#checker.facts, slots);
    const isWhole = suspects.length > SINGLE_READS_MAX;
    if (isWhole) this.#again ??= new Uint8Array(this.#checker.chunk.length);
    const whole = isWhole ? (this.#again as Uint8Array).subarray(0, slots * slotSize) : null;
    if (whole !== null && !(await this.#readAt(whole, first))) return false;
    this.#single ??= new Uint8Array(slotSize);
    let changed = false;
    for (const index of suspects) {
      const now = whole?.subarray(index * slotSize, (index + 1) * slotSize) ?? this.#single;
      if (whole === null && !(await this.#readAt(now, first + index))) continue;
      const before = this.#checker.slotAt(index);
      if (equalBytes(now, before)) continue;
      before.set(now);
      changed = true;
    }
    return changed;
  }

  async #readAt(into: Uint8Array, slot: number): Promise<boolean> {
    const offset = slotOffset(slot, this.#scan.layout.slotSize);
    const [got] = tryDisk(() => this.#file.read(into, offset));
    if (got !== null) await this.#tools.task.pay(got);
    return got === into.length;
  }

  /** The sidecar's words for slots; null where they are not compared. */
  async #wordsOf(first: number, slots: number, end: number): Promise<Uint32Array | null> {
    if (this.#sidecar === null || this.#sidecarFault !== null) return null;
    const words = this.#sidecar.read(first, slots, end);
    if (words === null) this.#sidecarFault = this.#sidecar.reason;
    const bytes = this.#sidecar.takeReadBytes();
    if (bytes > 0) await this.#tools.task.pay(bytes);
    return words;
  }

  [Symbol.dispose](): void {
    this.#sidecar?.close();
  }
}

/** A block while it is scanned. */
class Block {
  readonly #sums = new SlotSums();
  readonly #list: FindingList;
  readonly #findings: SlotFindings;
  #read = 0;
  changed = false;

  constructor(scan: ScanTask, budget: FindingBudget) {
    this.#list = new FindingList(budget);
    this.#findings = new SlotFindings(scan, this.#list);
  }

  add(
    checker: SlotChecker,
    first: number,
    slots: number,
    summary: ChunkSummary,
    words: Uint32Array | null,
  ): void {
    this.#sums.add(summary);
    this.#read += slots;
    if ((summary.facts & SLOT_REMARKABLE) !== 0)
      this.#findings.addChunk(checker, first, slots, words);
    if (words !== null) this.#findings.addSidecarWords(checker, words, first, slots);
  }

  addUnreadable(first: number, slots: number, reason: string): void {
    this.#findings.addUnreadable(first, slots, reason);
  }

  result({ first, slots }: SlotRange, sidecarFault: string | null, stopped: boolean): BlockResult {
    const { occupied, deleted, free, damaged, versionMin, versionMax } = this.#sums;
    return {
      first,
      slots,
      sums: { occupied, deleted, free, damaged, versionMin, versionMax },
      unread: slots - this.#read,
      findings: this.#list.all,
      notes: this.#findings.notes.counts,
      sidecarFault,
      changed: this.changed,
      stopped,
    };
  }
}

function suspectsOf(facts: Uint8Array, slots: number): number[] {
  const suspects: number[] = [];
  for (let index = 0; index < slots; index++) {
    if (((facts[index] as number) & SLOT_SUSPECT) !== 0) suspects.push(index);
  }
  return suspects;
}
