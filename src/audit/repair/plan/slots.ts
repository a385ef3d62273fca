// The slots of one shard that a repair changes, and the keys that go with them. Used by repair/plan/shard.ts. Reads the shard's
// file, writes nothing. Promises: only slots that are bad at this moment are changed; every key that a change takes away is
// listed; the bytes that are held for the plan have a bound.

import { toHex, viewOf } from "../../../bytes.ts";
import { shardOfKey } from "../../../format/routing.ts";
import {
  isSlotSound,
  SLOT_KEY_OFFSET,
  type SlotLayout,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
} from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import type { SlotMarks } from "./marks.ts";
import { SlotRanges } from "./slot-ranges.ts";
import {
  clearSlot,
  isBehindSidecar,
  losesRecord,
  remedyFromSource,
  type SlotHere,
  type SlotRemedy,
} from "./rules.ts";
import type { SlotThere } from "../source.ts";
import { SlotReader, WINDOW_BYTES_SEQUENTIAL } from "../../look/slot-reader.ts";
import { tryDisk } from "../../look/file-look.ts";
import type { Task } from "../../task.ts";

/** Bytes before and after that a plan may hold, over all shards. What is past that is left to another run. */
const PLAN_BYTES_MAX = 512 * 1024 * 1024;

/** What a change costs in memory beside its bytes: its step, its line, its places (measured: 200,000 took 360 MB). */
const BYTES_PER_CHANGE = 1_800;

/** What a plan may still hold. */
export class PlanBudget {
  #bytesLeft: number;

  constructor(bytesMax = PLAN_BYTES_MAX) {
    this.#bytesLeft = bytesMax;
  }

  take(bytes: number): boolean {
    if (bytes > this.#bytesLeft) return false;
    this.#bytesLeft -= bytes;
    return true;
  }
}

/** One slot that is to change. `before` is as long as `remedy.after`. */
export interface SlotChange {
  readonly slot: number;
  readonly before: Uint8Array;
  readonly remedy: SlotRemedy;
  readonly why: string;
  /** The remedy rests on the sidecar: it is made before the sidecar goes, or a repair that dies would forget it. */
  readonly bySidecar: boolean;
}

/** A key whose record a repair takes away, until a scan or a source brings it back. */
export interface LostKey {
  readonly shard: number;
  readonly slot: number;
  /** Hex; null: the slot's bytes are damaged, and which key it was is not known. */
  readonly key: string | null;
}

/** Everything about one shard that its slots are judged by. */
export interface SlotFacts {
  readonly disk: Disk;
  readonly path: string;
  readonly shard: number;
  readonly layout: SlotLayout;
  readonly slotCount: number;
  /** Slots that the file held before it is mended; those from here on are cut off. */
  readonly slotsHeld: number;
  readonly isReplica: boolean;
  readonly marks: SlotMarks;
  /** Where keys belong; null: not checked. */
  readonly routing: { readonly shardCount: number; readonly shardPrefixBits: number } | null;
  /** The sidecar's word for a slot; null: there is none that the crate would use. Throws `unknown` where it cannot be read. */
  wordOf(slot: number): number | null;
  readonly budget: PlanBudget;
}

/** Why a slot cannot be trusted. */
export type Distrust = "crc" | "status" | "misrouted" | "doubled" | "hidden" | "cut-off";

export interface JudgedSlot extends SlotHere {
  readonly distrust: Distrust | null;
}

/**
 * Which changes a planner takes: those that rest on the sidecar's word, the others, or all; then the first have been paid for, as
 * they were reckoned before.
 */
export type Turn = "evidence" | "rest" | "all";

/** What a planner came to. */
export interface PlannedChanges {
  readonly changes: readonly SlotChange[];
  readonly lost: readonly LostKey[];
  readonly truncated: boolean;
  readonly unsure: number;
}

/** Collects the changes of one shard, slot by slot in ascending order. */
export class SlotPlanner {
  readonly changes: SlotChange[] = [];
  readonly lost: LostKey[] = [];
  readonly #facts: SlotFacts;
  readonly #turn: Turn;
  #truncated = false;
  /** Slots that are not sound here, and that the source cannot vouch for: neither side has the record. */
  #unsure = 0;

  constructor(facts: SlotFacts, turn: Turn) {
    this.#facts = facts;
    this.#turn = turn;
  }

