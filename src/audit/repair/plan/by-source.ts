// One shard against its source, slot by slot, for the plan of a repair. Used by repair/plan/shard.ts. Reads both, writes nothing.
// Promises: a source that is not a copy of this database is refused before anything is planned from it.

import { ArmdbError } from "../../../errors.ts";
import { equalBytes } from "../../../bytes.ts";
import {
  decodeSlot,
  isSlotSound,
  STATUS_FREE,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../../format/slot.ts";
import { type Geometry, geometryDifferences } from "../../../store/geometry.ts";
import { tryDisk } from "../../look/file-look.ts";
import { otherGeometry } from "../../leader/errors.ts";
import { type SlotFacts, SlotPlanner } from "./slots.ts";
import type { Task } from "../../task.ts";
import type { RepairSource, SlotThere, SourceReceiver } from "../source.ts";
import { SlotReader, WINDOW_BYTES_SEQUENTIAL } from "../../look/slot-reader.ts";

export interface MergeOptions {
  readonly facts: SlotFacts;
  readonly source: RepairSource;
  readonly geometry: Geometry;
  /** False: the prefix bits in `geometry` are not known, and not held against the source. */
  readonly bitsKnown: boolean;
  /** True: nothing but marked slots is changed (`--plan`). */
  readonly onlyMarked: boolean;
  readonly task: Task;
  /** Slots looked at so far. */
  progress(slots: number): void;
}

export interface MergeResult {
  readonly planner: SlotPlanner;
  /** Sound slots here that the source contradicts and that stay as they are. */
  readonly contradicted: number;
  /** Slots that the source itself cannot vouch for; of these the planner counts those that are not sound here either. */
  readonly unsure: number;
}

/** Plans one shard by its source. Throws incompatible when the source is another database, and as the source does. */
export async function planBySource(options: MergeOptions): Promise<MergeResult> {
  const merge = new Merge(options);
  try {
    await merge.run();
  } finally {
    merge.close();
  }
  return merge.result();
}

const PROGRESS_SLOTS = 65_536;
const SLOTS_PER_BREATH = 4096;

class Merge {
  readonly #options: MergeOptions;
  readonly #planner: SlotPlanner;
  readonly #reader: SlotReader;
  /** First slot that has not been looked at. */
  #next = 0;
  #agreed = 0;
  #conflicts = 0;
  #contradicted = 0;
  #unsure = 0;

  constructor(options: MergeOptions) {
    this.#options = options;
    const { disk, path, layout, slotCount } = options.facts;
    this.#planner = new SlotPlanner(options.facts, "all");
    this.#reader = SlotReader.raw(disk, path, layout, slotCount, WINDOW_BYTES_SEQUENTIAL);
  }

  async run(): Promise<void> {
    const { source, geometry, bitsKnown, facts, task } = this.#options;
    const receiver: SourceReceiver = {
      begin(info) {
        const { shardPrefixBits } = bitsKnown ? geometry : info.geometry;
        const here = { ...geometry, shardPrefixBits };
        const differences = geometryDifferences(here, info.geometry, "here", "there");
        if (differences.length > 0) throw otherGeometry(source.name, differences);
      },
      slot: (slot, there) => {
        this.#upTo(slot);
        // Slots past our end are growth, not damage: the next scan of a follower brings them.
        if (slot < facts.slotCount) this.#one(slot, there);
        this.#next = Math.max(this.#next, slot + 1);
      },
      passed: (slot) => {
        this.#upTo(slot);
        return this.#reader.takeReadBytes();
      },
    };
    await source.scan(facts.shard, receiver, task);
    for (let slot = this.#next; slot < facts.slotCount; slot += SLOTS_PER_BREATH) {
      this.#upTo(slot);
      await task.pay(this.#reader.takeReadBytes());
      await task.breathe();
    }
    this.#upTo(facts.slotCount);
    this.#refuseStranger();
  }

  result(): MergeResult {
    return {
      planner: this.#planner,
      contradicted: this.#contradicted,
      unsure: this.#unsure,
    };
  }

  close(): void {
    this.#reader.close();
  }

  /** Slots that the source did not speak of. */
  #upTo(end: number): void {
    const last = Math.min(end, this.#options.facts.slotCount);
    for (; this.#next < last; this.#next++) this.#one(this.#next, { kind: "nothing" });
  }

  #one(slot: number, there: SlotThere): void {
    if (slot % PROGRESS_SLOTS === 0) this.#options.progress(slot);
    if (there.kind === "unsure") this.#unsure++;
    const [bytes] = tryDisk(() => this.#reader.padded(slot));
    // Verify has said that it cannot be read; what cannot be read cannot be saved, and so is not overwritten.
    if (bytes === null) return;
    const { facts, onlyMarked } = this.#options;
    const isMarked = facts.marks.all.has(slot);
    // A free slot that is marked may have lost what the sidecar knows.
    const isFree = statusOf(bytes[0] ?? 0) === STATUS_FREE;
    if (there.kind === "nothing" && isFree && !isMarked) return;
    this.#weigh(bytes, there);
    if (onlyMarked && !isMarked) return;
    const changes = this.#planner.changes.length;
    this.#planner.bySource(slot, bytes, there);
    if (this.#planner.changes.length === changes) this.#noteContradiction(slot, bytes, there);
  }

  /** Slots of one version on both sides hold the same record, if the source is a copy of this database. */
  #weigh(bytes: Uint8Array, there: SlotThere): void {
    if (there.kind !== "occupied") return;
    const { layout } = this.#options.facts;
    const here = decodeSlot(bytes, layout);
    if (here.meta !== there.meta || !isSlotSound(bytes, layout)) return;
    const isSame = equalBytes(here.key, there.key) && equalBytes(here.value, there.value);
    if (isSame) this.#agreed++;
    else this.#conflicts++;
  }

  #noteContradiction(slot: number, bytes: Uint8Array, there: SlotThere): void {
    const here = this.#planner.judge(slot, bytes);
    const isLive = here.isTrusted && statusOf(here.meta) === STATUS_OCCUPIED;
    if (!isLive || there.kind === "unsure") return;
    if (there.kind === "nothing" || versionOf(there.meta) !== versionOf(here.meta)) {
      this.#contradicted++;
    } else if (there.kind === "deleted") this.#contradicted++;
    else {
      const { key, value } = decodeSlot(bytes, this.#options.facts.layout);
      if (!equalBytes(key, there.key) || !equalBytes(value, there.value)) this.#contradicted++;
    }
  }

  #refuseStranger(): void {
    if (this.#conflicts <= this.#agreed) return;
    const { source, facts } = this.#options;
    const compared = this.#conflicts + this.#agreed;
    throw new ArmdbError(
      "incompatible",
      `Cannot repair shard ${facts.shard} from ${source.name}: of ${compared} sound slots at the same version, ` +
        `${this.#conflicts} hold another record there: it is not a copy of this database`,
      {
        shard: facts.shard,
        hint: "armdb compare DIR OTHER; is that the right leader or directory?",
      },
    );
  }
}
