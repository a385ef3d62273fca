// Reads one shard from its first slot to its last and says what is wrong with each (format.md: Slot, Routing). Used by
// verify (in threads), verify-cursor, inspect, and after a repair. Promises: every slot is counted once, as occupied,
// deleted, free, damaged or unread; what looks bad is read again before it is called so; opens for reading only.

import { assert } from "../../errors.ts";
import {
  decodeShardHeader,
  HEADER_FIELDS,
  SHARD_HEADER_BYTES,
  slotOffset,
} from "../../format/shard-header.ts";
import { sidecarBytes } from "../../format/versions-sidecar.ts";
import { slotsPerChunk } from "../../format/slot-scanner.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import { checkSidecarCrc, describeFault, type SidecarState } from "../check/sidecar.ts";
import { type FindingBudget, FindingList } from "../finding-list.ts";
import type { Finding } from "../findings.ts";
import { readUpTo, tryDisk } from "../look/file-look.ts";
import { Stopped } from "../stopped.ts";
import type { PartName, Task } from "../task.ts";
import { BlockScanner, type BlockTools } from "./block.ts";
import { type BlockClaims, readableSlots } from "./claims.ts";
import type { BlockResult, HelpedBlock, ScanResult, ScanTask, SlotRange } from "./data.ts";
import { DuplicateSearch } from "./duplicate-search.ts";
import { type ShardState, tailSlots } from "./run.ts";
import { type SlotChecker, SlotSums } from "./slot-check.ts";
import { addNotes, sidecarName } from "./slot-findings.ts";
import { SlotNotes } from "./slot-notes.ts";

/** What a scan runs on, besides its task. */
export interface ScanTools {
  readonly disk: Disk;
  readonly task: Task;
  readonly state: ShardState;
  readonly budget: FindingBudget;
  /** Sees each chunk after its check; for inspect. */
  observe?(checker: SlotChecker, first: number, slots: number): void;
  /** Set where other threads may scan parts of the shard. */
  readonly help?: ScanHelp;
}

/** What helpers do of a scan (scan/claims.ts). */
export interface ScanHelp {
  readonly claims: BlockClaims;
  /** The blocks that helpers are done with since it was last asked. */
  collect(): readonly HelpedBlock[];
}

/** How long the end of a scan waits for a helper's last blocks at a time. */
const HELPER_PAUSE_MS = 1;

/** Scans one shard. Never throws for what the disk says: what cannot be read is `unreadable`. */
export async function scanShard(scan: ScanTask, tools: ScanTools): Promise<ScanResult> {
  const [file, error] = tryDisk(() => tools.disk.open(scan.path, "read"));
  const shard = new ShardScan(scan, tools);
  if (file === null) return shard.unread(error.errno);
  try {
    return await shard.run(file);
  } finally {
    file.close();
  }
}

class ShardScan {
  readonly #scan: ScanTask;
  readonly #tools: ScanTools;
  readonly #findings: FindingList;
  readonly #duplicates: DuplicateSearch | null;
  readonly #sums = new SlotSums();
  readonly #notes = new SlotNotes();
  /** Those of each block that has any; in the order of the file at the end. */
  readonly #found: { readonly first: number; readonly findings: readonly Finding[] }[] = [];
  #sidecar: SidecarState = "unchecked";
  #sidecarFault: string | null = null;
  #changed = false;
  #stopped = false;

  constructor(scan: ScanTask, tools: ScanTools) {
    this.#scan = scan;
    this.#tools = tools;
    this.#findings = new FindingList(tools.budget);
    this.#duplicates = scan.duplicateBytesMax === 0 ? null : new DuplicateSearch(scan);
  }

  /** The result where the file could not be opened. */
  unread(reason: string): ScanResult {
    const { shard, file, slotCount: count } = this.#scan;
    const message = `cannot be read: ${reason}`;
    const offset = SHARD_HEADER_BYTES;
    this.#findings.add({ kind: "unreadable", shard, slot: 0, file, offset, count, message });
    this.#tools.state.decideSidecar(false);
    this.#tools.state.finish();
    return this.#result();
  }

