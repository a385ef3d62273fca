// Reads one shard from its first slot to its last and says what is wrong with each (format.md: Slot, Routing). Used by
// verify (in threads), verify-cursor, inspect, and after a repair. Promises: every slot is counted once, as occupied,
// deleted, free, damaged or unread; what looks bad is read again before it is called so; opens for reading only.

import { assert } from "../../errors.ts";
import { slotOffset } from "../../format/shard-header.ts";
import type { Clock } from "../../io/clock.ts";
import { type Disk, DiskError, type DiskFile } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { DuplicateSearch } from "./duplicate-search.ts";
import { FindingList } from "../findings.ts";
import { breathe, pause, Throttle } from "./pacing.ts";
import {
  type BlockClaims,
  type BlockSummary,
  type HelpedBlock,
  readableSlots,
  type SlotRange,
} from "./blocks.ts";
import type { ScanResult, ScanTask } from "./data.ts";
import { liveSlotsPastCount } from "./tail.ts";
import { tryDisk } from "../look/file-look.ts";
import { SidecarReader } from "../check/sidecar.ts";
import { slotsPerChunk } from "../../format/slot-scanner.ts";
import { SLOT_REMARKABLE, SLOT_SUSPECT, SlotChecker } from "./slot-check.ts";
import { recheckSlots } from "./slot-recheck.ts";
import { SlotFindings } from "./slot-findings.ts";

/** What a scan runs on, besides its task. */
export interface ScanTools {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Asked before each chunk. */
  shouldStop(): boolean;
  /** Told after each chunk how many slots are done. */
  progress(slotsDone: number): void;
  /** Sees each chunk after its check; for inspect. */
  observe?(checker: SlotChecker, first: number, slots: number): void;
  /** Set where other threads may scan parts of the shard. */
  readonly help?: ScanHelp;
}

/** What helpers do of a scan (scan/blocks.ts). */
export interface ScanHelp {
  readonly claims: BlockClaims;
  /** The blocks that helpers are done with since it was last asked. */
  collect(): readonly HelpedBlock[];
}

/** How long the end of a scan waits for a helper's last blocks at a time. */
const HELPER_PAUSE_MS = 1;
/** Chunks between two turns of the event loop, so that signals and messages get through. */
const CHUNKS_PER_BREATH = 8;

/** Scans one shard. Never throws for what the disk says: what cannot be read is `unreadable`. */
export async function scanShard(task: ScanTask, tools: ScanTools): Promise<ScanResult> {
  const scan = new ShardScan(task, tools);
  return await scan.run();
}

class ShardScan {
  readonly #task: ScanTask;
  readonly #tools: ScanTools;
  readonly #findings = new FindingList();
  readonly #checker: SlotChecker;
  readonly #slotFindings: SlotFindings;
  readonly #duplicates: DuplicateSearch | null;
  readonly #throttle: Throttle;
  #file: DiskFile | null = null;
  #sidecar: SidecarReader | null = null;
  #unread = 0;
  /** Read, or tried to. */
  #slotsDone = 0;
  #bytesRead = 0;
  #changed = false;
  #stopped = false;

  constructor(task: ScanTask, tools: ScanTools) {
    this.#task = task;
    this.#tools = tools;
    const slotsMax = Math.min(slotsPerChunk(task.layout), Math.max(1, task.slotCount));
    this.#checker = new SlotChecker(task.layout, task.routing, slotsMax);
    this.#slotFindings = new SlotFindings(task, this.#findings);
    this.#duplicates = task.duplicateBytesMax === 0 ? null : new DuplicateSearch(task);
    this.#throttle = new Throttle(tools.clock, task.bytesPerSecond);
  }

