// From what verify found to the steps of a repair (format.md, last section). Used by repair/repair.ts. Reads the
// directory and the source, writes nothing. Promises: no step for what is sound; what is damaged and has no step is named in
// `left` with the reason.

import { shellWord } from "../../../shell-words.ts";
import { ArmdbError } from "../../../errors.ts";
import type { SlotLayout } from "../../../format/slot.ts";
import { slotLayout } from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import type { Geometry } from "../../../store/geometry.ts";
import { lookAtShard, type ShardLook } from "../../look/database-look.ts";
import type { Finding } from "../../findings.ts";
import { type BasisDecision, decideBasis } from "./basis.ts";
import type { Step } from "../changes.ts";
import { createStep } from "./create.ts";
import { cursorBytes, mendCursor } from "./cursor.ts";
import { marksOfShard } from "./marks.ts";
import {
  type DoubledKey,
  type LeftDamage,
  META_KINDS,
  type PlanOptions,
  type RepairPlan,
  SOURCE_KINDS,
} from "./types.ts";
import { checkKeep, checkLengths, isForeignFile, refuseMigration, unreadSlots } from "./checks.ts";
import { planMeta } from "./meta.ts";
import { planShard, type ShardPlan } from "./shard.ts";
import { PlanBudget } from "./slots.ts";
import { cursorStep } from "./steps.ts";
import { hasCursor, type VerifyReport } from "../../verify.ts";

/** Makes the plan. Throws as the source does, `incompatible` for a half-way migration, `usage` for a wrong `--keep`. */
export async function planRepair(
  disk: Disk,
  report: VerifyReport,
  options: PlanOptions,
): Promise<RepairPlan> {
  refuseMigration(report);
  return await new Planner(disk, report, options).plan();
}

class Planner {
  readonly #disk: Disk;
  readonly #report: VerifyReport;
  readonly #options: PlanOptions;
  readonly #damage: readonly Finding[];
  readonly #isReplica: boolean;
  readonly #budget: PlanBudget;
  readonly #left: LeftDamage[] = [];
  readonly #doubled: DoubledKey[] = [];
  readonly #notes: string[] = [];
  /** What the source is, once it was asked. */
  #sourceGeometry: Geometry | null = null;
  #fills = false;

