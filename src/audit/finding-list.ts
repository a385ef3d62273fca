// Where the checks put what they find. Used by every check of the audit, and by each block of a scan. Promises: counts are exact;
// what is kept of slots is bounded over the whole run, whatever the files hold.

import {
  type Finding,
  FINDING_KINDS,
  type FindingDraft,
  type FindingKind,
  findingOf,
  type Severity,
} from "./findings.ts";

/** Findings of one slot that are listed one by one in a shard; past it neighbours of one kind share a finding. */
const SLOT_FINDINGS_SINGLE_MAX = 10_000;

/** A cell of memory that threads share. */
interface SharedCell {
  readonly cells: Int32Array;
  readonly at: number;
}

/** How many findings of slots are kept one by one: of a shard, and of all scans of a command. */
export class FindingBudget {
  /** Over a whole run; an entry with its text costs some 1.6 KB. */
  static readonly ENTRIES_MAX = 20_000;
  readonly #left: SharedCell;
  readonly #ofShard: SharedCell;

  /** `left`: what the run may still keep. `ofShard`: findings of slots so far in this one. */
  constructor(left: SharedCell, ofShard: SharedCell) {
    this.#left = left;
    this.#ofShard = ofShard;
  }

  /** Counts a finding of a slot; true when neighbours of one kind are to share one from now on. */
  mayJoin(): boolean {
    return Atomics.add(this.#ofShard.cells, this.#ofShard.at, 1) >= SLOT_FINDINGS_SINGLE_MAX;
  }

  get isSpent(): boolean {
    return Atomics.load(this.#left.cells, this.#left.at) <= 0;
  }

  /** False: this one goes into a range. */
  take(): boolean {
    const { cells, at } = this.#left;
    if (Atomics.sub(cells, at, 1) > 0) return true;
    Atomics.add(cells, at, 1);
    return false;
  }
}

const RANGE_MESSAGE = "some of these, which are not listed one by one";

/**
 * Collects findings. Notes of one kind in one shard (and file) become one finding with a count (cli.md: verify).
 * Damage is always listed in full.
 */
export class FindingList {
  readonly #findings: Finding[] = [];
  readonly #places = new Map<string, number>();
  readonly #budget: FindingBudget | null;
  #slotFindings = 0;

  /** `budget` null: what is added has been paid for, or is of few slots. */
  constructor(budget: FindingBudget | null = null) {
    this.#budget = budget;
  }

  /** All findings so far, in the order found. */
  get all(): readonly Finding[] {
    return this.#findings;
  }

  add(draft: FindingDraft): void {
    const finding = findingOf(draft);
    if (finding.severity === "note") this.#addNote(finding);
    else if (finding.slot !== null) this.#addOfSlot(finding);
    else this.#findings.push(finding);
  }

  /**
   * Counts one more slot of a kind in the range that is open for it, which needs no words for each: of random bytes every second
   * slot is damaged. False: it is to be added with all that there is to say.
   */
  countMore(kind: FindingKind, shard: number, slot: number): boolean {
    if (this.#budget === null || !this.#budget.isSpent) return false;
    const place = this.#places.get(rangeName(FINDING_KINDS[kind].severity, kind, shard));
    const range = place === undefined ? undefined : this.#findings[place];
    if (place === undefined || range === undefined || slot < (range.lastSlot ?? 0)) return false;
    this.#findings[place] = { ...range, lastSlot: slot, count: range.count + 1 };
    return true;
  }

  /** Adds what another list has paid for; neighbours at the seam of two are joined as in one. */
  addPaid(findings: readonly Finding[]): void {
    for (const finding of findings) {
      const last = this.#findings.at(-1);
      const areRuns = finding.count > 1 && (last?.count ?? 1) > 1;
      const isRun = finding.kind === "unreadable" || areRuns;
      if (finding.severity === "note" || finding.slot === null || finding.lastSlot !== null) {
        this.add(finding);
      } else if (isRun && finding.slots === null && last !== undefined && follows(last, finding)) {
        this.#findings[this.#findings.length - 1] = { ...last, count: last.count + finding.count };
      } else this.#findings.push(finding);
    }
  }

  #addNote(finding: Finding): void {
    const name = `${finding.kind}/${finding.shard ?? ""}`;
    const first = this.#placed(name, finding);
    if (first === null) return;
    const [place, before] = first;
    this.#findings[place] = { ...before, count: before.count + finding.count };
  }

  #addOfSlot(finding: Finding): void {
    if (finding.lastSlot !== null) return this.#addToRange(finding, finding.lastSlot);
    const mayJoin = this.#mayJoin() || finding.kind === "unreadable";
    const last = this.#findings.at(-1);
    if (mayJoin && finding.slots === null && last !== undefined && follows(last, finding)) {
      this.#findings[this.#findings.length - 1] = { ...last, count: last.count + finding.count };
    } else if (this.#budget === null || this.#budget.take()) {
      this.#findings.push(finding);
    } else {
      const { slot, count } = finding;
      this.#addToRange(finding, (slot ?? 0) + (finding.slots === null ? count - 1 : 0));
    }
  }

  #mayJoin(): boolean {
    this.#slotFindings += 1;
    return this.#budget?.mayJoin() ?? this.#slotFindings > SLOT_FINDINGS_SINGLE_MAX;
  }

  /** One range for each kind and shard. */
  #addToRange(finding: Finding, lastSlot: number): void {
    const { kind, severity, shard, slot } = finding;
    const name = rangeName(severity, kind, shard);
    const range = { ...finding, lastSlot, message: RANGE_MESSAGE, key: null, slots: null };
    const known = this.#placed(name, { ...range, sidecarMeta: null });
    if (known === null) return;
    const [place, before] = known;
    this.#findings[place] = {
      ...before,
      slot: Math.min(before.slot ?? 0, slot ?? 0),
      offset: Math.min(before.offset ?? 0, finding.offset ?? 0),
      lastSlot: Math.max(before.lastSlot ?? 0, lastSlot),
      count: before.count + finding.count,
    };
  }

  /** Where there is a finding of this name already; null: there was none, and this one is it. */
  #placed(name: string, finding: Finding): [place: number, before: Finding] | null {
    const place = this.#places.get(name);
    if (place !== undefined) return [place, this.#findings[place] as Finding];
    this.#places.set(name, this.#findings.push(finding) - 1);
    return null;
  }
}

function rangeName(severity: Severity, kind: FindingKind, shard: number | null): string {
  return `${severity}/${kind}/${shard ?? ""}`;
}

function follows(last: Finding, next: Finding): boolean {
  return (
    last.kind === next.kind &&
    last.severity === next.severity &&
    last.shard === next.shard &&
    last.file === next.file &&
    last.lastSlot === null &&
    (last.kind !== "unreadable" || last.message === next.message) &&
    last.slot !== null &&
    last.slot + last.count === next.slot
  );
}
