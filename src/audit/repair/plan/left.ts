// What a plan leaves as it is. Used by repair/repair.ts. Pure. Promises: every damage in scope, and everything in scope that could
// not be checked, either has a step of the plan or is named here with a reason and a hint; so a repair that ends with 0 is one
// after which verify ends with 0.

import { shellWord } from "../../../shell-words.ts";
import type { Finding } from "../../findings.ts";
import type { VerifyReport } from "../../verify.ts";
import type { Step } from "../changes.ts";
import { type LeftDamage, META_KINDS, type RepairPlan } from "./types.ts";

/** What the planner left, and what has no step either. `isInScope` is false for what `--plan` leaves out. */
export function leftByPlan(
  report: VerifyReport,
  plan: RepairPlan,
  isInScope: (finding: Finding) => boolean,
): LeftDamage[] {
  const followed = new Set(report.followed.map(({ finding }) => finding));
  // What follows from another finding is said with that.
  const left = plan.left.filter(({ finding }) => !followed.has(finding));
  const named = new Set(left.map(({ finding }) => finding));
  const steps = new StepIndex(plan.steps);
  const path = report.directory.path;
  // What a cut plan does not reach is for the next run, which the plan says.
  const goesOn = plan.truncated && plan.steps.length > 0;
  const added: LeftDamage[] = [];
  for (const finding of report.findings) {
    const { severity } = finding;
    if (severity === "note" || severity === "incomplete" || named.has(finding)) continue;
    if (isInScope(finding) && (steps.covers(finding) || goesOn)) continue;
    added.push({ finding, ...reasonFor(finding, isInScope(finding), path) });
  }
  return [...left, ...added, ...leftIncomplete(report)];
}

/** Shards whose first copy has not ended: a scan of the leader goes on with them, whatever the options are. */
function leftIncomplete({ findings, directory }: VerifyReport): LeftDamage[] {
  const leader = directory.copy.leader ?? "LEADER";
  const hint = `armdb replicate ${shellWord(leader)} --data ${shellWord(directory.path)}`;
  return findings
    .filter(({ severity }) => severity === "incomplete")
    .map((finding) => ({ finding, why: finding.message, hint }));
}

function reasonFor(
  { kind, file, message }: Finding,
  isInScope: boolean,
  path: string,
): Pick<LeftDamage, "why" | "hint"> {
  const dir = shellWord(path);
  if (!isInScope) {
    return { why: `${message}; the report does not name it`, hint: `armdb repair ${dir}` };
  }
  switch (kind) {
    case "file-type": {
      const place = shellWord(`${path}/${file ?? ""}`);
      const hint = `ls -ld ${place}; move it away, then armdb repair ${dir}`;
      return { why: `${message}: a repair touches plain files only`, hint };
    }
    case "unreadable":
      return { why: message, hint: "dmesg and smartctl on that disk; a copy elsewhere" };
    case "cursor-shard":
    case "cursor-ahead":
    case "cursor-totals": {
      const why = `${message}; not all slots could be read, so what it is to say is not known`;
      return { why, hint: `armdb verify ${dir}` };
    }
    default:
      return {
        why: `${message}; at a second look there was nothing to be done about it`,
        hint: `armdb verify ${dir}`,
      };
  }
}

/** The steps of a plan, by what they are about. */
class StepIndex {
  /** `KIND` of the directory, `KIND/SHARD`. */
  readonly #kinds = new Set<string>();
  readonly #slots = new Map<number, Set<number>>();

  constructor(steps: readonly Step[]) {
    for (const { kind, shard, slot } of steps) {
      this.#kinds.add(shard === null ? kind : `${kind}/${shard}`);
      if (shard === null || slot === null) continue;
      const known = this.#slots.get(shard);
      if (known === undefined) this.#slots.set(shard, new Set([slot]));
      else known.add(slot);
    }
  }

  /** True when a step mends what was found. */
  covers(finding: Finding): boolean {
    const { kind, shard, slots } = finding;
    if (shard === null) return META_KINDS.includes(kind) && this.#kinds.has("db-meta");
    const has = (...kinds: readonly Step["kind"][]) =>
      kinds.some((each) => this.#kinds.has(`${each}/${shard}`));
    switch (kind) {
      case "cursor-shard":
      case "cursor-ahead":
      case "cursor-totals":
        return has("cursor");
      case "file-type":
        return false;
      case "slot-crc":
      case "slot-status":
      case "key-misrouted":
        return has("shard-create") || this.#hasAllSlots(finding);
      case "key-duplicate":
        return has("shard-create") || (slots ?? []).some((slot) => this.#hasSlot(shard, slot));
      case "sidecar-hides-slot":
        return has("shard-create", "sidecar-remove");
      case "unreadable":
        // Slots that no header told apart are looked at once it is there; a place on a bad disk is not written to.
        return finding.slot === null && finding.offset === null && has("header", "shard-create");
      default:
        return has("header", "header-field", "file-extend", "shard-create");
    }
  }

  #hasSlot(shard: number, slot: number): boolean {
    return this.#slots.get(shard)?.has(slot) === true;
  }

  #hasAllSlots({ shard, slot, count, lastSlot }: Finding): boolean {
    if (shard === null || slot === null) return false;
    if (lastSlot !== null) {
      const stepped = [...(this.#slots.get(shard) ?? [])];
      return stepped.filter((each) => each >= slot && each <= lastSlot).length >= count;
    }
    for (let each = slot; each < slot + count; each++) {
      if (!this.#hasSlot(shard, each)) return false;
    }
    return true;
  }
}