  constructor(disk: Disk, report: VerifyReport, options: PlanOptions) {
    this.#disk = disk;
    this.#report = report;
    this.#options = options;
    const isBad = ({ severity }: Finding) => severity === "damage" || severity === "unknown";
    const followed = report.followed.filter(({ from }) => options.isInScope(from));
    this.#damage = [
      ...report.findings.filter((finding) => isBad(finding) && options.isInScope(finding)),
      ...followed.map(({ finding }) => finding).filter(isBad),
    ];
    this.#isReplica = hasCursor(report.directory);
    this.#budget = new PlanBudget(options.budgetBytes);
  }

  async plan(): Promise<RepairPlan> {
    checkKeep(this.#damage, this.#options.keep);
    checkLengths(this.#disk, this.#report.directory, this.#options.lengths);
    await this.#askSource();
    const meta = this.#metaSteps();
    const plans: ShardPlan[] = [];
    for (const look of this.#report.directory.shards) {
      const plan = await this.#shard(look);
      if (plan !== null) plans.push(plan);
    }
    plans.push(...this.#unknownShards(meta.length > 0));
    // A lost header page before anything else, then db.meta, then what lies in the files.
    const steps = [
      ...plans.flatMap((plan) => plan.headerSteps),
      ...meta,
      ...plans.flatMap((plan) => [...plan.slotSteps, ...plan.cursorSteps]),
    ];
    this.#leaveUnknown();
    return {
      steps,
      lost: plans.flatMap(({ lost }) => lost),
      doubled: this.#doubled,
      left: this.#left,
      notes: [...this.#notes, ...plans.flatMap(({ notes }) => notes)],
      unsure: plans.flatMap(({ unsure }) => unsure),
      truncated: plans.some(({ truncated }) => truncated),
      fillGeometry: this.#fills ? this.#geometry() : null,
    };
  }

  /** Where the geometry itself is in doubt the source is asked first. */
  async #askSource(): Promise<void> {
    const { source } = this.#options;
    const { directory } = this.#report;
    const metaIsUnknown = this.#metaFindings().length > 0 && directory.routing.source !== "meta";
    if (source === null || (this.#layout() !== null && !metaIsUnknown)) return;
    this.#sourceGeometry = await source.geometry(this.#options.task);
  }

  /** Shards that only the source knows of: their directories and the count in db.meta are gone alike. */
  #unknownShards(writesMeta: boolean): ShardPlan[] {
    const { directory } = this.#report;
    const plans: ShardPlan[] = [];
    if (!writesMeta || this.#sourceGeometry === null || this.#options.reported !== null)
      return plans;
    for (let shard = directory.shards.length; shard < this.#sourceGeometry.shardCount; shard++) {
      const look = lookAtShard(this.#disk, directory.path, shard);
      if (look.data.facts !== null) continue;
      const plan = this.#absent(look, [], `${look.data.name} is missing`);
      if (plan !== null) plans.push(plan);
    }
    return plans;
  }

  #metaFindings(): readonly Finding[] {
    return this.#damage.filter(
      (finding) =>
        META_KINDS.includes(finding.kind) || (finding.shard === null && finding.file === "db.meta"),
    );
  }

  #metaSteps(): Step[] {
    const findings = this.#metaFindings();
    const { directory } = this.#report;
    const decision = planMeta({
      disk: this.#disk,
      directory,
      layout: directory.layout,
      findings,
      source: this.#sourceGeometry,
      prefixBits: this.#options.prefixBits,
      attributes: this.#options.attributes,
    });
    switch (decision.kind) {
      case "sound":
        return [];
      case "mend":
        return [decision.step];
      case "left":
        for (const finding of findings) this.#leave(finding, decision.why, decision.hint);
        return [];
    }
  }

  async #shard(look: ShardLook): Promise<ShardPlan | null> {
    const findings = this.#damage.filter((finding) => finding.shard === look.shard);
    const hasBadSidecar =
      this.#report.sidecars.get(look.shard) === "invalid" && look.header?.cleanShutdown === 1;
    const isAsked = this.#report.shards.some((shard) => shard.shard === look.shard);
    const sidecarInScope = hasBadSidecar && isAsked && this.#options.reported === null;
    if (findings.length === 0 && !sidecarInScope) return null;
    const decision = decideBasis({
      directory: this.#report.directory,
      look,
      layout: this.#layout(),
      findings,
      isForeign: isForeignFile(this.#report, look.shard, findings),
      hasSource: this.#options.source !== null,
      unreadSlots: this.#isReplica ? null : unreadSlots(this.#report, look.shard),
    });
    switch (decision.kind) {
      case "basis":
        return await this.#withBasis(look, findings, decision.basis);
      case "absent":
        return this.#absent(look, findings, decision.why);
      case "unusable":
        return this.#unusable(look, findings, decision);
    }
  }

  async #withBasis(
    look: ShardLook,
    findings: readonly Finding[],
    basis: Extract<BasisDecision, { kind: "basis" }>["basis"],
  ): Promise<ShardPlan> {
    const { options, report } = { options: this.#options, report: this.#report };
    const needsSource = findings.some((finding) => SOURCE_KINDS.includes(finding.kind));
    const source = needsSource && report.directory.layout !== null ? options.source : null;
    const { marked, everything } = marksOfShard(look.shard, report, findings, {
      ...{ isReplica: this.#isReplica, hasSource: source !== null },
      ...{ keep: options.keep, reported: options.reported },
    });
    this.#noteDoubled(look.shard, findings);
    for (const finding of marked.undecided) {
      const why = `the key is live in slots ${(finding.slots ?? []).join(", ")}: which one is right cannot be known here`;
      this.#leave(finding, why, `armdb repair DIR --keep ${look.shard}:SLOT, or --from`);
    }
    if (report.directory.layout === null) {
      this.#notes.push(
        `shard ${look.shard}: its slots can be looked at once the header is there: run the same command again`,
      );
    }
    const { routing } = report.directory;
    const plan = await planShard({
      disk: this.#disk,
      look,
      basis,
      findings,
      marks: marked.marks,
      everything,
      isReplica: this.#isReplica,
      sidecar: report.sidecars.get(look.shard) ?? "none",
      shardCount: routing.shardCount,
      shardPrefixBits: routing.bitsKnown ? routing.shardPrefixBits : null,
      budget: this.#budget,
      source,
      onlyMarked: options.reported !== null,
      task: options.task,
      progress: (slots) => options.progress(look.shard, slots),
    });
    for (const finding of findings) {
      // Without a layout the slots were called unreadable as a whole; that is mended with the header.
      if (finding.severity !== "unknown" || report.directory.layout === null) continue;
      this.#leave(finding, finding.message, "dmesg and smartctl on that disk; a copy elsewhere");
    }
    return { ...plan, truncated: plan.truncated || marked.truncated };
  }

  #noteDoubled(shard: number, findings: readonly Finding[]): void {
    for (const finding of findings) {
      if (finding.kind !== "key-duplicate" || finding.slots === null) continue;
      this.#doubled.push({ shard, key: finding.key ?? "", slots: finding.slots });
    }
  }

  /** No slot is left: a source brings the shard back, anything else would only hide that it is gone. */
  #absent(look: ShardLook, findings: readonly Finding[], why: string): ShardPlan | null {
    if (this.#options.source === null || this.#layout() === null) {
      for (const finding of findings) {
        const hint =
          "armdb repair DIR --from LEADER or DIR2 (a new, empty file would only hide what is lost)";
        this.#leave(finding, `${why}; which keys it held is not known here`, hint);
      }
      return null;
    }
    this.#fills = true;
    return {
      headerSteps: [],
      slotSteps: [createStep(look, why, this.#options.source.name, this.#options.attributes)],
      cursorSteps: [],
      lost: [],
      notes: [],
      unsure: [],
      truncated: false,
    };
  }

  #unusable(
    look: ShardLook,
    findings: readonly Finding[],
    { why, hint }: { readonly why: string; readonly hint: string },
  ): ShardPlan | null {
    const cursorWrong = findings.some((finding) => finding.kind === "cursor-shard");
    for (const finding of findings) {
      if (finding.kind !== "cursor-shard") this.#leave(finding, why, hint);
    }
    const before = cursorBytes(look);
    if (!cursorWrong || before === null) return null;
    const after = mendCursor(before, look.shard, null);
    return {
      headerSteps: [],
      slotSteps: [],
      cursorSteps: cursorStep(look.shard, before, after, "the cursor names another shard"),
      lost: [],
      notes: [],
      unsure: [],
      truncated: false,
    };
  }

  #layout(): SlotLayout | null {
    const { layout } = this.#report.directory;
    if (layout !== null) return layout;
    const { lengths } = this.#options;
    if (lengths !== null) return slotLayout(lengths.keyLen, lengths.valueLen);
    const source = this.#sourceGeometry;
    return source === null ? null : slotLayout(source.keyLen, source.valueLen);
  }

  #geometry(): Geometry | null {
    const layout = this.#layout();
    const { routing } = this.#report.directory;
    if (layout === null) return this.#sourceGeometry;
    const { keyLen, valueLen } = layout;
    const bits = routing.bitsKnown
      ? routing.shardPrefixBits
      : this.#sourceGeometry?.shardPrefixBits;
    const shardCount = this.#sourceGeometry?.shardCount ?? routing.shardCount;
    return { shardCount, shardPrefixBits: bits ?? 0, keyLen, valueLen };
  }

  /** What could not be read of the directory as a whole. */
  #leaveUnknown(): void {
    for (const finding of this.#damage) {
      if (finding.shard !== null || this.#metaFindings().includes(finding)) continue;
      this.#leave(finding, finding.message, "armdb verify DIR");
    }
  }

  /** `DIR` in a hint stands for this directory. */
  #leave(finding: Finding, why: string, hint: string): void {
    const named = hint.replaceAll(/\bDIR\b/g, () => shellWord(this.#report.directory.path));
    this.#left.push({ finding, why, hint: named });
  }
}
