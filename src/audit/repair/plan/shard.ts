// The plan for one shard: header and length, sidecar and clean flag, slots, cursor. Used by repair/plan/plan.ts, which puts the
// shards together. Reads the shard's files and the source, writes nothing.

import { ArmdbError } from "../../../errors.ts";
import { SHARD_HEADER_BYTES } from "../../../format/shard-header.ts";
import type { Disk } from "../../../io/disk.ts";
import type { Geometry } from "../../../store/geometry.ts";
import { tryDisk } from "../../look/file-look.ts";
import type { Task } from "../../task.ts";
import type { Step } from "../changes.ts";
import { cursorBytes, mendCursor, readVersions } from "./cursor.ts";
import { marksOf, type SlotMarks } from "./marks.ts";
import { planBySource } from "./by-source.ts";
import { metaAfter } from "./rules.ts";
import {
  changeBytes,
  type LostKey,
  type PlanBudget,
  type PlannedChanges,
  planLocally,
  type SlotChange,
  type SlotFacts,
  SlotPlanner,
} from "./slots.ts";
import { SlotRanges } from "./slot-ranges.ts";
import type { ShardBasis } from "./basis.ts";
import type { RepairSource } from "../source.ts";
import { damagedThere, type UnsureShard } from "./types.ts";
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
  /** What is in scope. */
  readonly marks: SlotMarks;
  /** Whatever the scope is. */
  readonly everything: SlotMarks;
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
  /** Slots that are damaged here and for which the source cannot vouch. */
  readonly unsure: readonly UnsureShard[];
  readonly truncated: boolean;
}

export async function planShard(facts: ShardPlanFacts): Promise<ShardPlan> {
  const { look, basis } = facts;
  const notes: string[] = [];
  const words = new SidecarWords(facts);
  let planned: PlannedSlots;
  try {
    planned = await planSlots(facts, words, notes);
  } finally {
    words.close();
  }
  const { changes, isCut } = planned;
  const hides = !facts.marks.hidden.isEmpty;
  const isWrong = hides || (facts.sidecar === "invalid" && basis.cleanShutdown === 1);
  // The sidecar is evidence, and goes in the run in which the last slot that it knows better has got its version.
  const dropsSidecar = !isCut && (changes.length > 0 || isWrong || isOtherLength(facts));
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
    cursorSteps: isCut ? [] : await cursorSteps(facts, changes),
    lost: planned.lost,
    notes,
    unsure: planned.unsure > 0 ? [{ shard: look.shard, count: planned.unsure }] : [],
    truncated: planned.truncated,
  };
}

/** Slots that come back as zeros, or come into view, are changed slots too. */
function isOtherLength({ basis, look }: ShardPlanFacts): boolean {
  return (
    basis.bytesAfter > basis.bytesBefore ||
    (!basis.isHeaderLost && basis.slotCount !== look.header?.slotCount)
  );
}

/** The slots of a shard that change, ascending. */
interface PlannedSlots extends PlannedChanges {
  /** Not all fits that rests on the sidecar's word: it stays, and nothing is changed that it would hide. */
  readonly isCut: boolean;
}

/**
 * What rests on the sidecar's word is planned first, over all of the shard's damage, whatever is in scope: with any change of a slot the
 * sidecar goes, and with it its word.
 */
async function planSlots(
  facts: ShardPlanFacts,
  words: SidecarWords,
  notes: string[],
): Promise<PlannedSlots> {
  const scoped = slotFactsOf(facts, facts.marks, words);
  const all = slotFactsOf(facts, facts.everything, words);
  const isTouched = !scoped.marks.all.isEmpty || isOtherLength(facts);
  const hasEvidence = isTouched && !facts.isReplica && facts.sidecar === "valid";
  const evidence = hasEvidence
    ? await planLocally(all, "evidence", facts.task)
    : new SlotPlanner(all, "evidence");
  if (evidence.truncated) return { ...evidence.planned(), isCut: true };
  if (facts.source === null) {
    const rest = await planLocally(scoped, "rest", facts.task);
    return joined(evidence.planned(), rest.planned());
  }
  // By the source these slots take more room than by the sidecar alone.
  const inScope = evidence.changes.filter(({ slot }) => scoped.marks.all.has(slot));
  if (!facts.budget.take(inScope.length * changeBytes(facts.basis.layout.slotSize))) {
    return { ...evidence.planned(), truncated: true, isCut: true };
  }
  const merged = await bySource(facts, scoped, facts.source, notes);
  return joined(evidence.planned(scoped.marks.all), merged);
}