  async run(file: DiskFile): Promise<ScanResult> {
    await this.#untilStopped(async () => {
      await this.#checkSidecar();
      await this.#scanSlots(file);
    });
    this.#addFound();
    await this.#untilStopped(async () => {
      await this.#scanTail(file);
      await this.#searchDuplicates(file);
    });
    if (!this.#stopped) this.#tools.state.finish();
    return this.#result();
  }

  /** What was counted before a stop is kept. */
  async #untilStopped(work: () => Promise<void>): Promise<void> {
    if (this.#stopped) return;
    try {
      await work();
    } catch (thrown) {
      if (!(thrown instanceof Stopped)) throw thrown;
      this.#stopped = true;
    }
  }

  /** Whether the crate would believe the sidecar decides whether its words are held against the slots. */
  async #checkSidecar(): Promise<void> {
    const { sidecarPath, slotCount, shard, isLive } = this.#scan;
    const { disk, task, state } = this.#tools;
    if (sidecarPath === null) return;
    const totalBytes = sidecarBytes(slotCount);
    const part = task.part({ name: "sidecar", shard, unitBytes: 4, totalBytes });
    const [file, error] = tryDisk(() => disk.open(sidecarPath, "read"));
    const crc =
      file === null
        ? { reason: error.errno }
        : await checkSidecarCrc(task, part, file, slotCount).finally(() => file.close());
    if (crc === "right") this.#sidecar = "valid";
    else if (crc === "wrong") {
      this.#sidecar = "invalid";
      const message = `the sidecar cannot be used: ${describeFault("crc")}`;
      this.#findings.add({
        kind: "sidecar-invalid",
        shard,
        file: sidecarName(this.#scan),
        message,
      });
    } else this.#sidecarFault = crc.reason;
    state.decideSidecar(crc === "right" && !isLive);
  }

  #scannerOf(file: DiskFile, scan: ScanTask, name: PartName, slots: number, tools: Seen) {
    const { disk, task, budget, state } = this.#tools;
    const { slotSize } = scan.layout;
    const part = task.part({
      name,
      shard: scan.shard,
      unitBytes: slotSize,
      totalBytes: slots * slotSize,
    });
    const compares = name === "slots" && state.comparesSidecar === true;
    return {
      part,
      scanner: new BlockScanner(scan, file, compares, { disk, task, part, budget, ...tools }),
    };
  }

  async #scanSlots(file: DiskFile): Promise<void> {
    const end = readableSlots(this.#scan);
    const { help } = this.#tools;
    const seen: Seen["seen"] = (checker, first, slots) => {
      this.#duplicates?.addChunk(checker.facts, checker.fingerprints, first, slots);
      this.#tools.observe?.(checker, first, slots);
    };
    using scanner = this.#scannerOf(file, this.#scan, "slots", end, { seen }).scanner;
    if (help === undefined) {
      if (end > 0) this.#add(await scanner.scan({ first: 0, slots: end }));
    } else await this.#scanShared(scanner, help);
  }

  /** Blocks from the first on, while helpers take them from the last on. */
  async #scanShared(scanner: BlockScanner, { claims, collect }: ScanHelp): Promise<void> {
    let blocksOver = 0;
    const takeHelped = () => {
      for (const { result, keys } of collect()) {
        blocksOver += 1;
        claims.noteCollected();
        if (keys !== null)
          this.#duplicates?.addChunk(keys.facts, keys.fingerprints, result.first, result.slots);
        this.#add(result);
      }
    };
    for (let block = claims.takeFirst(); block !== null; block = claims.takeFirst()) {
      this.#add(await scanner.scan(claims.rangeOf(block)));
      if (this.#stopped) return;
      blocksOver += 1;
      // What helpers are done with is dealt while it is in the caches.
      await this.#untilStopped(() => this.#tools.task.turn());
      takeHelped();
      if (this.#stopped) return;
    }
    while (blocksOver < claims.count) {
      await this.#tools.task.pause(HELPER_PAUSE_MS);
      takeHelped();
    }
  }

  #add(result: BlockResult): void {
    this.#sums.add(result.sums);
    this.#notes.addAll(result.notes);
    this.#changed ||= result.changed;
    this.#stopped ||= result.stopped;
    this.#sidecarFault ??= result.sidecarFault;
    const { first, findings } = result;
    if (findings.length > 0) this.#found.push({ first, findings });
  }

  /** What the blocks found, in the order of the file. */
  #addFound(): void {
    const found = this.#found.splice(0).sort((left, right) => left.first - right.first);
    for (const { findings } of found) this.#findings.addPaid(findings);
    addNotes(this.#scan, this.#notes, this.#sums.versionMax, this.#findings);
    if (this.#sidecarFault === null) return;
    this.#findings.add({
      kind: "unreadable",
      shard: this.#scan.shard,
      file: sidecarName(this.#scan),
      message: `the sidecar cannot be read: ${this.#sidecarFault}`,
    });
  }

  /**
   * What lies past the last slot that the header counts. A crash while growing leaves zeros there, which is legal; live records
   * there mean that slot_count is wrong (format.md: fixed.data header, Growth). Holes are not read.
   */
  async #scanTail(file: DiskFile): Promise<void> {
    const slots = tailSlots(this.#scan);
    if (slots === 0) return;
    const { slotSize } = this.#scan.layout;
    const { slotCount } = this.#scan;
    const bare = { ...this.#scan, routing: null, sidecarPath: null, slotCount: slots };
    const { part, scanner } = this.#scannerOf(file, bare, "tail", slots, { seen: () => {} });
    using _ = scanner;
    const end = slotCount + slots;
    const step = slotsPerChunk(bare.layout);
    const sums = new SlotSums();
    for (let next = slotCount; next < end;) {
      await this.#tools.task.breathe();
      const data = file.nextData(slotOffset(next, slotSize));
      const held = data === null ? end : Math.floor((data - SHARD_HEADER_BYTES) / slotSize);
      const first = Math.min(end, Math.max(next, held));
      part.move((first - next) * slotSize);
      next = first;
      if (next === end) break;
      const range: SlotRange = { first, slots: Math.min(step, end - first) };
      const result = await scanner.scan(range);
      if (result.stopped) throw new Stopped();
      sums.add(result.sums);
      this.#addTailFaults(result);
      next += range.slots;
    }
    if (sums.occupied > 0) this.#addLivePastCount(file, sums.occupied);
  }

  /** Slots past the count are none, but what could not be read may be. */
  #addTailFaults({ findings }: BlockResult): void {
    const { shard, file } = this.#scan;
    for (const { kind, offset, message } of findings) {
      if (kind === "unreadable") this.#findings.add({ kind, shard, file, offset, message });
    }
  }

  #addLivePastCount(opened: DiskFile, live: number): void {
    const { shard, file, slotCount } = this.#scan;
    const [bytes] = tryDisk(() => readUpTo(opened, 0, SHARD_HEADER_BYTES));
    const header = bytes === null ? null : decodeShardHeader(bytes);
    if (header !== null && header.slotCount > slotCount) {
      // A writer has raised the count since.
      this.#changed = true;
      return;
    }
    this.#findings.add({
      kind: "header-geometry",
      shard,
      file,
      offset: HEADER_FIELDS.slotCount.offset,
      message: `slot_count is ${slotCount}, but ${live} live records lie past it in the file`,
    });
  }

  async #searchDuplicates(file: DiskFile): Promise<void> {
    const isWritten = this.#scan.isLive || this.#changed;
    await this.#duplicates?.finish(file, this.#tools.task, isWritten, this.#findings);
  }

  #result(): ScanResult {
    const { occupied, deleted, free, damaged, versionMin, versionMax } = this.#sums;
    const { shard, slotCount, layout } = this.#scan;
    const checked = occupied + deleted + free + damaged;
    assert(
      checked <= slotCount,
      `shard ${shard}: ${checked} slots accounted for, ${slotCount} expected`,
    );
    const unread = slotCount - checked;
    return {
      shard,
      slots: slotCount,
      counts: { occupied, deleted, free, damaged, unread },
      bytesChecked: checked * layout.slotSize,
      versions: { min: versionMin, max: versionMax, isWhole: unread === 0 },
      sidecar: this.#sidecar,
      findings: this.#findings.all,
      changed: this.#changed,
      stopped: this.#stopped,
    };
  }
}

type Seen = Pick<BlockTools, "seen">;
