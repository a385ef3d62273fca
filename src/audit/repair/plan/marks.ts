// Which slots of a shard a repair may not trust, by what verify has found. Pure. Used by repair/plan/slots.ts and
// repair/plan/by-source.ts. Promises: a mark is a reason to look at a slot, never a proof: the slot itself is judged again.

import { isNewer, versionOf } from "../../../format/slot.ts";
import { type Finding, type FindingKind, slotsEndOf } from "../../findings.ts";

/** More slots than this are left to another run of the same command. */
const MARKED_SLOTS_MAX = 1_000_000;

export interface SlotMark {
  readonly kind: FindingKind;
  /** The meta word of a sidecar that the crate would use. */
  readonly sidecarMeta: number | null;
  /** key-duplicate: hex of the key that lives in several slots. */
  readonly key: string | null;
  /** key-duplicate: the slot that `--keep` names. */
  readonly isKept: boolean;
}

export interface SlotMarks {
  /** Ascending by slot. */
  readonly marks: ReadonlyMap<number, SlotMark>;
  /** Doubled keys that are left as they are: outside a replica, without `--keep`, without a source. */
  readonly undecided: readonly Finding[];
  /** True when there were more slots than are kept. */
  readonly truncated: boolean;
}

export interface MarkOptions {
  readonly isReplica: boolean;
  readonly hasSource: boolean;
  /** Slots of this shard that `--keep` names. */
  readonly keep: ReadonlySet<number>;
  /** False: misrouted keys are not touched (the file is in the wrong place). */
  readonly touchesMisrouted: boolean;
}

/** The marks that the damage of one shard leads to. */
export function markSlots(findings: readonly Finding[], options: MarkOptions): SlotMarks {
  const found: [number, SlotMark][] = [];
  const undecided: Finding[] = [];
  let truncated = false;
  const add = (slot: number, mark: SlotMark) => {
    if (found.length < MARKED_SLOTS_MAX) found.push([slot, mark]);
    else truncated = true;
  };
  for (const finding of findings) {
    const { kind, slot, count, sidecarMeta, key } = finding;
    if (slot === null) continue;
    const end = slotsEndOf(finding);
    switch (kind) {
      case "slot-crc":
      case "slot-status":
        for (let each = slot; each < end && !truncated; each++) {
          add(each, {
            kind,
            sidecarMeta: count === 1 ? sidecarMeta : null,
            key: null,
            isKept: false,
          });
        }
        break;
      case "key-misrouted":
        if (!options.touchesMisrouted) break;
        for (let each = slot; each < end && !truncated; each++) {
          add(each, { kind, sidecarMeta: null, key: null, isKept: false });
        }
        break;
      case "sidecar-hides-slot":
        for (let each = slot; each < end && !truncated; each++) {
          add(each, {
            kind,
            sidecarMeta: end === slot + 1 ? sidecarMeta : null,
            key: null,
            isKept: false,
          });
        }
        break;
      case "key-duplicate": {
        // Which slots those are is said one by one only: the rest comes with the next run.
        truncated ||= finding.lastSlot !== null;
        if (finding.lastSlot !== null) break;
        const slots = finding.slots ?? [slot];
        const kept = slots.filter((each) => options.keep.has(each));
        if (kept.length === 0 && !options.isReplica && !options.hasSource) undecided.push(finding);
        else
          for (const each of slots) {
            add(each, { kind, sidecarMeta: null, key, isKept: kept.includes(each) });
          }
        break;
      }
      default:
        break;
    }
  }
  return { marks: sortedMarks(found), undecided, truncated };
}

/** One mark a slot: damage of the slot's own bytes goes before what its key or its sidecar says. */
function sortedMarks(found: readonly [number, SlotMark][]): Map<number, SlotMark> {
  const rank = (kind: FindingKind) =>
    kind === "slot-crc" || kind === "slot-status" ? 0 : kind === "sidecar-hides-slot" ? 2 : 1;
  const sorted = [...found].sort(
    ([left, leftMark], [right, rightMark]) =>
      left - right || rank(leftMark.kind) - rank(rightMark.kind),
  );
  const marks = new Map<number, SlotMark>();
  for (const [slot, mark] of sorted) if (!marks.has(slot)) marks.set(slot, mark);
  return marks;
}

/** True when the sidecar knows a newer version than the slot: the slot has lost a write. */
export function isBehindSidecar(meta: number, sidecarMeta: number | null): boolean {
  return sidecarMeta !== null && isNewer(versionOf(sidecarMeta), versionOf(meta));
}
