// The status of a directory on which no follower answers, from what its files say without a scan: headers, sidecars, cursors and
// armdb.state.json (cli.md: armdb status). Used by commands/status.ts. Opens for reading only, takes no lock; what the files
// do not say is null.

import { crc32 } from "node:zlib";
import {
  type DatabaseDirectory,
  readDirectory,
  type ShardLook,
  slotCountOf,
} from "../audit/directory.ts";
import { tryDisk, withFile } from "../audit/file-look.ts";
import { viewOf } from "../bytes.ts";
import { decodeCursor } from "../format/cursor.ts";
import { STATUS_OCCUPIED, statusOf } from "../format/slot.ts";
import { sidecarBytes } from "../format/versions-sidecar.ts";
import { DiskError, type Disk, type DiskFile } from "../io/disk.ts";
import { type FollowerState, readState } from "../store/state-file.ts";
import { divergedEntry } from "./diverged-words.ts";
import { type ShardStatus, type StatusDocument, UNKNOWN_SHARD } from "./status-types.ts";
import { verdictAtRest } from "./verdict.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const READ_BYTES = 256 * 1024;
/** Of a document, where no follower says it. */
const NOTHING_UNDER_WAY = { catchUp: null, saveError: null, connectionsNextAtMs: null } as const;

/** Throws no-database (10), incompatible (13), and DiskError for a directory that cannot be listed. */
export function stoppedStatus(disk: Disk, dir: string, wallMs: number): StatusDocument {
  const directory = readDirectory(disk, dir);
  const state = readStateOrNull(disk, dir);
  const { complete } = directory.copy;
  const shards = directory.shards.map((look) => shardStatus(disk, directory, look, state, wallMs));
  return {
    schema: 1,
    command: "status",
    running: false,
    leader: state?.leader ?? null,
    protocol: state?.protocol ?? null,
    verdict: verdictAtRest(shards, complete),
    complete,
    connectionsToday: state === null ? null : connectionsToday(state, wallMs),
    connectionsPerDay: null,
    ready: false,
    stopping: false,
    pid: null,
    holder: directory.lock,
    atMs: Math.round(wallMs),
    upMs: null,
    scanningShare: null,
    ...NOTHING_UNDER_WAY,
    savedAtMs: state === null || state.savedAtMs === 0 ? null : state.savedAtMs,
    shards,
  };
}

/** Of a follower that is seen to run and has not reached its leader yet: nothing is made, and nothing more is known. */
export function unreachedStatus(
  { pid, leader }: { readonly pid: number; readonly leader: string | null },
  wallMs: number,
): StatusDocument {
  return {
    schema: 1,
    command: "status",
    running: true,
    leader,
    protocol: null,
    verdict: "behind",
    complete: false,
    connectionsToday: null,
    connectionsPerDay: null,
    ready: false,
    stopping: false,
    pid,
    holder: null,
    atMs: Math.round(wallMs),
    upMs: null,
    scanningShare: null,
    ...NOTHING_UNDER_WAY,
    savedAtMs: null,
    shards: [],
  };
}

function shardStatus(
  disk: Disk,
  directory: DatabaseDirectory,
  look: ShardLook,
  state: FollowerState | null,
  wallMs: number,
): ShardStatus {
  const { shard, header, headerFault } = look;
  const cursor = look.cursor.bytes === null ? null : decodeCursor(look.cursor.bytes);
  const saved = state?.shards.find((entry) => entry.shard === shard) ?? null;
  const scannedAtMs = saved?.lastFullScanAtMs ?? null;
  const isSound = header !== null && headerFault === null;
  return {
    ...UNKNOWN_SHARD,
    shard,
    state: "stopped",
    slots: isSound ? header.slotCount : null,
    occupied: isSound ? occupiedBySidecar(disk, look, slotCountOf(directory, look)) : null,
    appliedTotal: cursor === null ? null : String(cursor.appliedTotal),
    maxVersionSeen: cursor?.maxVersionSeen ?? null,
    divergedSlots: saved?.divergedSlots ?? null,
    diverged:
      saved?.diverged.map(([slot, , here, there]) => divergedEntry(slot, here, there)) ?? [],
    complete: directory.copy.shards[shard] ?? null,
    lastFullScanMsAgo: scannedAtMs === null ? null : Math.max(0, Math.round(wallMs - scannedAtMs)),
  };
}

function connectionsToday(state: FollowerState, wallMs: number): number {
  return state.connectionsAtMs.filter((atMs) => atMs > wallMs - DAY_MS && atMs <= wallMs).length;
}

/** A state file that cannot be read is one that says nothing. */
function readStateOrNull(disk: Disk, dir: string): FollowerState | null {
  try {
    return readState(disk, dir);
  } catch (thrown) {
    if (thrown instanceof DiskError) return null;
    throw thrown;
  }
}

/** OCCUPIED words of a sidecar that the crate would believe: clean flag, length, count and crc are right; else null. */
function occupiedBySidecar(disk: Disk, look: ShardLook, slotCount: number): number | null {
  const { sidecar, header } = look;
  if (header?.cleanShutdown !== 1 || sidecar.facts?.kind !== "file") return null;
  if (sidecar.facts.bytes !== sidecarBytes(slotCount)) return null;
  const [occupied] = tryDisk(() =>
    withFile(disk, sidecar.path, (file) => countOccupied(file, slotCount)),
  );
  return occupied;
}

function countOccupied(file: DiskFile, slotCount: number): number | null {
  const wordsBytes = slotCount * 4;
  const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(wordsBytes, 1)));
  let occupied = 0;
  let crc = 0;
  for (let at = 0; at < wordsBytes; at += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, wordsBytes - at));
    if (file.read(part, at) < part.length) return null;
    crc = crc32(part, crc);
    for (let offset = 0; offset < part.length; offset += 4) {
      if (statusOf(part[offset] ?? 0) === STATUS_OCCUPIED) occupied++;
    }
  }
  const trailer = new Uint8Array(8);
  if (file.read(trailer, wordsBytes) < trailer.length) return null;
  const view = viewOf(trailer);
  crc = crc32(trailer.subarray(0, 4), crc);
  return view.getUint32(0, true) === slotCount && view.getUint32(4, true) === crc ? occupied : null;
}
