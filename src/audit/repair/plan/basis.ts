// What a shard's file is to be before its slots are looked at: header and length. A lost header page
// comes before anything else (format.md). Used by repair/plan/plan.ts. Reads the first 4096 bytes that look/database-look.ts has read, and nothing else.
// Promises: fields that are sound stay as they are; nothing is guessed where two answers are possible.

import {
  encodeShardHeader,
  HEADER_FIELDS,
  SHARD_FILE,
  SHARD_HEADER_BYTES,
  SHARD_MAGIC,
  SHARD_VERSION,
  type ShardHeaderFields,
  shardFileBytes,
} from "../../../format/shard-header.ts";
import type { SlotLayout } from "../../../format/slot.ts";
import { sidecarBytes } from "../../../format/versions-sidecar.ts";
import { viewOf } from "../../../bytes.ts";
import { GROW_SLOTS_MIN } from "../../../limits.ts";
import type { DatabaseDirectory, ShardLook } from "../../look/database-look.ts";
import type { Finding } from "../../findings.ts";
import { isHeaderLost } from "../../look/geometry.ts";

/** A header and a length that a shard's slots can be read with. */
export interface ShardBasis {
  readonly layout: SlotLayout;
  readonly slotCount: number;
  /** The header page as it is to be, the clean flag as it was; equal to what is there where nothing is wrong. */
  readonly header: Uint8Array;
  readonly headerBefore: Uint8Array;
  readonly isHeaderLost: boolean;
  readonly bytesBefore: number;
  /** At least `bytesBefore`. */
  readonly bytesAfter: number;
  readonly cleanShutdown: number;
}

export type BasisDecision =
  | { readonly kind: "basis"; readonly basis: ShardBasis }
  /** No file, or none of its slots is there: only a source can bring the shard back. */
  | { readonly kind: "absent"; readonly why: string }
  /** Something stands in the way that a repair does not touch. */
  | { readonly kind: "unusable"; readonly why: string; readonly hint: string };

export interface BasisFacts {
  readonly directory: DatabaseDirectory;
  readonly look: ShardLook;
  /** Null: no header says, and no source. */
  readonly layout: SlotLayout | null;
  /** Damage of this shard that is in scope. */
  readonly findings: readonly Finding[];
  /** Most of the live keys in the file belong to another shard. */
  readonly isForeign: boolean;
  readonly hasSource: boolean;
  /** Slots that could not be read, whose versions the sidecar alone knows; null: there are none, or a scan brings them back. */
  readonly unreadSlots: Finding | null;
}

/** Header, length and slot count of one shard as they are to be. */
export function decideBasis(facts: BasisFacts): BasisDecision {
  const { look, layout } = facts;
  const obstacle = findObstacle(facts);
  if (obstacle !== null) return obstacle;
  if (look.data.bytes === null || look.header === null || look.fileBytes < SHARD_HEADER_BYTES) {
    return { kind: "absent", why: absence(look) };
  }
  if (layout === null) {
    return {
      kind: "unusable",
      why: "no header says how long keys and values are, and there is no other shard to ask",
      hint: "armdb repair DIR --key-len N --value-len N, or --from LEADER or DIR2",
    };
  }
  const lost = isHeaderLost(look);
  const slotCount = decideCount(facts, look.header, layout, lost);
  const cleanShutdown = lost ? 0 : look.header.cleanShutdown;
  const after = { ...layout, slotCount, shardId: look.shard, cleanShutdown };
  const header = lost ? encodeShardHeader(after) : patchHeader(look.data.bytes, after);
  const basis: ShardBasis = {
    layout,
    slotCount,
    header,
    headerBefore: look.data.bytes,
    isHeaderLost: lost,
    bytesBefore: look.fileBytes,
    bytesAfter: Math.max(look.fileBytes, shardFileBytes(slotCount, layout.slotSize)),
    cleanShutdown,
  };
  return { kind: "basis", basis };
}

