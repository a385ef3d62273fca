// Which damage a repair may touch: all of it, one shard's (`--shard`), or what a report of verify names (`--plan`). Pure but
// for reading the report. Promises: a report is input like any other: bounded, checked, never believed about the bytes.

import { ArmdbError } from "../../../errors.ts";
import type { Disk } from "../../../io/disk.ts";
import { tryDisk, withFile } from "../../look/file-look.ts";
import { type Finding, findingFromJson, slotsEndOf } from "../../findings.ts";

const REPORT_BYTES_MAX = 256 * 1024 * 1024;

/** True for findings that the report has too: same kind and place, and the same key where both know one. */
export type ReportFilter = (finding: Finding) => boolean;

/** Reads `--plan REPORT`. Throws `usage` for what is no report of verify. */
export function readReport(disk: Disk, path: string): ReportFilter {
  const [text, error] = tryDisk(() =>
    withFile(disk, path, (file) => {
      if (file.size() > REPORT_BYTES_MAX) throw noReport(path, "it is too long");
      const bytes = new Uint8Array(file.size());
      return new TextDecoder().decode(bytes.subarray(0, file.read(bytes, 0)));
    }),
  );
  if (error !== null) throw noReport(path, error.message);
  return filterOf(path, parse(path, text));
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw noReport(path, "it is not JSON");
    throw thrown;
  }
}

function filterOf(path: string, document: unknown): ReportFilter {
  const fields = document as Readonly<Record<string, unknown>> | null;
  if (typeof fields !== "object" || fields === null || fields["command"] !== "verify") {
    throw noReport(path, "it is not what armdb verify --report writes");
  }
  const listed = fields["findings"];
  if (!Array.isArray(listed)) throw noReport(path, "it has no findings");
  const reported = new Map<string, Finding[]>();
  for (const value of listed) {
    const finding = findingFromJson(value);
    if (finding === null) throw noReport(path, "one of its findings is none");
    const place = placeOf(finding);
    reported.set(place, [...(reported.get(place) ?? []), finding]);
  }
  for (const findings of reported.values()) {
    findings.sort((left, right) => (left.slot ?? -1) - (right.slot ?? -1));
  }
  return (finding) => isReported(finding, reported.get(placeOf(finding)) ?? []);
}

function placeOf({ kind, shard }: Finding): string {
  return `${kind}/${shard ?? ""}`;
}

/** A run of slots counts as reported only when all of it is. */
function isReported(finding: Finding, reported: readonly Finding[]): boolean {
  const { slot, key } = finding;
  if (slot === null) return reported.some((each) => each.slot === null);
  let next = slot;
  for (const each of reported) {
    if (each.slot === null || each.slot > next || slotsEndOf(each) <= next) continue;
    const isOtherKey = key !== null && each.key !== null && each.count === 1 && each.key !== key;
    if (isOtherKey) continue;
    next = slotsEndOf(each);
    if (next >= slotsEndOf(finding)) return true;
  }
  return false;
}

function noReport(path: string, why: string): ArmdbError {
  return new ArmdbError("usage", `"${path}" is no report to repair by: ${why}`, {
    path,
    hint: `armdb verify DIR --report ${path}`,
  });
}
