// The slots of one shard that a repair changes, and the keys that go with them. Used by repair/plan/shard.ts. Reads the shard's
// file, writes nothing. Promises: only slots that are bad at this moment are changed; every key that a change takes away is
// listed; the bytes that are held for the plan have a bound.

import { toHex, viewOf } from "../../../bytes.ts";
import { shardOfKey } from "../../../format/routing.ts";
import {
  SLOT_KEY_OFFSET,
  type SlotLayout,
  STATUS_OCCUPIED,
  statusOf,
} from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import { isBehindSidecar, type SlotMark } from "./marks.ts";
import {
  clearSlot,
  losesRecord,
  remedyFromSource,
  type SlotHere,
  type SlotRemedy,
  type SlotThere,
} from "./rules.ts";
import { isSlotSound, SlotReader } from "../../look/slot-reader.ts";
import type { Task } from "../../task.ts";

/** Bytes before and after that a plan may hold, over all shards. What is past that is left to another run. */
const PLAN_BYTES_MAX = 512 * 1024 * 1024;

/** What a change costs in memory beside its bytes. */
const BYTES_PER_CHANGE = 256;

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
  /** Hex, as far as the slot's bytes can be believed. */
  readonly key: string;
}

/** Everything about one shard that its slots are judged by. */
export interface SlotFacts {
  readonly disk: Disk;
  readonly path: string;
  readonly shard: number;
  readonly layout: SlotLayout;
  readonly slotCount: number;
  readonly isReplica: boolean;
  readonly marks: ReadonlyMap<number, SlotMark>;
  /** Where keys belong; null: not checked. */
  readonly routing: { readonly shardCount: number; readonly shardPrefixBits: number } | null;
  readonly budget: PlanBudget;
}

/** Collects the changes of one shard, slot by slot in ascending order. */
export class SlotPlanner {
  readonly changes: SlotChange[] = [];
  readonly lost: LostKey[] = [];
  readonly #facts: SlotFacts;
  #truncated = false;

  constructor(facts: SlotFacts) {
    this.#facts = facts;
  }

  /** True when the plan could not hold everything. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** The slot as the rules see it. */
  judge(slot: number, bytes: Uint8Array): SlotHere {
    const meta = viewOf(bytes).getUint32(0, true);
    const mark = this.#facts.marks.get(slot);
    const sidecarMeta = mark?.sidecarMeta ?? null;
    const isTrusted =
      isSlotSound(bytes, this.#facts.layout) &&
      (mark === undefined || !this.#stands(mark, meta, bytes));
    return { meta, isTrusted, sidecarMeta };
  }

  /** True when what a mark says of a sound slot is so. */
  #stands(mark: SlotMark, meta: number, bytes: Uint8Array): boolean {
    const { layout, routing, shard, isReplica } = this.#facts;
    const key = bytes.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen);
    const isLive = statusOf(meta) === STATUS_OCCUPIED;
    switch (mark.kind) {
      case "key-misrouted":
        if (!isLive || routing === null) return false;
        return shardOfKey(key, routing.shardCount, routing.shardPrefixBits) !== shard;
      case "key-duplicate":
        return isLive && !mark.isKept && (mark.key === null || mark.key === toHex(key));
      case "sidecar-hides-slot":
        // A replica's slot that is behind is brought up by the next scan, and is right for its version until then.
        return !isReplica && isBehindSidecar(meta, mark.sidecarMeta);
      default:
        return false;
    }
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
    const { layout, isReplica } = this.#facts;
    const remedy = remedyFromSource(here, there, layout, isReplica);
    if (remedy !== null) this.#add(slot, here, bytes, remedy);
  }

  #add(slot: number, here: SlotHere, bytes: Uint8Array, remedy: SlotRemedy): void {
    const before = bytes.slice(0, remedy.after.length);
    if (Buffer.compare(before, remedy.after) === 0) return;
    if (!this.#facts.budget.take(2 * remedy.after.length + BYTES_PER_CHANGE)) {
      this.#truncated = true;
      return;
    }
    const { shard, layout, marks, isReplica } = this.#facts;
    const why = whyOf(here, marks.get(slot));
    const bySidecar = !isReplica && isBehindSidecar(here.meta, here.sidecarMeta);
    this.changes.push({ slot, before, remedy, why, bySidecar });
    if (!here.isTrusted && losesRecord(here.meta, remedy)) {
      const key = toHex(bytes.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen));
      this.lost.push({ shard, slot, key });
    }
  }
}

function whyOf(here: SlotHere, mark: SlotMark | undefined): string {
  if (here.isTrusted) return "the source has a newer one";
  switch (mark?.kind) {
    case "slot-status":
      return "status 3";
    case "key-misrouted":
      return "its key belongs to another shard";
    case "key-duplicate":
      return "its key is live in another slot too";
    case "sidecar-hides-slot":
      return "the sidecar knows a newer version";
    default:
      return "bad crc";
  }
}

/** Plans the marked slots of a shard without a source. */
export async function planLocally(facts: SlotFacts, task: Task): Promise<SlotPlanner> {
  const planner = new SlotPlanner(facts);
  const { disk, path, layout, slotCount, marks } = facts;
  if (marks.size === 0) return planner;
  const reader = SlotReader.raw(disk, path, layout, slotCount, layout.slotSize);
  try {
    for (const slot of marks.keys()) {
      await task.pay(reader.takeReadBytes());
      await task.breathe();
      if (slot < slotCount) planner.local(slot, reader.padded(slot));
    }
  } finally {
    reader.close();
  }
  return planner;
}