function findObstacle({
  look,
  findings,
  isForeign,
  hasSource,
  unreadSlots,
}: BasisFacts): BasisDecision | null {
  const blocking = findings.find(
    (finding) =>
      (finding.kind === "file-type" ||
        (finding.kind === "unreadable" && look.data.bytes === null)) &&
      (finding.file === `${look.name}/${SHARD_FILE}` || finding.file === look.name) &&
      finding.slot === null,
  );
  if (blocking !== undefined) {
    return {
      kind: "unusable",
      why: blocking.message,
      hint: "ls -l on that path: put a plain file or directory in its place, then repair",
    };
  }
  const unread = findings.find(
    ({ kind, file }) => kind === "unreadable" && file === look.sidecar.name,
  );
  if (unread !== undefined && look.header?.cleanShutdown === 1) {
    return {
      kind: "unusable",
      why: `${unread.message}: what it says of the slots is not known, and a change of them would have to remove it`,
      hint: "ls -l on that path; dmesg and smartctl on that disk",
    };
  }
  if (unreadSlots !== null) {
    return {
      kind: "unusable",
      why: `slot ${unreadSlots.slot} ${unreadSlots.message}: the sidecar alone knows its version, and a change of this shard would have to remove it`,
      hint: "dmesg and smartctl on that disk; a copy elsewhere",
    };
  }
  if (!isForeign || hasSource) return null;
  const stated = look.header?.shardId ?? look.shard;
  const whose = stated === look.shard ? "another shard" : `shard ${stated}`;
  return {
    kind: "unusable",
    why: `most keys in ${look.name} belong to ${whose}: the file is in the wrong place, its records are not touched`,
    hint: "mv the file to where it belongs, or armdb repair DIR --from LEADER or DIR2",
  };
}

function absence({ name, data, fileBytes }: ShardLook): string {
  if (data.facts === null) return `${data.name} is missing`;
  return `${name}/${SHARD_FILE} has ${fileBytes} bytes: its header and all slots are gone`;
}

/** The count in the header, unless something speaks against it; then what the file's length holds. */
function decideCount(
  { directory, look, findings }: BasisFacts,
  header: ShardHeaderFields,
  layout: SlotLayout,
  lost: boolean,
): number {
  const held = Math.floor((look.fileBytes - SHARD_HEADER_BYTES) / layout.slotSize);
  if (lost) return held;
  const recordsPastCount = findings.some(
    (finding) =>
      finding.kind === "header-geometry" && finding.offset === HEADER_FIELDS.slotCount.offset,
  );
  if (recordsPastCount) return held;
  if (header.slotCount <= held) return header.slotCount;
  // A clean close counted what the file holds: then it is the header that is wrong.
  if (header.cleanShutdown === 1 && look.sidecar.facts?.bytes === sidecarBytes(held)) return held;
  // The file is short, unless the count itself is nonsense: then a flipped bit would cost gigabytes of zeros. Cut down
  // to what is there, nothing more is lost than by filling up.
  const others = directory.shards.filter((other) => other !== look);
  const known = Math.max(
    held,
    sidecarCount(look),
    ...others.map((each) => slotsHeld(each, layout)),
  );
  const isPlausible = header.slotCount <= Math.max(2 * known, known + GROW_SLOTS_MIN);
  return isPlausible ? header.slotCount : held;
}

/** Slots that the shard had at some clean close. */
function sidecarCount({ sidecar }: ShardLook): number {
  const bytes = sidecar.facts?.kind === "file" ? sidecar.facts.bytes : 0;
  return bytes % 4 === 0 ? Math.max(0, (bytes - sidecarBytes(0)) / 4) : 0;
}

function slotsHeld({ fileBytes }: ShardLook, layout: SlotLayout): number {
  return Math.max(0, Math.floor((fileBytes - SHARD_HEADER_BYTES) / layout.slotSize));
}

/** The page with its fields set; reserved bytes and clean flag stay as they are. */
function patchHeader(
  before: Uint8Array,
  after: SlotLayout & { readonly slotCount: number; readonly shardId: number },
): Uint8Array {
  const bytes = before.slice(0, SHARD_HEADER_BYTES);
  const view = viewOf(bytes);
  bytes.set(Buffer.from(SHARD_MAGIC, "latin1"), HEADER_FIELDS.magic.offset);
  view.setUint16(HEADER_FIELDS.version.offset, SHARD_VERSION, true);
  view.setUint16(HEADER_FIELDS.slotSize.offset, after.slotSize, true);
  view.setUint32(HEADER_FIELDS.slotCount.offset, after.slotCount, true);
  view.setUint16(HEADER_FIELDS.keyLen.offset, after.keyLen, true);
  view.setUint16(HEADER_FIELDS.valueLen.offset, after.valueLen, true);
  view.setUint8(HEADER_FIELDS.shardId.offset, after.shardId);
  return bytes;
}
