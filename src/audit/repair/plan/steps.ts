// The steps of one shard, from what was decided about it (repair/plan/shard.ts) to changes and their one-sentence reasons. Pure.

import { HEADER_FIELDS, slotOffset } from "../../../format/shard-header.ts";
import type { ShardLook } from "../../look/database-look.ts";
import type { Finding } from "../../findings.ts";
import type { ShardBasis } from "./basis.ts";
import { type Change, type Place, type Step, writeOfDifference } from "../changes.ts";
import type { SlotChange } from "./slots.ts";

/** What the steps of a shard are about. */
export interface StepFacts {
  readonly look: ShardLook;
  readonly basis: ShardBasis;
  /** Damage of this shard that is in scope. */
  readonly findings: readonly Finding[];
}

function dataOf(look: ShardLook): Place {
  return { kind: "data", shard: look.shard };
}

/** Brings a short file to its length; none where it has it. */
export function extendSteps({ look, basis }: StepFacts): Step[] {
  const { bytesBefore, bytesAfter, slotCount } = basis;
  if (bytesAfter === bytesBefore) return [];
  const place = dataOf(look);
  return [
    {
      kind: "file-extend",
      shard: look.shard,
      slot: null,
      message: `extend the file with zeros to the ${slotCount} slots of its header`,
      changes: [
        { kind: "resize", place, bytesBefore, bytesAfter },
        { kind: "sync", place },
      ],
    },
  ];
}

/** Writes the header fields that are wrong, and clears the clean flag where `clearsFlag`. */
export function headerSteps(facts: StepFacts, clearsFlag: boolean): Step[] {
  const { look, basis } = facts;
  const place = dataOf(look);
  const before = basis.headerBefore.slice(0, basis.header.length);
  const header = basis.header.slice();
  const flag = HEADER_FIELDS.cleanShutdown.offset;
  if (clearsFlag && header[flag] === 1) header[flag] = 0;
  const write = writeOfDifference(place, 0, before, header);
  if (write === null) return [];
  const hasFields = Buffer.compare(basis.header, before) !== 0;
  return [
    {
      kind: basis.isHeaderLost ? "header" : hasFields ? "header-field" : "clean-flag",
      shard: look.shard,
      slot: null,
      message: headerMessage(facts, hasFields),
      // What follows relies on the cleared flag: with it set, a crate would believe the sidecar and hide newer records.
      changes: [write, { kind: "sync", place }],
    },
  ];
}

function headerMessage({ basis, look, findings }: StepFacts, hasFields: boolean): string {
  if (basis.isHeaderLost) {
    const { keyLen, valueLen } = basis.layout;
    const size = `${basis.slotCount} slots, keys of ${keyLen} and values of ${valueLen} bytes`;
    return `write the lost header again: shard ${look.shard}, ${size}`;
  }
  if (!hasFields) return "clear the clean flag: slots change, or the sidecar is wrong";
  const wrong = findings.filter((finding) => finding.kind.startsWith("header-"));
  const first = wrong[0]?.message ?? `slot_count is to be ${basis.slotCount}`;
  return wrong.length > 1 ? `${first} (and ${wrong.length - 1} more)` : first;
}

/** Removes the sidecar, where there is one. */
export function sidecarSteps({ look }: StepFacts): Step[] {
  const { facts } = look.sidecar;
  if (facts === null || facts.kind !== "file") return [];
  const place: Place = { kind: "sidecar", shard: look.shard };
  return [
    {
      kind: "sidecar-remove",
      shard: look.shard,
      slot: null,
      message: "remove the sidecar: it does not agree with the slots any more",
      changes: [
        { kind: "remove", place, bytes: facts.bytes },
        { kind: "sync-directory", place: { kind: "shard", shard: look.shard } },
      ],
    },
  ];
}

/** Writes slots, then syncs. */
export function slotSteps({ look, basis }: StepFacts, changes: readonly SlotChange[]): Step[] {
  const place = dataOf(look);
  const { shard } = look;
  return changes.map(({ slot, before, remedy, why }, index) => {
    const offset = slotOffset(slot, basis.layout.slotSize);
    const write: Change = { kind: "write", place, offset, before, after: remedy.after };
    const isLast = index === changes.length - 1;
    return {
      kind: remedy.kind,
      shard,
      slot,
      message: why,
      changes: isLast ? [write, { kind: "sync", place }] : [write],
    };
  });
}

/** The step that writes a cursor; none when nothing changes. */
export function cursorStep(
  shard: number,
  before: Uint8Array,
  after: Uint8Array,
  why: string | null,
): Step[] {
  const place: Place = { kind: "cursor", shard };
  const write = writeOfDifference(place, 0, before, after);
  if (write === null) return [];
  return [
    {
      kind: "cursor",
      shard,
      slot: null,
      message: why ?? "the cursor would speak of a version that the shard holds no more",
      changes: [write, { kind: "sync", place }],
    },
  ];
}
