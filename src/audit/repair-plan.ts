// From what verify found to the steps of a repair (issue 5: repair; format.md, last section). Used by repair.ts. Reads the
// directory and the source, writes nothing. Promises: no step for what is sound; what is damaged and has no step is named in
// `left` with the reason.

import { ArmdbError } from "../errors.ts";
import type { SlotLayout } from "../format/slot.ts";
import { slotLayout } from "../format/slot.ts";
import type { Disk } from "../io/disk.ts";
import type { Geometry } from "../store/geometry.ts";
import type { ShardLook } from "./directory.ts";
import type { Finding, FindingKind } from "./findings.ts";
import { type BasisDecision, decideBasis } from "./repair-basis.ts";
import {
  type Change,
  type FileAttributes,
  parentOf,
  type Place,
  ROOT,
  type Step,
} from "./repair-changes.ts";
import { cursorBytes, mendCursor } from "./repair-cursor.ts";
import { markSlots } from "./repair-marks.ts";
import { planMeta } from "./repair-meta.ts";
import { cursorStep, planShard, type ShardPlan } from "./repair-shard.ts";
import { type LostKey, PlanBudget } from "./repair-slots.ts";
import type { RepairSource } from "./repair-source.ts";
import { hasCursor, type VerifyReport } from "./verify.ts";

/** A damage that a plan does not mend, and what would help. */
export interface LeftDamage {
  readonly finding: Finding;
  readonly why: string;
  readonly hint: string;
}

/** A key that is live in several slots, for `--keep`. */
export interface DoubledKey {
  readonly shard: number;
  readonly key: string;
  readonly slots: readonly number[];
}

export interface RepairPlan {
  /** In the order in which they are carried out. */
  readonly steps: readonly Step[];
  readonly lost: readonly LostKey[];
  readonly doubled: readonly DoubledKey[];
  readonly left: readonly LeftDamage[];
  readonly notes: readonly string[];
  /** True when one run cannot hold everything: the same command again does the rest. */
  readonly truncated: boolean;
  /** The database that shards are filled for; null when no shard is. */
  readonly fillGeometry: Geometry | null;
}

export interface PlanOptions {
  /** Findings outside it are left alone: `--shard`, `--plan`. */
  isInScope(finding: Finding): boolean;
  /** True: only what a report names is changed (`--plan`). */
  readonly onlyReported: boolean;
  readonly keep: readonly { readonly shard: number; readonly slot: number }[];
  readonly prefixBits: number | null;
  readonly source: RepairSource | null;
  readonly attributes: FileAttributes;
  readonly budgetBytes?: number;
  progress(shard: number, slots: number): void;
}

/** Makes the plan. Throws as the source does, `incompatible` for a half-way migration, `usage` for a wrong `--keep`. */
export async function planRepair(
  disk: Disk,
  report: VerifyReport,
  options: PlanOptions,
): Promise<RepairPlan> {
  refuseMigration(report);
  return await new Planner(disk, report, options).plan();
}

function refuseMigration({ findings, directory, verdict }: VerifyReport): void {
  if (verdict === "ok" || !findings.some((finding) => finding.kind === "migration-half-way"))
    return;
  throw new ArmdbError(
    "incompatible",
    `Cannot repair "${directory.path}": a migration of a later crate stopped half-way; its files are not touched`,
    { path: directory.path, hint: "open it with the program that migrates it, then armdb verify" },
  );
}

const META_KINDS: readonly FindingKind[] = [
  "meta-missing",
  "meta-size",
  "meta-magic",
  "meta-version",
  "meta-backend",
  "meta-shard-count",
  "meta-prefix-bits",
];

