// The plan for one shard: header and length, sidecar and clean flag, slots, cursor. Used by repair/plan/plan.ts, which puts the
// shards together. Reads the shard's files and the source, writes nothing.

import { viewOf } from "../../../bytes.ts";
import { SHARD_HEADER_BYTES } from "../../../format/shard-header.ts";
import { packMeta, STATUS_FREE, versionOf } from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import type { Geometry } from "../../../store/geometry.ts";
import type { Task } from "../../task.ts";
import type { Step } from "../changes.ts";
import { cursorBytes, mendCursor, readVersions } from "./cursor.ts";
import { isBehindSidecar, type SlotMark } from "./marks.ts";
import { planBySource } from "./by-source.ts";
import { metaAfter } from "./rules.ts";
import {
  type LostKey,
  type PlanBudget,
  planLocally,
  type SlotChange,
  type SlotFacts,
  type SlotPlanner,
} from "./slots.ts";
import type { RepairSource } from "../source.ts";
import {
  cursorStep,
  extendSteps,
  headerSteps,
  sidecarSteps,
  slotSteps,
  type StepFacts,
} from "./steps.ts";
import { SidecarReader, type SidecarState } from "../../check/sidecar.ts";
import { SlotReader, WINDOW_BYTES_SEQUENTIAL } from "../../look/slot-reader.ts";

export interface ShardPlanFacts extends StepFacts {
  readonly disk: Disk;
  readonly marks: ReadonlyMap<number, SlotMark>;
  readonly isReplica: boolean;
  readonly sidecar: SidecarState;
  /** What the database is; the prefix bits null where they are not known. */
  readonly shardCount: number;
  readonly shardPrefixBits: number | null;
  readonly budget: PlanBudget;
  /** Null: no source, or this shard needs none. */
  readonly source: RepairSource | null;
  readonly onlyMarked: boolean;
  readonly task: Task;
  progress(slots: number): void;
}

/** What is done to one shard, in the three turns in which a plan is carried out. */
export interface ShardPlan {
  /** Before anything else in the database. */
  readonly headerSteps: readonly Step[];
  readonly slotSteps: readonly Step[];
  readonly cursorSteps: readonly Step[];
  readonly lost: readonly LostKey[];
  readonly notes: readonly string[];
  readonly truncated: boolean;
}

export async function planShard(facts: ShardPlanFacts): Promise<ShardPlan> {
  const { look, basis } = facts;
  const notes: string[] = [];
  const [planner, versionsKept] = await planSlots(facts, notes);
  const changes = [...planner.changes, ...versionsKept].sort((a, b) => a.slot - b.slot);
  const hides = facts.findings.some((finding) => finding.kind === "sidecar-hides-slot");
  const isWrong = hides || (facts.sidecar === "invalid" && basis.cleanShutdown === 1);
  // Slots that come back as zeros, or come into view, are changed slots too.
  const isOtherLength =
    basis.bytesAfter > basis.bytesBefore ||
    (!basis.isHeaderLost && basis.slotCount !== look.header?.slotCount);
  const dropsSidecar = changes.length > 0 || isWrong || isOtherLength;
  if (basis.bytesAfter > basis.bytesBefore) {
    notes.push(
      `shard ${look.shard}: ${basis.bytesAfter - basis.bytesBefore} bytes at the end of its file are gone; ` +
        "which keys were there is not known",
    );
  }
  return {
    headerSteps: [
      ...extendSteps(facts),
      ...slotSteps(
        facts,
        changes.filter((change) => change.bySidecar),
      ),
      ...headerSteps(facts, dropsSidecar),
    ],
    slotSteps: [
      ...(dropsSidecar ? sidecarSteps(facts) : []),
      ...slotSteps(
        facts,
        changes.filter((change) => !change.bySidecar),
      ),
    ],
    cursorSteps: await cursorSteps(facts, changes),
    lost: planner.lost,
    notes,
    truncated: planner.truncated,
  };
}

async function planSlots(
  facts: ShardPlanFacts,
  notes: string[],
): Promise<[SlotPlanner, SlotChange[]]> {
  const slotFacts = slotFactsOf(facts);
  const { source, look, basis } = facts;
  if (source === null)
    return [await planLocally(slotFacts, facts.task), versionsOfLostSlots(facts)];
  const geometry: Geometry = {
    shardCount: facts.shardCount,
    shardPrefixBits: facts.shardPrefixBits ?? 0,
    keyLen: basis.layout.keyLen,
    valueLen: basis.layout.valueLen,
  };
  const { onlyMarked, task, progress } = facts;
  const merged = await planBySource({
    facts: slotFacts,
    source,
    geometry,
    bitsKnown: facts.shardPrefixBits !== null,
    onlyMarked,
    task,
    progress,
  });
  const { contradicted, unsure } = merged;
  if (contradicted > 0) {
    notes.push(
      `shard ${look.shard}: ${contradicted} sound slots are not what ${source.name} has and not older; ` +
        "they are left (armdb compare shows them)",
    );
  }
  if (unsure > 0) {
    notes.push(`shard ${look.shard}: ${unsure} slots are damaged at ${source.name} itself`);
  }
  return [merged.planner, []];
}

