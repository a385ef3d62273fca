// The search for keys that are live twice in a shard, over the passes of scan/duplicate-pass.ts: takes live slots while the
// shard is scanned, then reads the few candidates again and compares whole keys. Used by scan/shard.ts. Promises: exact, and
// within the memory it was given.

import { toHex } from "../../bytes.ts";
import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import { SLOT_KEY_OFFSET } from "../../format/slot.ts";
import { SLOT_LIVE } from "../../format/slot-scanner.ts";
import type { DiskFile } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import type { FindingList } from "../finding-list.ts";
import { tryDisk } from "../look/file-look.ts";
import type { Part, Task } from "../task.ts";
import { LOOK_PAUSES_MS } from "./block.ts";
import { readableSlots } from "./claims.ts";
import type { ScanTask } from "./data.ts";
import type { DuplicatePass, PassShare } from "./duplicate-pass.ts";
import { SlotChecker } from "./slot-check.ts";
import { SortingDuplicatePass } from "./sorting-duplicate-pass.ts";
import { WasmDuplicatePass } from "./wasm-duplicate-pass.ts";

/** Groups that are looked at between two breaths. */
const GROUPS_PER_BREATH = 64;
/** Keys that wait for another look where somebody writes; the rest is told as it is seen first. */
const WAITING_MAX = 100_000;
/** Slots of one key that a message names, and that a finding lists. */
const SLOTS_NAMED_MAX = 8;
const SLOTS_LISTED_MAX = 10_000;
/** Of one key, between two breaths. */
const SLOTS_PER_BREATH = 256;
/** A pass never takes less for want of memory: a file is not read a thousand times. */
const BYTES_MIN = 64 * 1024;
/** Fewer pairs are sorted before a kernel has its memory. */
const WASM_PAIRS_MIN = 16 * 1024;

/** A key that is live in several slots. */
interface DoubledKey {
  readonly key: string;
  readonly slots: readonly number[];
}

/**
 * The fast form where it pays and its memory can be had, else the one that sorts. Measured against the same search in
 * TypeScript: 8 % of a whole verify at 32x1000 with two workers, 6 % with one.
 */
export function createDuplicatePass(share: PassShare): DuplicatePass {
  const pairs = share.slotsMax / share.parts;
  const fast = pairs < WASM_PAIRS_MIN ? null : WasmDuplicatePass.create(share);
  return fast ?? new SortingDuplicatePass(share);
}

/** The part of the fingerprints that a pass is for. */
type Share = Pick<PassShare, "part" | "parts">;

export class DuplicateSearch {
  readonly #scan: ScanTask;
  /** Slots that the file has: a header may lie about its count, and only these cost memory. */
  readonly #slotsMax: number;
  /** The pass that the scan itself feeds; let go once it is judged. */
  #first: DuplicatePass | null;
  /** Reads one slot at a time. */
  readonly #single: SlotChecker;

  constructor(scan: ScanTask) {
    this.#scan = scan;
    this.#slotsMax = readableSlots(scan);
    this.#first = this.#newPass({ part: 0, parts: 1 });
    this.#single = new SlotChecker(scan.layout, null, 1);
  }

  /** Takes the live slots among `slots` checked ones from `first` on, in any order of calls. */
  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void {
    this.#first?.addChunk(facts, fingerprints, first, slots);
  }

