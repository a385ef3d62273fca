// One slot decoded for people: every field with its place, both crcs, and where its key belongs. Used by the inspect
// commands. Reads only the slots that it is asked for.

import { shellWord } from "../../shell-words.ts";
import { ArmdbError } from "../../errors.ts";
import { shardOfKey } from "../../format/routing.ts";
import { SHARD_HEADER_BYTES, slotOffset } from "../../format/shard-header.ts";
import {
  decodeSlot,
  packMeta,
  type Slot,
  type SlotLayout,
  slotCrc,
  type SlotStatusName,
  STATUS_INVALID,
  STATUS_NAMES,
  STATUS_OCCUPIED,
  VERSION_MAX,
} from "../../format/slot.ts";
import { viewOf } from "../../bytes.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import type { DatabaseDirectory, ShardLook } from "../look/database-look.ts";
import { noSuchShard } from "../verify.ts";

export interface SlotView {
  readonly slot: number;
  /** Of its first byte in fixed.data. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly decoded: Slot;
  readonly statusName: SlotStatusName;
  readonly crcComputed: number;
  readonly crcMatches: boolean;
  /** DELETED: the stored crc is that of the write before the delete (format.md: Slot). Null for other slots. */
  readonly crcIsOfLastWrite: boolean | null;
  /** All zeros: never used. */
  readonly isNeverUsed: boolean;
  /** Bad crc of an OCCUPIED slot, or status 3. */
  readonly isDamaged: boolean;
  /** Null: a slot without a key, or the prefix bits are not known. */
  readonly shardByKey: number | null;
}

/** A shard that can be read slot by slot. */
export interface ReadableShard {
  readonly directory: DatabaseDirectory;
  readonly look: ShardLook;
  readonly layout: SlotLayout;
}

/** The shard's look, or a usage error when the number is past the last one. */
export function shardOf(directory: DatabaseDirectory, shard: number): ShardLook {
  const look = directory.shards[shard];
  if (look === undefined) throw noSuchShard(directory, shard);
  return look;
}

/** What is needed to read slots; throws `damaged` when no header tells how long they are. */
export function readableShard(directory: DatabaseDirectory, look: ShardLook): ReadableShard {
  if (look.data.error !== null) throw look.data.error;
  if (directory.layout === null || look.data.facts?.kind !== "file") {
    const why =
      directory.layout === null
        ? "no header says how long its slots are"
        : "it is missing or no plain file";
    throw new ArmdbError("damaged", `Cannot read slots of "${look.data.path}": ${why}`, {
      path: look.data.path,
      shard: look.shard,
      hint: `armdb verify ${shellWord(directory.path)}`,
    });
  }
  return { directory, look, layout: directory.layout };
}

/** Reads one slot; null when the file ends before it does. */
export function readSlot(file: DiskFile, shard: ReadableShard, slot: number): SlotView | null {
  const bytes = new Uint8Array(shard.layout.slotSize);
  const offset = slotOffset(slot, shard.layout.slotSize);
  return file.read(bytes, offset) < bytes.length ? null : viewSlot(bytes, shard, slot);
}

/** Decodes the bytes of a slot. */
export function viewSlot(bytes: Uint8Array, shard: ReadableShard, slot: number): SlotView {
  const { layout, directory } = shard;
  const decoded = decodeSlot(bytes, layout);
  const crcComputed = slotCrc(bytes, layout);
  const crcMatches = crcComputed === decoded.crcStored;
  const isNeverUsed = bytes.every((byte) => byte === 0);
  const statusName = STATUS_NAMES[decoded.status];
  const { shardCount, shardPrefixBits, bitsKnown } = directory.routing;
  const knowsHome = !isNeverUsed && (bitsKnown || shardCount === 1);
  return {
    slot,
    offset: slotOffset(slot, layout.slotSize),
    bytes,
    decoded,
    statusName,
    crcComputed,
    crcMatches,
    crcIsOfLastWrite: statusName === "deleted" ? isOfLastWrite(bytes, layout, decoded) : null,
    isNeverUsed,
    isDamaged:
      decoded.status === STATUS_INVALID || (decoded.status === STATUS_OCCUPIED && !crcMatches),
    shardByKey: knowsHome ? shardOfKey(decoded.key, shardCount, shardPrefixBits) : null,
  };
}

function isOfLastWrite(bytes: Uint8Array, layout: SlotLayout, slot: Slot): boolean {
  const written = bytes.slice();
  viewOf(written).setUint32(0, packMeta(STATUS_OCCUPIED, (slot.version - 1) & VERSION_MAX), true);
  return slotCrc(written, layout) === slot.crcStored;
}

/** Kinds of slots that `--only` can ask for. */
export type SlotFilter = "occupied" | "deleted" | "free" | "damaged";

/** True when a slot is what was asked for; a damaged one is nothing else. */
export function isWanted(view: SlotView, only: SlotFilter | null): boolean {
  if (only === null) return true;
  if (only === "damaged" || view.isDamaged) return only === "damaged" && view.isDamaged;
  return view.statusName === only;
}

const RUN_BYTES = 256 * 1024;

/** The slots from `first` to `last`, both included, that the file has, one after another. */
export function* readSlots(
  disk: Disk,
  shard: ReadableShard,
  first: number,
  last: number,
): Generator<SlotView> {
  const { slotSize } = shard.layout;
  const inFile = Math.floor((shard.look.fileBytes - SHARD_HEADER_BYTES) / slotSize);
  const end = Math.min(last, inFile - 1);
  const perRun = Math.max(1, Math.floor(RUN_BYTES / slotSize));
  const file = disk.open(shard.look.data.path, "read");
  try {
    for (let start = first; start <= end; start += perRun) {
      const slots = Math.min(perRun, end - start + 1);
      const run = new Uint8Array(slots * slotSize);
      const got = file.read(run, slotOffset(start, slotSize));
      for (let index = 0; (index + 1) * slotSize <= got; index++) {
        const bytes = run.subarray(index * slotSize, (index + 1) * slotSize);
        yield viewSlot(bytes, shard, start + index);
      }
    }
  } finally {
    file.close();
  }
}
