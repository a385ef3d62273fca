// A repair's plan and outcome as text and as the JSON document of cli.md. Pure: used by commands/repair.ts.

import { shellWord } from "../../shell-words.ts";
import { toHex } from "../../bytes.ts";
import { type Finding, outcomeOf } from "../../audit/findings.ts";
import { type Change, placeName, type Step } from "../../audit/repair/changes.ts";
import type { LostKey } from "../../audit/repair/plan/slots.ts";
import type { LeftDamage, RepairPlan, UnsureShard } from "../../audit/repair/plan/types.ts";
import type { Palette } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted } from "../surface/numbers.ts";
import { notWholeText } from "./copy.ts";

export type RepairVerdict = "nothing-to-do" | "planned" | "repaired" | "incomplete";

/** Everything a document or the closing lines say. */
export interface RepairResult {
  readonly verdict: RepairVerdict;
  readonly plan: RepairPlan;
  /** Null: nothing was written. */
  readonly journal: string | null;
  /** Whether the directory is a whole copy, as armdb.state.json says; null: it does not say. */
  readonly complete: boolean | null;
  /** A signal ended it early. */
  readonly stopped: boolean;
  /** Slots for which the source could not vouch. */
  readonly unsure: readonly UnsureShard[];
  /** All but notes that verify finds afterwards; before a repair what the plan leaves. */
  readonly remaining: readonly Finding[];
}

/** Steps and keys that a document lists; the counts beside them are whole. */
const LISTED_MAX = 100_000;
const LINES_MAX = 1_000;

/** The document of `--json` (cli.md: JSON, repair). */
export function repairDocument(result: RepairResult): Record<string, unknown> {
  const { plan, verdict, journal, remaining } = result;
  return {
    schema: 1,
    command: "repair",
    verdict,
    stopped: result.stopped,
    complete: result.complete,
    steps: plan.steps.slice(0, LISTED_MAX).map(stepDocument),
    stepsTotal: plan.steps.length,
    lostKeys: plan.lost.slice(0, LISTED_MAX).map(lostDocument),
    lostKeysTotal: plan.lost.length,
    doubledKeys: plan.doubled.slice(0, LISTED_MAX),
    left: plan.left.slice(0, LISTED_MAX).map(leftDocument),
    remaining: remaining.slice(0, LISTED_MAX).map(({ kind, severity, shard, slot, message }) => ({
      kind,
      severity,
      shard,
      slot,
      message: escapeText(message),
    })),
    unsure: result.unsure,
    notes: plan.notes.map(escapeText),
    truncated: plan.truncated,
    journal,
  };
}

/** `before` and `after` are the bytes in question; a file that is removed or made has its length instead. */
function stepDocument({ kind, shard, slot, message, changes }: Step): Record<string, unknown> {
  const [first] = changes;
  const named = { kind, shard, slot, message: escapeText(message) };
  if (first === undefined) return named;
  const write = changes.find((change) => change.kind === "write");
  if (write !== undefined) {
    const { place, offset, before, after } = write;
    const isNew = first.kind === "create";
    return {
      file: placeName(place),
      offset: String(offset),
      ...named,
      before: isNew ? "" : toHex(before),
      after: toHex(after),
    };
  }
  return { ...placeOf(first), ...named, before: "", after: "" };
}

function placeOf(change: Change): Record<string, unknown> {
  switch (change.kind) {
    case "resize":
      return {
        file: placeName(change.place),
        offset: String(change.bytesBefore),
        bytesBefore: String(change.bytesBefore),
        bytesAfter: String(change.bytesAfter),
      };
    case "remove":
      return { file: placeName(change.place), offset: "0", bytesBefore: String(change.bytes) };
    case "fill":
    case "rename-new":
      return { file: placeName({ kind: "data", shard: change.shard }), offset: "0" };
    case "create":
    case "make-directory": {
      const { kind, shard } = change.place;
      const isData = kind === "new-data" || kind === "shard";
      return { file: placeName({ kind: isData ? "data" : kind, shard }), offset: "0" };
    }
    case "write":
    case "sync":
    case "sync-directory":
      return { file: placeName(change.place), offset: "0" };
  }
}

function leftDocument({ finding, why, hint }: LeftDamage): Record<string, unknown> {
  const { kind, shard, slot, offset } = finding;
  return {
    kind,
    shard,
    slot,
    offset: offset === null ? null : String(offset),
    reason: escapeText(why),
    hint: escapeText(hint),
  };
}

/** A key that is damaged is not named: it never existed. */
function lostDocument({ shard, slot, key }: LostKey): Record<string, unknown> {
  return { shard, slot, key, ...(key === null ? { keyDamaged: true } : {}) };
}

/** The plan: lost keys first, then doubled keys, steps, what is left, notes. */
export function planLines(plan: RepairPlan, palette: Palette): string[] {
  return [
    ...lostLines(plan, palette),
    ...doubledLines(plan, palette),
    ...stepLines(plan, palette),
    ...leftLines(plan, palette),
    ...plan.notes.map((note) => `${palette.yellow("note:")} ${escapeText(note)}`),
    ...(plan.truncated
      ? [
          `${palette.yellow("note:")} there is more damage than one run mends: run the same command again for the rest`,
        ]
      : []),
  ];
}