  /** Reads again for the parts that did not fit, and adds the findings. Throws Stopped. */
  async finish(
    file: DiskFile,
    task: Task,
    isWritten: boolean,
    findings: FindingList,
  ): Promise<void> {
    const left: [Share, Part][] = [];
    let announced = 1;
    const judge = async (pass: DuplicatePass, { part, parts }: Share) => {
      const further = pass.isCut ? 0 : pass.parts / parts - 1;
      announced += further;
      for (let step = 1; step <= further; step++) {
        const share = { part: part + step * parts, parts: pass.parts };
        left.push([share, this.#partOf(task, announced - further + step, announced)]);
      }
      if (pass.isCut) this.#addCut(findings);
      await this.#judge(file, pass, task, isWritten, findings);
    };
    const first = this.#first;
    this.#first = null;
    if (first !== null) await judge(first, { part: 0, parts: 1 });
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [share, part] = next;
      await judge(await this.#readPass(file, share, task, part, findings), share);
    }
  }

  #newPass({ part, parts }: Share): DuplicatePass {
    const bytesMax = Math.max(BYTES_MIN, this.#scan.duplicateBytesMax);
    return createDuplicatePass({ part, parts, slotsMax: this.#slotsMax, bytesMax });
  }

  #partOf(task: Task, number: number, of: number): Part {
    const { shard, layout } = this.#scan;
    const totalBytes = this.#slotsMax * layout.slotSize;
    return task.part({ name: "again", shard, unitBytes: layout.slotSize, totalBytes, number, of });
  }

  async #readPass(
    file: DiskFile,
    share: Share,
    task: Task,
    part: Part,
    findings: FindingList,
  ): Promise<DuplicatePass> {
    const { slotSize } = this.#scan.layout;
    const checker = new SlotChecker(this.#scan.layout, null);
    const reader = new OrderedReader(file, task.clock);
    const found = this.#newPass(share);
    const end = slotOffset(this.#slotsMax, slotSize);
    for await (const chunk of task.chunks(part, reader, SHARD_HEADER_BYTES, end, checker.chunk)) {
      const first = (chunk.offset - SHARD_HEADER_BYTES) / slotSize;
      if (chunk.kind === "unreadable") {
        this.#addUnreadable(first, chunk.byteCount / slotSize, chunk.reason, findings);
        continue;
      }
      const slots = chunk.bytes.length / slotSize;
      checker.check(slots);
      found.addChunk(checker.facts, checker.fingerprints, first, slots);
    }
    return found;
  }

  /** Where somebody writes, all keys that look doubled share the pauses. */
  async #judge(
    file: DiskFile,
    pass: DuplicatePass,
    task: Task,
    isWritten: boolean,
    findings: FindingList,
  ): Promise<void> {
    let waiting: DoubledKey[] = [];
    const unread = new Map<number, string>();
    let groups = 0;
    for (const group of pass.groups()) {
      if (groups++ % GROUPS_PER_BREATH === 0) await task.breathe();
      for (const doubled of await this.#lookAt(file, task, group, unread)) {
        if (isWritten && waiting.length < WAITING_MAX) waiting.push(doubled);
        else this.#report(doubled, isWritten, findings);
      }
    }
    for (const pauseMs of LOOK_PAUSES_MS.slice(1)) {
      if (waiting.length === 0) break;
      await task.pause(pauseMs);
      const left: DoubledKey[] = [];
      for (const { slots } of waiting)
        left.push(...(await this.#lookAt(file, task, slots, unread)));
      waiting = left;
    }
    for (const [slot, errno] of unread) this.#addUnreadable(slot, 1, errno, findings);
    for (const doubled of waiting) this.#report(doubled, isWritten, findings);
  }

  /** They were read once; what was to be asked of them again is not known. */
  #addUnreadable(slot: number, count: number, errno: string, findings: FindingList): void {
    const { shard, file, layout } = this.#scan;
    const offset = slotOffset(slot, layout.slotSize);
    const message = `cannot be read again: ${errno}; whether a key is here twice is not known`;
    findings.add({ kind: "unreadable", shard, slot, file, offset, count, message });
  }

  /** Of these slots, the keys that are live in two or more, with their slots; `unread` takes those that cannot be read. */
  async #lookAt(
    file: DiskFile,
    task: Task,
    slots: readonly number[],
    unread: Map<number, string>,
  ): Promise<DoubledKey[]> {
    const { layout } = this.#scan;
    const byKey = new Map<string, number[]>();
    for (const slot of slots) {
      const { chunk } = this.#single;
      const [got, error] = tryDisk(() => file.read(chunk, slotOffset(slot, layout.slotSize)));
      if (error !== null) unread.set(slot, error.errno);
      await task.pay(got ?? 0);
      if (got !== chunk.length) continue;
      this.#single.check(1);
      if (((this.#single.facts[0] as number) & SLOT_LIVE) === 0) continue;
      const key = toHex(chunk.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen));
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, [slot]);
      else known.push(slot);
      if (slot % SLOTS_PER_BREATH === 0) await task.breathe();
    }
    return [...byKey]
      .filter(([, found]) => found.length > 1)
      .map(([key, found]) => ({ key, slots: found }));
  }

  /** Smaller parts did not help: what is found is true, and there may be more. */
  #addCut(findings: FindingList): void {
    const { shard, file } = this.#scan;
    const message =
      "too many records have one key for the memory of the search: not all keys that are live twice are named";
    findings.add({ kind: "unreadable", shard, file, message });
  }

  #report({ key, slots }: DoubledKey, isWritten: boolean, findings: FindingList): void {
    const { shard, file, layout } = this.#scan;
    const [slot] = slots;
    if (slot === undefined) return;
    const rest = slots.length - SLOTS_NAMED_MAX;
    const named =
      slots.slice(0, SLOTS_NAMED_MAX).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
    // A follower in the middle of a catch-up has a key twice until the old slot's event arrives (format.md).
    const reason = isWritten
      ? "; a follower that is catching up has that for a while, look again when it is live"
      : "";
    findings.add({
      kind: "key-duplicate",
      ...(isWritten ? { severity: "unknown" as const } : {}),
      shard,
      slot,
      file,
      offset: slotOffset(slot, layout.slotSize),
      key,
      slots: slots.slice(0, SLOTS_LISTED_MAX),
      message: `one key is live in slots ${named}${reason}`,
    });
  }
}