  /** True when the plan could not hold everything. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** All that is planned, but for what is about these slots. */
  planned(without = SlotRanges.NONE): PlannedChanges {
    return {
      changes: this.changes.filter(({ slot }) => !without.has(slot)),
      lost: this.lost.filter(({ slot }) => !without.has(slot)),
      ...{ truncated: this.#truncated, unsure: this.#unsure },
    };
  }

  /** The slot as the rules see it: by its own bytes, and by the sidecar's word for it. */
  judge(slot: number, bytes: Uint8Array): JudgedSlot {
    const meta = viewOf(bytes).getUint32(0, true);
    const { isReplica, marks } = this.#facts;
    const sidecarMeta = !isReplica && marks.all.has(slot) ? this.#facts.wordOf(slot) : null;
    const distrust = this.#distrust(slot, meta, bytes, sidecarMeta);
    return { meta, isTrusted: distrust === null, sidecarMeta, distrust };
  }

  #distrust(
    slot: number,
    meta: number,
    bytes: Uint8Array,
    sidecarMeta: number | null,
  ): Distrust | null {
    const { layout, routing, shard, marks, slotsHeld } = this.#facts;
    if (!isSlotSound(bytes, layout)) return statusOf(meta) === STATUS_INVALID ? "status" : "crc";
    const key = bytes.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen);
    if (statusOf(meta) === STATUS_OCCUPIED) {
      const doubled = marks.doubled.get(slot);
      const isSameKey = doubled?.key === null || doubled?.key === toHex(key);
      if (doubled !== undefined && !doubled.isKept && isSameKey) return "doubled";
      if (routing !== null && marks.misrouted.has(slot)) {
        const home = shardOfKey(key, routing.shardCount, routing.shardPrefixBits);
        if (home !== shard) return "misrouted";
      }
    }
    // A replica's slot that is behind is brought up by the next scan, and is right for its version until then.
    const isHidden = marks.hidden.has(slot) && isBehindSidecar(meta, sidecarMeta);
    return isHidden ? (slot < slotsHeld ? "hidden" : "cut-off") : null;
  }

  /** A slot without a source: cleared when it cannot be trusted. */
  local(slot: number, bytes: Uint8Array): void {
    const here = this.judge(slot, bytes);
    if (here.isTrusted) return;
    this.#add(slot, here, bytes, clearSlot(here, this.#facts.layout, this.#facts.isReplica));
  }

  /** A slot by a source's word. */
  bySource(slot: number, bytes: Uint8Array, there: SlotThere): void {
    const here = this.judge(slot, bytes);
    if (there.kind === "unsure" && !here.isTrusted) this.#unsure++;
    const { layout, isReplica } = this.#facts;
    const remedy = remedyFromSource(here, there, layout, isReplica);
    if (remedy !== null) this.#add(slot, here, bytes, remedy);
  }

  #add(slot: number, here: JudgedSlot, bytes: Uint8Array, remedy: SlotRemedy): void {
    const bySidecar = isBehindSidecar(here.meta, here.sidecarMeta);
    if (this.#turn !== "all" && bySidecar !== (this.#turn === "evidence")) return;
    const before = bytes.slice(0, remedy.after.length);
    if (Buffer.compare(before, remedy.after) === 0) return;
    const isPaid = bySidecar && this.#turn === "all";
    if (!isPaid && !this.#facts.budget.take(changeBytes(remedy.after.length))) {
      this.#truncated = true;
      return;
    }
    this.changes.push({ slot, before, remedy, why: whyOf(here), bySidecar });
    this.#noteLost(slot, here, bytes, remedy);
  }

  #noteLost(slot: number, here: JudgedSlot, bytes: Uint8Array, remedy: SlotRemedy): void {
    const { distrust, meta } = here;
    // What was cut off is said of the file as a whole.
    if (distrust === null || distrust === "cut-off" || !losesRecord(meta, remedy)) return;
    const { shard, layout } = this.#facts;
    const isDamaged = distrust === "crc" || distrust === "status";
    const key = bytes.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen);
    this.lost.push({ shard, slot, key: isDamaged ? null : toHex(key) });
  }
}

/** What a change of so many bytes takes of the budget. */
export function changeBytes(length: number): number {
  return 2 * length + BYTES_PER_CHANGE;
}

function whyOf({ distrust }: JudgedSlot): string {
  switch (distrust) {
    case null:
      return "the source has a newer one";
    case "status":
      return "status 3";
    case "misrouted":
      return "its key belongs to another shard";
    case "doubled":
      return "its key is live in another slot too";
    case "hidden":
      return "the sidecar knows a newer version";
    case "cut-off":
      return "cut off; the sidecar knows its version";
    case "crc":
      return "bad crc";
  }
}

/** Plans the marked slots of a shard without a source. */
export async function planLocally(facts: SlotFacts, turn: Turn, task: Task): Promise<SlotPlanner> {
  const planner = new SlotPlanner(facts, turn);
  const { disk, path, layout, slotCount, marks } = facts;
  if (marks.all.isEmpty) return planner;
  const isDense = marks.all.span <= marks.all.count * SLOTS_APART;
  const windowBytes = isDense ? WINDOW_BYTES_SEQUENTIAL : layout.slotSize;
  const reader = SlotReader.raw(disk, path, layout, slotCount, windowBytes);
  let looked = 0;
  try {
    for (const slot of marks.all.slots(slotCount)) {
      if (looked++ % SLOTS_PER_BREATH === 0) {
        await task.pay(reader.takeReadBytes());
        await task.breathe();
      }
      // Verify has said that it cannot be read.
      const [bytes] = tryDisk(() => reader.padded(slot));
      if (bytes !== null) planner.local(slot, bytes);
      if (planner.truncated) break;
    }
  } finally {
    reader.close();
  }
  return planner;
}

const SLOTS_PER_BREATH = 64;

/** Marked slots that lie no further apart are read with what lies between them. */
const SLOTS_APART = 8;