  async run(): Promise<ScanResult> {
    try {
      this.#file = this.#tools.disk.open(this.#task.path, "read");
      this.#openSidecar();
      await this.#scanAll(new OrderedReader(this.#file, this.#tools.clock));
      this.#slotFindings.finish(this.#checker.versionMax);
      if (!this.#stopped) await this.#afterwards(this.#file);
    } catch (thrown) {
      if (!(thrown instanceof DiskError) || this.#file !== null) throw thrown;
      this.#addUnreadable(0, this.#task.slotCount, thrown.errno);
      this.#slotFindings.finish(this.#checker.versionMax);
    } finally {
      this.#file?.close();
      this.#sidecar?.close();
    }
    return this.#result();
  }

  #openSidecar(): void {
    const { sidecarPath } = this.#task;
    if (sidecarPath === null) return;
    const [sidecar, error] = tryDisk(() => new SidecarReader(this.#tools.disk, sidecarPath));
    this.#sidecar = sidecar;
    if (error !== null) this.#slotFindings.addSidecarUnreadable(error.errno);
  }

  /** What the sidecar in use has for these slots; null where none is in use, or no more, once a part could not be read. */
  #wordsOf(first: number, slots: number): Uint32Array | null {
    const sidecar = this.#sidecar;
    if (sidecar === null) return null;
    const [words, error] = tryDisk(() => sidecar.read(first, slots));
    if (words !== null) return words;
    this.#slotFindings.addSidecarUnreadable(error?.errno ?? "it became shorter");
    this.#sidecar = null;
    sidecar.close();
    return null;
  }

  async #scanAll(reader: OrderedReader): Promise<void> {
    const end = readableSlots(this.#task);
    this.#unread += this.#task.slotCount - end;
    const { help } = this.#tools;
    if (help === undefined) await this.#scanSlots(reader, { first: 0, slots: end });
    else await this.#scanShared(reader, help);
    this.#unread += end - this.#slotsDone;
  }

  /** Blocks from the first on, while helpers take them from the last on. */
  async #scanShared(reader: OrderedReader, help: ScanHelp): Promise<void> {
    const { claims } = help;
    const returned: number[] = [];
    let blocksOver = 0;
    const collect = () => {
      for (const { block, summary } of help.collect()) {
        blocksOver += 1;
        claims.noteCollected();
        if (summary === null) returned.push(block);
        else this.#addHelped(claims.rangeOf(block).first, summary);
      }
    };
    for (let block = claims.takeFirst(); block !== null; block = claims.takeFirst()) {
      await this.#scanSlots(reader, claims.rangeOf(block));
      if (this.#stopped) return;
      blocksOver += 1;
      collect();
    }
    while (blocksOver < claims.count) {
      if (this.#tools.shouldStop()) {
        this.#stopped = true;
        return;
      }
      await pause(this.#tools.clock, HELPER_PAUSE_MS);
      collect();
    }
    // In the order of the file, as neighbours may share a finding. All lie behind the blocks that were scanned here.
    for (const block of returned.sort((left, right) => left - right)) {
      await this.#scanSlots(reader, claims.rangeOf(block));
      if (this.#stopped) return;
    }
  }

  #addHelped(first: number, summary: BlockSummary): void {
    const { facts, fingerprints } = summary;
    this.#checker.addSummary(summary);
    this.#slotFindings.notes.addAll(summary.notes);
    this.#duplicates?.addChunk(facts, fingerprints, first, facts.length);
    this.#bytesRead += summary.bytesRead;
    this.#addDone(facts.length);
  }

  #addDone(slots: number): void {
    this.#slotsDone += slots;
    this.#tools.progress(this.#slotsDone);
  }

  async #scanSlots(reader: OrderedReader, range: SlotRange): Promise<void> {
    const { slotSize } = this.#task.layout;
    const end = range.first + range.slots;
    let chunks = 0;
    for (let first = range.first; first < end; first += this.#checker.slotsMax) {
      if (this.#tools.shouldStop()) {
        this.#stopped = true;
        return;
      }
      const slots = Math.min(this.#checker.slotsMax, end - first);
      await this.#scanRange(reader, first, slots);
      this.#addDone(slots);
      await this.#throttle.spend(slots * slotSize, () => this.#tools.shouldStop());
      chunks += 1;
      if (chunks % CHUNKS_PER_BREATH === 0) await breathe();
    }
  }

  /** Reads and checks slots; a range that cannot be read is halved until only the bad slots are left out. */
  async #scanRange(reader: OrderedReader, first: number, slots: number): Promise<void> {
    const { slotSize } = this.#task.layout;
    const bytes = this.#checker.chunk.subarray(0, slots * slotSize);
    let got: number;
    try {
      got = reader.read(bytes, slotOffset(first, slotSize));
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown;
      if (slots === 1) return this.#addUnreadable(first, 1, thrown.errno);
      const half = slots >> 1;
      await this.#scanRange(reader, first, half);
      return await this.#scanRange(reader, first + half, slots - half);
    }
    this.#bytesRead += got;
    const whole = Math.floor(got / slotSize);
    if (whole < slots) {
      this.#changed = true;
      this.#addUnreadable(first + whole, slots - whole, "the file became shorter");
    }
    if (whole > 0) await this.#checkChunk(reader.file, first, whole);
  }

  async #checkChunk(file: DiskFile, first: number, slots: number): Promise<void> {
    const checker = this.#checker;
    const joined = checker.check(slots);
    if ((joined & SLOT_SUSPECT) !== 0) {
      const tools = { task: this.#task, file, clock: this.#tools.clock };
      if (await recheckSlots(tools, checker, first, slots)) this.#changed = true;
    }
    const words = this.#wordsOf(first, slots);
    if ((joined & SLOT_REMARKABLE) !== 0) this.#slotFindings.addChunk(checker, first, slots, words);
    if (words !== null) this.#slotFindings.addSidecarWords(checker, words, first, slots);
    this.#duplicates?.addChunk(checker.facts, checker.fingerprints, first, slots);
    this.#tools.observe?.(checker, first, slots);
  }

  /** What needs the whole file to have been read: doubled keys, and what lies past the last slot. */
  async #afterwards(file: DiskFile): Promise<void> {
    const past = liveSlotsPastCount(this.#task, file);
    if (past === "grown") this.#changed = true;
    else if (past !== null) this.#findings.add(past);
    if (this.#duplicates === null) return;
    const isWritten = this.#task.isLive || this.#changed;
    this.#stopped = !(await this.#duplicates.finish(file, this.#tools, isWritten, this.#findings));
  }

  #addUnreadable(first: number, slots: number, reason: string): void {
    this.#unread += slots;
    this.#slotFindings.addUnreadable(first, slots, reason);
  }

  #result(): ScanResult {
    const { counts, versionMin, versionMax } = this.#checker;
    const { shard, slotCount } = this.#task;
    const total = counts.occupied + counts.deleted + counts.free + counts.damaged + this.#unread;
    assert(
      total === slotCount,
      `shard ${shard}: ${total} slots accounted for, ${slotCount} expected`,
    );
    const versions = { min: versionMin, max: versionMax, isWhole: this.#unread === 0 };
    return {
      shard,
      slots: slotCount,
      counts: { ...counts, unread: this.#unread },
      bytesRead: this.#bytesRead,
      versions,
      findings: this.#findings.all,
      changed: this.#changed,
      stopped: this.#stopped,
    };
  }
}
