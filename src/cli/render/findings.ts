// Findings as text: damage first, each kind with what it means, then each place. Used by verify, verify-cursor and
// inspect. Stops when the reader has gone away.

import {
  type Finding,
  FINDING_KINDS,
  type FindingKind,
  SEVERITIES,
  type Severity,
  slotsEndOf,
  type Verdict,
} from "../../audit/findings.ts";
import type { Output, Palette } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted } from "../surface/numbers.ts";
import { wrapText } from "../surface/tables.ts";
import { notWholeText } from "./copy.ts";

/** Places of one kind that are listed as text. */
const PLACES_MAX = 1_000;

const TITLES: Readonly<Record<Severity, string>> = {
  damage: "DAMAGE",
  incomplete: "INCOMPLETE",
  unknown: "UNKNOWN",
  note: "NOTE",
};

/** Prints sorted findings (findings.ts: sortFindings); nothing when there are none. */
export function renderFindings(out: Output, findings: readonly Finding[]): void {
  for (const severity of SEVERITIES) {
    const kinds = new Map<FindingKind, Finding[]>();
    for (const finding of findings) {
      if (finding.severity !== severity) continue;
      const list = kinds.get(finding.kind);
      if (list === undefined) kinds.set(finding.kind, [finding]);
      else list.push(finding);
    }
    for (const [kind, list] of kinds) {
      if (out.closed) return;
      renderKind(out, severity, kind, list);
    }
  }
}

function renderKind(
  out: Output,
  severity: Severity,
  kind: FindingKind,
  list: readonly Finding[],
): void {
  const { palette } = out;
  const paint = paintOf(severity, palette);
  const [first = "", ...rest] = wrapText(
    `${TITLES[severity]} ${kind}: ${FINDING_KINDS[kind].meaning}`,
    out.columns,
  );
  out.line("");
  // Only the first two words are coloured, which a wrap never parts.
  const head = `${TITLES[severity]} ${kind}`;
  out.line(first.startsWith(head) ? palette.bold(paint(head)) + first.slice(head.length) : first);
  for (const line of rest) out.line(line);
  for (const finding of list.slice(0, PLACES_MAX)) {
    if (out.closed) return;
    const place = isPlaceSaid(finding) ? "" : `${placeOf(finding)}: `;
    const sentence = `${place}${finding.message}${countOf(finding)}${keyOf(finding)}`;
    const [start = "", ...more] = wrapText(escapeText(sentence), out.columns - 2);
    out.line(`  ${start}`);
    for (const line of more) out.line(`      ${line}`);
  }
  if (list.length > PLACES_MAX)
    out.line(`  and ${formatCount(list.length - PLACES_MAX)} more (--json lists them)`);
}

function paintOf(severity: Severity, palette: Palette): (text: string) => string {
  switch (severity) {
    case "damage":
      return palette.red;
    case "incomplete":
    case "unknown":
      return palette.yellow;
    case "note":
      return palette.cyan;
  }
}

/** A verdict as the word that a closing line begins with. */
export function verdictWord(verdict: Verdict, palette: Palette): string {
  switch (verdict) {
    case "ok":
      return palette.bold(palette.green("OK"));
    case "damaged":
      return palette.bold(palette.red("DAMAGED"));
    case "incomplete":
      return palette.bold(palette.yellow("INCOMPLETE"));
    case "unknown":
      return palette.bold(palette.yellow("UNKNOWN"));
  }
}

/** True when the message names the file and there is nothing more exact to say. */
function isPlaceSaid({ slot, offset, file, message }: Finding): boolean {
  return slot === null && offset === null && file !== null && message.includes(file);
}

/** `shard 0, slot 5, byte 4256 of shard_000/fixed.data` */
function placeOf(finding: Finding): string {
  const parts: string[] = [];
  if (finding.shard !== null) parts.push(`shard ${finding.shard}`);
  if (finding.slot !== null) {
    const last = slotsEndOf(finding) - 1;
    const isRun = finding.severity !== "note" && finding.count > 1;
    const isFirst = finding.severity === "note" && finding.count > 1;
    parts.push(
      isRun
        ? `slots ${finding.slot} to ${last}`
        : isFirst
          ? `from slot ${finding.slot} on`
          : `slot ${finding.slot}`,
    );
  }
  // A shard as a whole needs no file beside it.
  if (finding.file !== null || parts.length === 0) {
    const file = finding.file ?? "the directory";
    parts.push(finding.offset === null ? file : `byte ${finding.offset} of ${file}`);
  }
  return parts.join(", ");
}

function countOf(finding: Finding): string {
  return finding.count === 1 ? "" : ` (${formatCount(finding.count)})`;
}

function keyOf(finding: Finding): string {
  return finding.key === null ? "" : `, key 0x${finding.key}`;
}

/** `3 places damaged, 1 shard is not a whole copy, 1 place unknown, 2 notes`, or `nothing to report`. */
export function summariseFindings(findings: readonly Finding[]): string {
  const count = (severity: Severity) =>
    findings.reduce(
      (sum, one) => sum + (one.severity === severity ? (severity === "note" ? 1 : one.count) : 0),
      0,
    );
  const parts: string[] = [];
  if (count("damage") > 0) parts.push(`${formatCounted(count("damage"), "place")} damaged`);
  if (count("incomplete") > 0) parts.push(notWholeText(count("incomplete")));
  if (count("unknown") > 0) parts.push(`${formatCounted(count("unknown"), "place")} unknown`);
  if (count("note") > 0) parts.push(formatCounted(count("note"), "note"));
  return parts.length === 0 ? "nothing to report" : parts.join(", ");
}