/** Damage for which a shard is held against its source. */
const SOURCE_KINDS: readonly FindingKind[] = [
  "header-magic",
  "header-version",
  "header-slot-size",
  "header-geometry",
  "header-shard-id",
  "file-short",
  "slot-crc",
  "slot-status",
  "key-misrouted",
  "key-duplicate",
  "sidecar-hides-slot",
];

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
  readonly #lost: LostKey[] = [];
  /** What the source is, once it was asked. */
  #sourceGeometry: Geometry | null = null;
  #truncated = false;
  #fills = false;

  constructor(disk: Disk, report: VerifyReport, options: PlanOptions) {
    this.#disk = disk;
    this.#report = report;
    this.#options = options;
    this.#damage = report.findings.filter(
      (finding) => finding.severity !== "note" && options.isInScope(finding),
    );
    this.#isReplica = hasCursor(report.directory);
    this.#budget = new PlanBudget(options.budgetBytes);
  }

  async plan(): Promise<RepairPlan> {
    this.#checkKeep();
    await this.#askSource();
    const meta = this.#metaSteps();
    const plans: ShardPlan[] = [];
    for (const look of this.#report.directory.shards) {
      const plan = await this.#shard(look);
      if (plan !== null) plans.push(plan);
    }
    // A lost header page before anything else, then db.meta, then what lies in the files.
    const steps = [
      ...plans.flatMap((plan) => plan.headerSteps),
      ...meta,
      ...plans.flatMap((plan) => [...plan.slotSteps, ...plan.cursorSteps]),
    ];
    for (const plan of plans) {
      this.#lost.push(...plan.lost);
      this.#notes.push(...plan.notes);
      this.#truncated ||= plan.truncated;
    }
    this.#leaveUnknown();
    return {
      steps,
      lost: this.#lost,
      doubled: this.#doubled,
      left: this.#left,
      notes: this.#notes,
      truncated: this.#truncated,
      fillGeometry: this.#fills ? this.#geometry() : null,
    };
  }

  #checkKeep(): void {
    const doubled = this.#damage.filter((finding) => finding.kind === "key-duplicate");
    for (const { shard, slot } of this.#options.keep) {
      const isDoubled = doubled.some(
        (finding) => finding.shard === shard && finding.slots?.includes(slot),
      );
      if (isDoubled) continue;
      throw new ArmdbError(
        "usage",
        `--keep ${shard}:${slot} is not one of several live slots with one key`,
        { shard, slot, hint: "armdb repair DIR lists the doubled keys with their slots" },
      );
    }
  }

  /**
   * Where the geometry itself is in doubt the source is asked first, by the first event of one scan. Nothing
   * else is believed of a source that has another geometry than what is known here.
   */
  async #askSource(): Promise<void> {
    const { source } = this.#options;
    const { directory } = this.#report;
    const metaIsUnknown = this.#metaFindings().length > 0 && directory.routing.source !== "meta";
    if (source === null || (directory.layout !== null && !metaIsUnknown)) return;
    const seen = new GeometrySeen();
    try {
      await source.scan(0, {
        begin: ({ geometry }) => {
          seen.geometry = geometry;
          throw seen;
        },
        slot: () => {},
      });
    } catch (thrown) {
      if (thrown !== seen) throw thrown;
    }
    this.#sourceGeometry = seen.geometry;
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
    const sidecarInScope = hasBadSidecar && isAsked && !this.#options.onlyReported;
    if (findings.length === 0 && !sidecarInScope) return null;
    const decision = decideBasis({
      directory: this.#report.directory,
      look,
      layout: this.#layout(),
      findings,
      isForeign: this.#isForeign(look, findings),
      hasSource: this.#options.source !== null,
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
    const marked = markSlots(findings, {
      isReplica: this.#isReplica,
      hasSource: source !== null,
      keep: new Set(
        options.keep.filter(({ shard }) => shard === look.shard).map(({ slot }) => slot),
      ),
      touchesMisrouted: true,
    });
    this.#noteDoubled(look.shard, findings);
    for (const finding of marked.undecided) {
      const why = `the key is live in slots ${(finding.slots ?? []).join(", ")}: which one is right cannot be known here`;
      this.#leave(finding, why, `armdb repair DIR --keep ${look.shard}:SLOT, or --from`);
    }
    if (report.directory.layout === null && options.source !== null) {
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
      isReplica: this.#isReplica,
      sidecar: report.sidecars.get(look.shard) ?? "none",
      shardCount: routing.shardCount,
      shardPrefixBits: routing.bitsKnown ? routing.shardPrefixBits : null,
      budget: this.#budget,
      source,
      onlyMarked: options.onlyReported,
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
      slotSteps: [this.#createStep(look, why)],
      cursorSteps: [],
      lost: [],
      notes: [],
      truncated: false,
    };
  }

  #createStep(look: ShardLook, why: string): Step {
    const { shard } = look;
    const { attributes, source } = this.#options;
    const place: Place = { kind: "new-data", shard };
    const directory = parentOf(place);
    const changes: Change[] = [];
    if (look.directory.facts === null) {
      const mode = attributes.mode | ((attributes.mode & 0o444) >> 2);
      changes.push({
        kind: "make-directory",
        place: directory,
        attributes: { ...attributes, mode },
      });
      changes.push({ kind: "sync-directory", place: ROOT });
    }
    changes.push({ kind: "create", place, attributes });
    changes.push({ kind: "fill", shard });
    changes.push({ kind: "sync", place });
    if (look.data.facts !== null) {
      changes.push({ kind: "remove", place: { kind: "data", shard }, bytes: look.fileBytes });
    }
    changes.push({ kind: "rename-new", shard });
    changes.push({ kind: "sync-directory", place: directory });
    const message = `${why}: write the shard as ${source?.name ?? "the source"} has it`;
    return { kind: "shard-create", shard, slot: null, message, changes };
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
      truncated: false,
    };
  }

  /** Most live keys of the file belong elsewhere: then the file is in the wrong place, rather than the keys. */
  #isForeign(look: ShardLook, findings: readonly Finding[]): boolean {
    const misrouted = findings
      .filter((finding) => finding.kind === "key-misrouted")
      .reduce((sum, finding) => sum + finding.count, 0);
    const shard = this.#report.shards.find((each) => each.shard === look.shard);
    return misrouted > 0 && misrouted * 2 > (shard?.occupied ?? 0);
  }

  #layout(): SlotLayout | null {
    const { layout } = this.#report.directory;
    if (layout !== null) return layout;
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

  #leave(finding: Finding, why: string, hint: string): void {
    this.#left.push({ finding, why, hint });
  }
}

/** Thrown by ourselves to end a scan once the geometry is known. */
class GeometrySeen extends Error {
  geometry: Geometry | null = null;
}
