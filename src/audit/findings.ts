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
}

/** What a check knows of a finding; the rest follows from the kind. */
export type FindingDraft = Pick<Finding, "kind" | "message"> &
  Partial<Omit<Finding, "kind" | "message">>;

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

/** The verdict on a set of findings: damage goes before incomplete before unknown (cli.md: Exit codes). */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const severities = new Set(findings.map(({ severity }) => severity));
  if (severities.has("damage")) return "damaged";
  if (severities.has("incomplete")) return "incomplete";
  return severities.has("unknown") ? "unknown" : "ok";
}

/** The exit status of a verdict (cli.md: Exit codes). */
export function verdictStatus(verdict: Verdict): number {
  switch (verdict) {
    case "ok":
      return 0;
    case "damaged":
      return 3;
    case "incomplete":
      return 4;
    case "unknown":
      return 5;
  }
}

/** A finding as JSON prints it (cli.md: JSON, verify): offsets as strings, absent details left out. */
export function findingToJson(finding: Finding): Readonly<Record<string, unknown>> {
  const { kind, severity, shard, slot, file, offset, count, lastSlot, message } = finding;
  const { key, slots, sidecarMeta } = finding;
  return {
    kind,
    severity,
    shard,
    slot,
    file,
    offset: offset === null ? null : String(offset),
    count,
    ...(lastSlot === null ? {} : { lastSlot }),
    message,
    ...(key === null ? {} : { key }),
    ...(slots === null ? {} : { slots }),
    ...(sidecarMeta === null ? {} : { sidecarMeta }),
  };
}

/** The inverse of `findingToJson`, for a report that repair reads back; null when it is not a finding. */
export function findingFromJson(value: unknown): Finding | null {
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>;
  const { kind, message } = fields;
  const severity = SEVERITIES.find((word) => word === fields["severity"]);
  if (typeof kind !== "string" || !Object.hasOwn(FINDING_KINDS, kind)) return null;
  if (severity === undefined) return null;
  return findingOf({
    kind: kind as FindingKind,
    severity,
    message: typeof message === "string" ? message : "",
    shard: wholeNumber(fields["shard"]),
    slot: wholeNumber(fields["slot"]),
    file: typeof fields["file"] === "string" ? fields["file"] : null,
    offset: wholeNumber(fields["offset"]),
    count: wholeNumber(fields["count"]) ?? 1,
    lastSlot: wholeNumber(fields["lastSlot"]),
    key: typeof fields["key"] === "string" ? fields["key"] : null,
    slots: Array.isArray(fields["slots"]) ? fields["slots"].filter(Number.isSafeInteger) : null,
    sidecarMeta: wholeNumber(fields["sidecarMeta"]),
  });
}

function wholeNumber(value: unknown): number | null {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : null;
}