function lostLines({ lost }: RepairPlan, palette: Palette): string[] {
  if (lost.length === 0) return [];
  const title = `${formatCounted(lost.length, "record")} will be missing until the next scan or write restores ${lost.length === 1 ? "it" : "them"}:`;
  const rows = lost
    .slice(0, LINES_MAX)
    .map(({ shard, slot, key }) => `  shard ${shard} slot ${slot}  ${key ?? "its key is damaged"}`);
  return [palette.red(title), ...rows, ...moreLine(lost.length), ""];
}

function doubledLines({ doubled }: RepairPlan, palette: Palette): string[] {
  if (doubled.length === 0) return [];
  const rows = doubled
    .slice(0, LINES_MAX)
    .map(({ shard, key, slots }) => `  shard ${shard} slots ${slots.join(", ")}  ${key}`);
  return [
    palette.yellow(`${formatCounted(doubled.length, "key")} live in several slots:`),
    ...rows,
    ...moreLine(doubled.length),
    "",
  ];
}

function stepLines({ steps }: RepairPlan, palette: Palette): string[] {
  if (steps.length === 0) return [];
  const rows = steps.slice(0, LINES_MAX).map((step) => stepLine(step, palette));
  return [
    palette.bold(`${formatCounted(steps.length, "step")}:`),
    ...rows,
    ...moreLine(steps.length),
    "",
  ];
}

function stepLine(step: Step, palette: Palette): string {
  const document = stepDocument(step);
  const where =
    step.slot === null
      ? `${String(document["file"])} at ${String(document["offset"])}`
      : `shard ${step.shard ?? 0} slot ${step.slot}`;
  return `  ${palette.cyan(step.kind.padEnd(16))} ${where}: ${escapeText(step.message)}`;
}

function leftLines({ left }: RepairPlan, palette: Palette): string[] {
  if (left.length === 0) return [];
  const rows = left.slice(0, LINES_MAX).flatMap(({ finding, why, hint }) => {
    const shard = finding.shard === null ? "" : ` shard ${finding.shard}`;
    const slot = finding.slot === null ? "" : ` slot ${finding.slot}`;
    return [
      `  ${palette.red(finding.kind)}${shard}${slot}: ${escapeText(why)}`,
      `    ${palette.cyan("Try:")} ${escapeText(hint)}`,
    ];
  });
  const title = `${formatCounted(left.length, "finding")} left as it is:`;
  return [palette.red(title), ...rows, ...moreLine(left.length), ""];
}

function moreLine(total: number): string[] {
  return total > LINES_MAX
    ? [`  and ${formatCount(total - LINES_MAX)} more (--json lists them)`]
    : [];
}

/** The last lines of a run. */
export function outcomeLines(result: RepairResult, dir: string, palette: Palette): string[] {
  const { verdict, plan, journal, remaining } = result;
  const undo =
    journal === null
      ? []
      : [
          `undo: armdb repair ${shellWord(escapeText(dir))} --undo ${shellWord(escapeText(journal))}`,
        ];
  if (result.stopped) return [stoppedLine(result, palette), ...undo];
  switch (verdict) {
    case "nothing-to-do":
      return [`${palette.green("nothing to do")}: no damage that a repair would mend`];
    case "planned":
      return [
        `${palette.yellow("planned")}: nothing was written; add --apply to carry out ${formatCounted(plan.steps.length, "step")}`,
      ];
    case "repaired":
      return [`${palette.green("repaired")} and verified: no damage is left`, ...undo];
    case "incomplete":
      return [...unsureLines(result, palette), incompleteLine(result, palette), ...undo];
  }
}

/** Of shards that are held against a source the plan has said it. */
function unsureLines({ remaining, plan }: RepairResult, palette: Palette): string[] {
  return remaining
    .filter(({ kind }) => kind === "source-unsure")
    .filter(({ shard }) => !plan.unsure.some((told) => told.shard === shard))
    .map(
      ({ shard, message }) => `${palette.yellow("note:")} shard ${shard}: ${escapeText(message)}`,
    );
}

function stoppedLine({ remaining, journal }: RepairResult, palette: Palette): string {
  const found = remaining.length === 0 ? "nothing" : remainingText(remaining);
  const what =
    journal === null ? "nothing was written" : "not all was carried out and verified again";
  return `${palette.yellow("stopped")} before the end: ${what}; found until then: ${found}`;
}

function incompleteLine({ remaining, journal }: RepairResult, palette: Palette): string {
  if (outcomeOf(remaining, null).verdict !== "incomplete") {
    return `${palette.red("incomplete")}: ${remainingText(remaining)} left`;
  }
  const shards = remaining.filter(({ severity }) => severity === "incomplete").length;
  const what = journal === null ? "there is nothing to mend" : "repaired, no damage is left";
  const unread = remaining.filter(({ severity }) => severity === "unknown");
  const more = unread.length === 0 ? "" : `, and ${remainingText(unread)} left`;
  return `${palette.yellow("incomplete")}: ${what}, but ${notWholeText(shards)}${more}`;
}

function remainingText(remaining: readonly Finding[]): string {
  const kinds = new Map<string, number>();
  for (const { kind, count } of remaining) kinds.set(kind, (kinds.get(kind) ?? 0) + count);
  const parts = [...kinds].map(([kind, count]) => `${formatCount(count)} ${kind}`);
  return parts.length === 0 ? "damage is" : `${parts.join(", ")}`;
}