function slotFactsOf(facts: ShardPlanFacts): SlotFacts {
  const { disk, look, basis, isReplica, budget, shardCount, shardPrefixBits } = facts;
  const isRouted = shardCount > 1 && shardPrefixBits !== null;
  return {
    disk,
    path: look.data.path,
    shard: look.shard,
    layout: basis.layout,
    slotCount: basis.slotCount,
    isReplica,
    marks: withPartialSlot(facts),
    routing: isRouted ? { shardCount, shardPrefixBits } : null,
    budget,
  };
}

/** A slot that the end of a short file cuts is looked at too: filled up with zeros it may be a torn one. */
function withPartialSlot({ basis, marks }: ShardPlanFacts): ReadonlyMap<number, SlotMark> {
  const dataBytes = basis.bytesBefore - SHARD_HEADER_BYTES;
  const slot = Math.floor(dataBytes / basis.layout.slotSize);
  const isCut = basis.bytesAfter > basis.bytesBefore && dataBytes % basis.layout.slotSize !== 0;
  if (!isCut || marks.has(slot)) return marks;
  const mark: SlotMark = { kind: "slot-crc", sidecarMeta: null, key: null, isKept: false };
  return new Map([...marks, [slot, mark]]);
}

/**
 * Outside a replica, slots that are cut off come back FREE with the versions that a good sidecar has for them: a
 * leader's versions must never go back (format.md: For the verifier and the repairer).
 */
function versionsOfLostSlots(facts: ShardPlanFacts): SlotChange[] {
  const { basis, look, disk, isReplica, sidecar, budget } = facts;
  const { slotSize } = basis.layout;
  const held = Math.ceil((basis.bytesBefore - SHARD_HEADER_BYTES) / slotSize);
  if (isReplica || sidecar !== "valid" || held >= basis.slotCount) return [];
  const changes: SlotChange[] = [];
  const reader = new SidecarReader(disk, look.sidecar.path);
  const add = (slot: number, word: number) => {
    if (!isBehindSidecar(0, word) || !budget.take(BYTES_PER_SMALL_CHANGE)) return;
    const after = new Uint8Array(4);
    viewOf(after).setUint32(0, packMeta(STATUS_FREE, versionOf(word)), true);
    const why = "cut off; the sidecar knows its version";
    const remedy = { kind: "slot-free", after } as const;
    changes.push({ slot, before: new Uint8Array(4), remedy, why, bySidecar: true });
  };
  try {
    for (let first = held; first < basis.slotCount; first += WORDS_PER_READ) {
      const words = reader.read(first, Math.min(WORDS_PER_READ, basis.slotCount - first));
      if (words === null) break;
      for (let slot = first; slot < Math.min(first + WORDS_PER_READ, basis.slotCount); slot++) {
        add(slot, words[slot - first] ?? 0);
      }
    }
  } finally {
    reader.close();
  }
  return changes;
}

const WORDS_PER_READ = 65_536;
/** What a change of a few bytes costs in memory, rather than on disk. */
const BYTES_PER_SMALL_CHANGE = 256;

const CURSOR_KINDS = ["cursor-shard", "cursor-ahead", "cursor-totals"] as const;

async function cursorSteps(facts: ShardPlanFacts, changes: readonly SlotChange[]): Promise<Step[]> {
  const { disk, look, basis, findings } = facts;
  const wrong = findings.find((finding) => CURSOR_KINDS.some((kind) => kind === finding.kind));
  const before = cursorBytes(look);
  // A slot that is cleared or cut off may have held the version that the cursor speaks of.
  const isTouched =
    changes.length > 0 || basis.bytesAfter > basis.bytesBefore || basis.isHeaderLost;
  if (before === null || (wrong === undefined && !isTouched)) return [];
  const changed = new Map(changes.map(({ slot, remedy }) => [slot, metaAfter(remedy)]));
  const reader = SlotReader.raw(
    disk,
    look.data.path,
    basis.layout,
    basis.slotCount,
    WINDOW_BYTES_SEQUENTIAL,
  );
  try {
    // Where a slot cannot be read only the shard's number is put right.
    const versions = await readVersions(reader, changed, facts.task);
    const after = mendCursor(before, look.shard, versions);
    return cursorStep(look.shard, before, after, wrong?.message ?? null);
  } finally {
    reader.close();
  }
}
