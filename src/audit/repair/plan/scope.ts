// Which damage a repair may touch: all of it, one shard's (`--shard`), or what a report of verify names (`--plan`). Pure but
// for reading the report. Promises: a report is input like any other: bounded, checked, never believed about the bytes.

import { shellWord } from "../../../shell-words.ts";
import { ArmdbError } from "../../../errors.ts";
import type { Disk } from "../../../io/disk.ts";
import { tryDisk, withFile } from "../../look/file-look.ts";
import { findingFromJson } from "../../finding-json.ts";
import { type Finding, type FindingKind, lastSlotOf } from "../../findings.ts";
import { type SlotRange, SlotRanges } from "./slot-ranges.ts";

const REPORT_BYTES_MAX = 256 * 1024 * 1024;

/** What a report names. */
export interface Reported {
  /** It has this finding too: the kind and a place of it, and the same key where both know one. */
  names(finding: Finding): boolean;
  /** The slots of a shard that it has with this kind. */
  slots(kind: FindingKind, shard: number): SlotRanges;
}

/** Reads `--plan REPORT`. Throws `usage` for what is no report of verify. */
export function readReport(disk: Disk, path: string): Reported {
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

function filterOf(path: string, document: unknown): Reported {
  const fields = document as Readonly<Record<string, unknown>> | null;
  if (typeof fields !== "object" || fields === null || fields["command"] !== "verify") {
    throw noReport(path, "it is not what armdb verify --report writes");
  }
  const listed = fields["findings"];
  if (!Array.isArray(listed)) throw noReport(path, "it has no findings");
  const gathered = new Map<string, Gathered>();
  for (const value of listed) {
    const finding = findingFromJson(value);
    if (finding === null) throw noReport(path, "one of its findings is none");
    const place = placeOf(finding.kind, finding.shard);
    const there: Gathered = gathered.get(place) ?? { ranges: [], keys: new Map(), isOfAll: false };
    gathered.set(place, there);
    if (finding.slot === null) there.isOfAll = true;
    else there.ranges.push([finding.slot, lastSlotOf(finding)]);
    if (finding.slot !== null && finding.key !== null) there.keys.set(finding.slot, finding.key);
  }
  return new ReportedPlaces(gathered);
}

/** What a report has of one kind in one shard. */
interface Gathered {
  readonly ranges: SlotRange[];
  /** Of slots that are named one by one. */
  readonly keys: Map<number, string>;
  /** The shard, or the directory, as a whole. */
  isOfAll: boolean;
}

class ReportedPlaces implements Reported {
  readonly #places = new Map<string, Omit<Gathered, "ranges"> & { readonly slots: SlotRanges }>();

  constructor(gathered: ReadonlyMap<string, Gathered>) {
    for (const [place, { ranges, keys, isOfAll }] of gathered) {
      this.#places.set(place, { keys, isOfAll, slots: SlotRanges.of(ranges) });
    }
  }

  names(finding: Finding): boolean {
    const { kind, shard, slot, count, key } = finding;
    const there = this.#places.get(placeOf(kind, shard));
    if (there === undefined) return false;
    if (slot === null) return there.isOfAll;
    if (count > 1) {
      return !there.slots.within(SlotRanges.of([[slot, lastSlotOf(finding)]])).isEmpty;
    }
    const named = there.keys.get(slot);
    const isOtherKey = key !== null && named !== undefined && named !== key;
    return !isOtherKey && there.slots.has(slot);
  }

  slots(kind: FindingKind, shard: number): SlotRanges {
    return this.#places.get(placeOf(kind, shard))?.slots ?? SlotRanges.NONE;
  }
}

function placeOf(kind: FindingKind, shard: number | null): string {
  return `${kind}/${shard ?? ""}`;
}

function noReport(path: string, why: string): ArmdbError {
  return new ArmdbError("usage", `"${path}" is no report to repair by: ${why}`, {
    path,
    hint: `armdb verify DIR --report ${shellWord(path)}`,
  });
}