function joined(first: PlannedChanges, second: PlannedChanges): PlannedSlots {
  return {
    changes: [...first.changes, ...second.changes].sort((left, right) => left.slot - right.slot),
    lost: [...first.lost, ...second.lost].sort((left, right) => left.slot - right.slot),
    truncated: first.truncated || second.truncated,
    unsure: first.unsure + second.unsure,
    isCut: false,
  };
}

async function bySource(
  facts: ShardPlanFacts,
  slotFacts: SlotFacts,
  source: RepairSource,
  notes: string[],
): Promise<PlannedChanges> {
  const { look, basis, onlyMarked, task, progress } = facts;
  const geometry: Geometry = {
    shardCount: facts.shardCount,
    shardPrefixBits: facts.shardPrefixBits ?? 0,
    keyLen: basis.layout.keyLen,
    valueLen: basis.layout.valueLen,
  };
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
    notes.push(`shard ${look.shard}: ${damagedThere(unsure, source.name)}`);
  }
  return merged.planner.planned();
}

function slotFactsOf(facts: ShardPlanFacts, marks: SlotMarks, words: SidecarWords): SlotFacts {
  const { disk, look, basis, isReplica, budget, shardCount, shardPrefixBits } = facts;
  const isRouted = shardCount > 1 && shardPrefixBits !== null;
  return {
    disk,
    path: look.data.path,
    shard: look.shard,
    layout: basis.layout,
    slotCount: basis.slotCount,
    slotsHeld: slotsHeld(basis),
    isReplica,
    marks: withCutSlots(facts, marks),
    routing: isRouted ? { shardCount, shardPrefixBits } : null,
    wordOf: (slot) => words.of(slot),
    budget,
  };
}

/** Whole slots of the file as it was. */
function slotsHeld({ bytesBefore, layout }: ShardBasis): number {
  return Math.floor((bytesBefore - SHARD_HEADER_BYTES) / layout.slotSize);
}

/**
 * A slot that the end of a short file cuts is looked at too: filled up with zeros it may be a torn one; and so are those behind it where
 * a sidecar knows their versions: a leader's must never go back (format.md: For the verifier and the repairer).
 */
function withCutSlots({ basis, isReplica, sidecar }: ShardPlanFacts, marks: SlotMarks): SlotMarks {
  if (basis.bytesAfter <= basis.bytesBefore) return marks;
  const held = slotsHeld(basis);
  const isKnown = !isReplica && sidecar === "valid" && held < basis.slotCount;
  const cut = isKnown ? SlotRanges.of([[held, basis.slotCount - 1]]) : SlotRanges.NONE;
  return marksOf({
    ...marks,
    bytes: SlotRanges.union(marks.bytes, SlotRanges.of([[held, held]])),
    hidden: SlotRanges.union(marks.hidden, cut),
  });
}

/** The words of a sidecar that the crate would use. */
class SidecarWords {
  readonly #facts: ShardPlanFacts;
  #reader: SidecarReader | null = null;

  constructor(facts: ShardPlanFacts) {
    this.#facts = facts;
  }

  /** Null: there is none. Throws `unknown` where there is one and it cannot be read. */
  of(slot: number): number | null {
    const { sidecar, look, disk } = this.#facts;
    if (sidecar !== "valid") return null;
    const [words, error] = tryDisk(() => {
      this.#reader ??= new SidecarReader(disk, look.sidecar.path);
      return this.#reader.read(slot, 1);
    });
    const word = words?.[0];
    if (word !== undefined) return word;
    const why = error?.errno ?? this.#reader?.reason ?? "it has become shorter";
    throw new ArmdbError(
      "unknown",
      `Cannot repair shard ${look.shard}: what the sidecar says of slot ${slot} cannot be read: ${why}`,
      { path: look.sidecar.path, shard: look.shard, slot, hint: "armdb verify on that directory" },
    );
  }

  close(): void {
    this.#reader?.close();
  }
}

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
