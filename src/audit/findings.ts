// What the checks find. Every check hands Findings to a FindingList (finding-list.ts); verify, inspect and repair read them. A finding
// says kind, place and one sentence; what a kind means for the owner of the data stands in the table below.
// Promises: kinds and severities are those of cli.md (Finding kinds). Never throws, never reads anything.

/**
 * damage: something is wrong. incomplete: what is here is sound and not all there is. unknown: could not be checked. note: legal,
 * worth knowing.
 */
export type Severity = "damage" | "incomplete" | "unknown" | "note";

/** The worst first. */
export const SEVERITIES: readonly Severity[] = ["damage", "incomplete", "unknown", "note"];

interface KindFacts {
  readonly severity: Severity;
  /** What it means for the owner of the data: one line, printed once a kind. */
  readonly meaning: string;
}

function damage(meaning: string): KindFacts {
  return { severity: "damage", meaning };
}

function note(meaning: string): KindFacts {
  return { severity: "note", meaning };
}

/** Every kind with its severity and meaning (cli.md: Finding kinds; format.md: For the verifier and the repairer). */
export const FINDING_KINDS = {
  "meta-missing": damage(
    "every version of the crate creates db.meta anew in silence, perhaps with another geometry",
  ),
  "meta-size": damage("the crate refuses to open the database"),
  "meta-magic": damage("the crate refuses to open the database"),
  "meta-version": damage("the crate refuses to open the database"),
  "meta-backend": damage("the crate refuses to open the database"),
  "meta-shard-count": damage(
    "the crate would look for keys in the wrong shards or leave shards out",
  ),
  "meta-prefix-bits": damage("the crate would look for keys in the wrong shards and not find them"),
  "shard-missing": damage(
    "its keys are gone, and the crate creates the shard anew, empty, without an error",
  ),
  "header-magic": damage(
    "the crate refuses the file, or from 0.7.0 on takes an all-zero header for a new file and cuts it",
  ),
  "header-version": damage("the crate refuses to open the file"),
  "header-slot-size": damage("the crate refuses to open the file"),
  "header-geometry": damage("the crate refuses the file or does not see all of its slots"),
  "header-shard-id": damage(
    "the file belongs to another shard, or its header is damaged: the crate refuses it",
  ),
  "file-short": damage("slots at the end are gone; the crate may refuse to open the file"),
  "file-type": damage("something else stands where a plain file belongs; armdb does not open it"),
  "slot-crc": damage(
    "the record cannot be trusted: the crate drops it when it opens the file after a crash",
  ),
  "slot-status": damage("no version writes this status: the record is lost to readers"),
  "key-misrouted": damage("readers look for the key in its own shard and do not find this record"),
  "key-duplicate": damage("which of the records is served depends on the crate's version"),
  "cursor-shard": damage(
    "the cursor belongs to another shard; it decides nothing, but its figures are not this shard's",
  ),
  "cursor-ahead": damage(
    "the follower had applied versions that the file does not hold: data may have been lost or put back",
  ),
  "cursor-totals": damage("the cursor contradicts itself; it decides nothing"),
  "sidecar-hides-slot": damage("the crate believes the sidecar and not the slot at its next open"),
  "source-unsure": damage(
    "the source has these records damaged itself: they were cleared here, and are not back",
  ),
  "copy-incomplete": {
    severity: "incomplete",
    meaning: "records that the leader's scan had not yet sent are not here",
  },
  unreadable: { severity: "unknown", meaning: "nothing can be said of what could not be read" },
  "file-long": note("legal: a crash while growing leaves a file longer than its header says"),
  "meta-reserved": note("the crate refuses it from 0.3.0 on"),
  "header-reserved": note("bytes that should be zero are not; the crate ignores them"),
  "slot-padding": note("bytes after the value that should be zero are not; nothing reads them"),
  "slot-free-not-empty": note("a free slot still holds bytes; nothing reads them"),
  "slot-free-version": note("a free slot with a version: left by a reset or a migration"),
  "slot-deleted-crc": note(
    "usual on a follower: a deleted slot keeps whatever key and value it had",
  ),
  "sidecar-stale": note(
    "left from an earlier clean close; the crate does not use it, or not for these slots",
  ),
  "sidecar-invalid": note(
    "the crate deletes the sidecar at its next open and reads every slot instead",
  ),
  "clean-flag-without-sidecar": note("the crate reads every slot at its next open"),
  "cursor-short": note("counts as no cursor"),
  "cursor-long": note("only the first 40 bytes are read"),
  "cursor-reserved": note("bytes that should be zero are not; nothing reads them"),
  "cursor-future": note("saved by a machine whose clock was ahead, or this clock is behind"),
  "cursor-missing": note(
    "other shards have a cursor: this one has never been saved, or was removed",
  ),
  "version-near-wrap": note(
    "the version of a slot will start again at 0: followers before 0.2.0 report odd cursors then",
  ),
  "migration-half-way": note(
    "a value migration of a later crate did not finish: equal versions do not mean equal values",
  ),
  "txlog-present": note(
    "a later crate may have writes in its log that these files do not have yet",
  ),
  "lock-held": note("another process has the database open: what was read may have changed since"),
  "reset-saved": note(
    "slots that a leader's reset or --accept-leader removed here are kept in that file",
  ),
  "state-unreadable": note(
    "whether the first copy has ended is not known here; a follower writes the file anew",
  ),
  "left-over": note("left by an interrupted write of armdb; it can be removed"),
  "unexpected-file": note("not a file of armdb's; it is left alone"),
} as const satisfies Readonly<Record<string, KindFacts>>;

