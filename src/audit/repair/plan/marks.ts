// Which slots of a shard a repair looks at, by what verify has found. Pure. Used by repair/plan/slots.ts and
// repair/plan/by-source.ts. Promises: a mark is a reason to look at a slot, never a proof: the slot itself and the sidecar's word for it
// are read again, so it makes no difference how findings were joined or bounded.

import { type Finding, type FindingKind, lastSlotOf } from "../../findings.ts";
import type { VerifyReport } from "../../verify.ts";
import { type SlotRange, SlotRanges } from "./slot-ranges.ts";
import type { Reported } from "./scope.ts";

/** A slot whose key lives in other slots too. */
export interface DoubledMark {
  /** Hex; null where it is not known. */
  readonly key: string | null;
  /** `--keep` names it. */
  readonly isKept: boolean;
}

export interface SlotMarks {
  /** Crc or status. */
  readonly bytes: SlotRanges;
  readonly misrouted: SlotRanges;
  /** The sidecar knows better. */
  readonly hidden: SlotRanges;
  readonly doubled: ReadonlyMap<number, DoubledMark>;
  /** All of these. */
  readonly all: SlotRanges;
}

/** What the damage of one shard leads to. */
export interface Marked {
  readonly marks: SlotMarks;
  /** Doubled keys that are left as they are: outside a replica, without `--keep`, without a source. */
  readonly undecided: readonly Finding[];
  /** There are doubled keys whose slots are not told one by one: the next run does these. */
  readonly truncated: boolean;
}

export interface MarkOptions {
  readonly isReplica: boolean;
  readonly hasSource: boolean;
  readonly keep: readonly { readonly shard: number; readonly slot: number }[];
  readonly reported: Reported | null;
}

/** What `findings` lead to, which are in scope, and what all damage of the shard would. */
export function marksOfShard(
  shard: number,
  { findings: found, followed }: Pick<VerifyReport, "findings" | "followed">,
  findings: readonly Finding[],
  options: MarkOptions,
): { readonly marked: Marked; readonly everything: SlotMarks } {
  const { reported } = options;
  const keep = new Set(options.keep.filter((kept) => kept.shard === shard).map(({ slot }) => slot));
  const marked = markSlots(findings, {
    ...{ ...options, keep },
    reported: reported === null ? null : (kind) => reported.slots(kind, shard),
  });
  if (reported === null) return { marked, everything: marked.marks };
  const damage = [...found, ...followed.map(({ finding }) => finding)].filter(
    (finding) => finding.shard === shard && finding.severity === "damage",
  );
  const all = markSlots(damage, { ...options, keep, reported: null });
  return { marked, everything: all.marks };
}

interface ShardMarkOptions extends Pick<MarkOptions, "isReplica" | "hasSource"> {
  /** Slots of this shard that `--keep` names. */
  readonly keep: ReadonlySet<number>;
  /** What a report names of a kind in this shard; null: all is in scope (`--plan`). */
  readonly reported: ((kind: FindingKind) => SlotRanges) | null;
}

const BYTES: readonly FindingKind[] = ["slot-crc", "slot-status"];

/** The marks that the damage of one shard leads to. */
function markSlots(findings: readonly Finding[], options: ShardMarkOptions): Marked {
  const undecided: Finding[] = [];
  const doubled = new Map<number, DoubledMark>();
  let truncated = false;
  for (const finding of findings) {
    if (finding.kind !== "key-duplicate") continue;
    const { slots } = finding;
    truncated ||= slots === null;
    if (slots === null) continue;
    const kept = slots.filter((each) => options.keep.has(each));
    if (kept.length === 0 && !options.isReplica && !options.hasSource) undecided.push(finding);
    else {
      for (const each of slots) {
        doubled.set(each, { key: finding.key, isKept: kept.includes(each) });
      }
    }
  }
  const of = (kind: FindingKind): SlotRanges => {
    const found = SlotRanges.of(rangesOf(findings, kind));
    return options.reported === null ? found : found.within(options.reported(kind));
  };
  return {
    marks: marksOf({
      bytes: SlotRanges.union(...BYTES.map(of)),
      misrouted: of("key-misrouted"),
      hidden: of("sidecar-hides-slot"),
      doubled,
    }),
    undecided,
    truncated,
  };
}

function rangesOf(findings: readonly Finding[], kind: FindingKind): SlotRange[] {
  return findings.flatMap((finding): SlotRange[] => {
    if (finding.kind !== kind || finding.slot === null) return [];
    return [[finding.slot, lastSlotOf(finding)]];
  });
}

/** With all of them together. */
export function marksOf(marks: Omit<SlotMarks, "all">): SlotMarks {
  const { bytes, misrouted, hidden, doubled } = marks;
  const alone = SlotRanges.of([...doubled.keys()].map((slot) => [slot, slot]));
  return { ...marks, all: SlotRanges.union(bytes, misrouted, hidden, alone) };
}
