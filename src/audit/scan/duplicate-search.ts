// The search for keys that are live twice in a shard, over the passes of scan/duplicate-pass.ts: takes live slots while the
// shard is scanned, then reads the few candidates again and compares whole keys. Used by scan/shard.ts. Promises: exact, and
// within the memory it was given.

import { toHex } from "../../bytes.ts";
import { SLOT_KEY_OFFSET } from "../../format/slot.ts";
import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import type { Clock } from "../../io/clock.ts";
import type { DiskFile } from "../../io/disk.ts";
import { OrderedReader } from "../../io/ordered-reader.ts";
import { createDuplicatePass, type DuplicatePass, passesFor } from "./duplicate-pass.ts";
import { tryDisk } from "../look/file-look.ts";
import type { FindingList } from "../findings.ts";
import { breathe, pause } from "./pacing.ts";
import type { ScanTask } from "./data.ts";
import { SLOT_LIVE } from "../../format/slot-scanner.ts";
import { SlotChecker } from "./slot-check.ts";
import { RECHECK_PAUSES_MS } from "./slot-recheck.ts";

const GROUPS_PER_BREATH = 1024;
/** Slots of one key that a message names. */
const SLOTS_NAMED_MAX = 8;

interface SearchTools {
  readonly clock: Clock;
  shouldStop(): boolean;
}

export class DuplicateSearch {
  readonly #task: ScanTask;
  /** Slots that the file has. */
  readonly #slotsMax: number;
  readonly #passes: number;
  /** The pass that the scan itself feeds; let go once it is judged. */
  #first: DuplicatePass | null;
  /** Reads one slot at a time. */
  readonly #single: SlotChecker;

  constructor(task: ScanTask) {
    this.#task = task;
    // A header may lie about its count: only slots that the file has cost memory.
    const inFile = Math.floor((task.fileBytes - SHARD_HEADER_BYTES) / task.layout.slotSize);
    const slotsMax = Math.max(0, Math.min(task.slotCount, inFile));
    this.#passes = passesFor(slotsMax, task.duplicateBytesMax);
    this.#slotsMax = slotsMax;
    this.#first = this.#newPass(0);
    this.#single = new SlotChecker(task.layout, null, 1);
  }

  /** Takes the live slots among `slots` checked ones from `first` on, in any order of calls. */
  addChunk(facts: Uint8Array, fingerprints: BigUint64Array, first: number, slots: number): void {
    this.#first?.addChunk(facts, fingerprints, first, slots);
  }

  /** Reads the rest of the passes and adds the findings. False when it was stopped before its end. */
  async finish(
    file: DiskFile,
    tools: SearchTools,
    isWritten: boolean,
    findings: FindingList,
  ): Promise<boolean> {
    for (let pass = 0; pass < this.#passes; pass++) {
      const found =
        pass === 0 ? this.#takeFirst() : await this.#readPass(file, pass, tools, findings);
      if (found === null || !(await this.#judge(file, found, tools, isWritten, findings)))
        return false;
    }
    return true;
  }

  #newPass(pass: number): DuplicatePass {
    return createDuplicatePass({ pass, passes: this.#passes, slotsMax: this.#slotsMax });
  }

  #takeFirst(): DuplicatePass | null {
    const first = this.#first;
    this.#first = null;
    return first;
  }

  async #readPass(
    file: DiskFile,
    pass: number,
    tools: SearchTools,
    findings: FindingList,
  ): Promise<DuplicatePass | null> {
    const { layout, slotCount } = this.#task;
    const checker = new SlotChecker(layout, null);
    const reader = new OrderedReader(file, tools.clock);
    const found = this.#newPass(pass);
    for (let first = 0; first < slotCount; first += checker.slotsMax) {
      if (tools.shouldStop()) return null;
      const slots = Math.min(checker.slotsMax, slotCount - first);
      const bytes = checker.chunk.subarray(0, slots * layout.slotSize);
      const [got, error] = tryDisk(() => reader.read(bytes, slotOffset(first, layout.slotSize)));
      if (error !== null) this.#addUnreadable(first, slots, error.errno, findings);
      const whole = Math.floor((got ?? 0) / layout.slotSize);
      checker.check(whole);
      found.addChunk(checker.facts, checker.fingerprints, first, whole);
      await breathe();
    }
    return found;
  }

  async #judge(
    file: DiskFile,
    pass: DuplicatePass,
    tools: SearchTools,
    isWritten: boolean,
    findings: FindingList,
  ): Promise<boolean> {
    for (const [index, group] of pass.groups().entries()) {
      if (index % GROUPS_PER_BREATH === 0) await breathe();
      if (tools.shouldStop()) return false;
      const unread = new Map<number, string>();
      let doubled = this.#doubledKeys(file, group, unread);
      for (const pauseMs of isWritten ? RECHECK_PAUSES_MS : []) {
        if (doubled.size === 0) break;
        await pause(tools.clock, pauseMs);
        doubled = this.#doubledKeys(file, group, unread);
      }
      for (const [slot, errno] of unread) this.#addUnreadable(slot, 1, errno, findings);
      for (const [key, slots] of doubled) this.#report(key, slots, isWritten, findings);
    }
    return true;
  }

  /** Of these slots, the keys that are live in two or more, with their slots; `unread` takes those that cannot be read. */
  #doubledKeys(
    file: DiskFile,
    slots: readonly number[],
    unread: Map<number, string>,
  ): Map<string, number[]> {
    const { layout } = this.#task;
    const single = this.#single;
    const byKey = new Map<string, number[]>();
    for (const slot of slots) {
      const [got, error] = tryDisk(() =>
        file.read(single.chunk, slotOffset(slot, layout.slotSize)),
      );
      if (error !== null) unread.set(slot, error.errno);
      if (got !== single.chunk.length || (single.check(1) & SLOT_LIVE) === 0) continue;
      const key = toHex(single.chunk.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen));
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, [slot]);
      else known.push(slot);
    }
    for (const [key, found] of byKey) if (found.length < 2) byKey.delete(key);
    return byKey;
  }

  /** They were read once; what was to be asked of them again is not known. */
  #addUnreadable(slot: number, count: number, errno: string, findings: FindingList): void {
    const { shard, file, layout } = this.#task;
    const offset = slotOffset(slot, layout.slotSize);
    const message = `cannot be read again: ${errno}; whether a key is here twice is not known`;
    findings.add({ kind: "unreadable", shard, slot, file, offset, count, message });
  }

  #report(key: string, slots: readonly number[], isWritten: boolean, findings: FindingList): void {
    const { shard, file, layout } = this.#task;
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
      slots,
      message: `one key is live in slots ${named}${reason}`,
    });
  }
}