export type FindingKind = keyof typeof FINDING_KINDS;

export interface Finding {
  readonly kind: FindingKind;
  /** The kind's own, but for what a running writer may explain (`live`): then unknown. */
  readonly severity: Severity;
  /** Null: of the directory as a whole. */
  readonly shard: number | null;
  /** The first slot concerned. */
  readonly slot: number | null;
  /** Relative to the database directory: `shard_000/fixed.data`. */
  readonly file: string | null;
  /** Where in that file, bytes. */
  readonly offset: number | null;
  /**
   * Damage and unknown of slots: so many consecutive slots from `slot` on (1, but for long runs). Notes: how often
   * in this shard.
   */
  readonly count: number;
  /** Null: the slots are neighbours. Else `count` slots of those from `slot` to this one. */
  readonly lastSlot: number | null;
  readonly message: string;
  /** Hex, where a key is concerned. */
  readonly key: string | null;
  /** key-duplicate: every live slot with the key, ascending. */
  readonly slots: readonly number[] | null;
  /** sidecar-hides-slot: the meta word that the sidecar has for the slot. */
  readonly sidecarMeta: number | null;
  /** header-shard-id: the shard that most of the keys belong to, where the file is another shard's. */
  readonly belongsTo: number | null;
}

/** The last slot that a finding speaks of. */
export function lastSlotOf({ slot, count, lastSlot }: Finding): number {
  return lastSlot ?? (slot ?? 0) + count - 1;
}

/** What a check knows of a finding; the rest follows from the kind. */
export type FindingDraft = Pick<Finding, "kind" | "message"> &
  Partial<Omit<Finding, "kind" | "message">>;

/** What was stopped before its end has not been checked whole: it is never called sound. */
export const STOPPED_EARLY: FindingDraft = {
  kind: "unreadable",
  message: "stopped before the end: the rest was not checked",
};

/** A whole finding from a draft: severity of its kind, count 1, nothing else known. */
export function findingOf(draft: FindingDraft): Finding {
  return {
    severity: FINDING_KINDS[draft.kind].severity,
    shard: null,
    slot: null,
    file: null,
    offset: null,
    count: 1,
    lastSlot: null,
    key: null,
    slots: null,
    sidecarMeta: null,
    belongsTo: null,
    ...draft,
  };
}

/** One past the last slot that a finding of slots speaks of; of those between not all need be meant. */
export function slotsEndOf({
  slot,
  count,
  lastSlot,
}: Pick<Finding, "slot" | "count" | "lastSlot">): number {
  return lastSlot === null ? (slot ?? 0) + count : lastSlot + 1;
}

/** Damage first, then incomplete, unknown, notes; inside these by shard and slot, the directory's own first. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(
    (left, right) =>
      SEVERITIES.indexOf(left.severity) - SEVERITIES.indexOf(right.severity) ||
      (left.shard ?? -1) - (right.shard ?? -1) ||
      (left.slot ?? -1) - (right.slot ?? -1) ||
      (left.offset ?? -1) - (right.offset ?? -1),
  );
}

export type Verdict = "ok" | "damaged" | "incomplete" | "unknown";

/** What a command says of what it found, and the status that it ends with. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly status: number;
}

/**
 * The one place where findings become a verdict and an exit status (cli.md: Exit codes): damage goes before incomplete
 * before unknown. `stopped`: the status of the signal that ended it early, which goes before them all; null: none did.
 */
export function outcomeOf(findings: readonly Finding[], stopped: number | null): Outcome {
  const verdict = verdictOf(findings);
  return { verdict, status: stopped ?? STATUS_OF[verdict] };
}

const STATUS_OF: Readonly<Record<Verdict, number>> = {
  ok: 0,
  damaged: 3,
  incomplete: 4,
  unknown: 5,
};

function verdictOf(findings: readonly Finding[]): Verdict {
  const severities = new Set(findings.map(({ severity }) => severity));
  if (severities.has("damage")) return "damaged";
  if (severities.has("incomplete")) return "incomplete";
  return severities.has("unknown") ? "unknown" : "ok";
}
