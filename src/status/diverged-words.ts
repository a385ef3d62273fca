// In which way diverged slots differ, in the words of `armdb compare`, said of DIR: newer, extra or with other bytes here. For
// status, its JSON, the log and /health, so that one slot has one word. Pure.

import { DIFFERENCE_KINDS, type DifferenceKind, differenceKind } from "../audit/compare/kinds.ts";
import { SIDE_ABSENT } from "../audit/look/side-word.ts";

/** Of meta words; `there` null: the leader does not have the slot. A judge has found them to differ: equal words have other bytes. */
export function differenceHere(here: number, there: number | null): DifferenceKind {
  return differenceKind(here, there ?? SIDE_ABSENT, false) ?? "value";
}

export interface DivergedWord {
  readonly slot: number;
  readonly kind: DifferenceKind;
}

/** One slot, and several. */
const WORDS: Readonly<Record<DifferenceKind, readonly [string, string]>> = {
  missing: ["is missing here", "are missing here"],
  older: ["is older here than at the leader", "are older here than at the leader"],
  newer: ["is newer here than at the leader", "are newer here than at the leader"],
  value: ["has other bytes here than at the leader", "have other bytes here than at the leader"],
  status: ["has another status than at the leader", "have another status than at the leader"],
  extra: ["is extra here", "are extra here"],
};

/**
 * `29 slots are newer here than at the leader (kept): 0, 1, 2, ...`, a sentence for each kind. Where more differ than are listed,
 * of the rest only the number is known. `shownMax` 0 names none.
 */
export function divergedText(
  listed: readonly DivergedWord[],
  total: number,
  shownMax: number,
): string {
  if (listed.length < total) {
    const all = sentence(total, ["differs from the leader", "differ from the leader"]);
    return `${all}${slotsText(listed, shownMax, true)}`;
  }
  const parts = DIFFERENCE_KINDS.flatMap((kind) => {
    const slots = listed.filter((one) => one.kind === kind);
    if (slots.length === 0) return [];
    return [`${sentence(slots.length, WORDS[kind])}${slotsText(slots, shownMax, false)}`];
  });
  return parts.join("; ");
}

function sentence(count: number, [one, many]: readonly [string, string]): string {
  const noun = count === 1 ? "slot" : "slots";
  return `${count.toLocaleString("en-US")} ${noun} ${count === 1 ? one : many} (kept)`;
}

function slotsText(slots: readonly DivergedWord[], shownMax: number, hasMore: boolean): string {
  const shown = slots.slice(0, shownMax).map(({ slot }) => String(slot));
  if (shown.length === 0) return "";
  if (hasMore || slots.length > shown.length) shown.push("...");
  return `: ${shown.join(", ")}`;
}
