// Findings as JSON and back (cli.md: JSON, verify). Used by every command that lists findings, and by repair, which reads a report.
// Pure. Promises: what is read is checked field by field and never trusted.

import {
  type Finding,
  FINDING_KINDS,
  type FindingKind,
  findingOf,
  SEVERITIES,
} from "./findings.ts";

/** A finding as JSON prints it (cli.md: JSON, verify): offsets as strings, absent details left out. */
export function findingToJson(finding: Finding): Readonly<Record<string, unknown>> {
  const {
    kind,
    severity,
    shard,
    slot,
    file,
    offset,
    count,
    lastSlot,
    message,
    key,
    slots,
    sidecarMeta,
    belongsTo,
  } = finding;
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
    ...(belongsTo === null ? {} : { belongsTo }),
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
    belongsTo: wholeNumber(fields["belongsTo"]),
  });
}

function wholeNumber(value: unknown): number | null {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : null;
}
