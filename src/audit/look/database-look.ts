// A database directory as it stands, sound or not: names, sizes, db.meta, headers, and the geometry that most of them
// agree on. Every command that looks at data starts here: inspect, verify, verify-cursor, compare, repair.
// Promises: opens for reading only, takes no lock, creates nothing, and gets through whatever it meets; what is
// wrong with what it saw is said by check/meta.ts, check/header.ts and the others, not here.

import { ArmdbError } from "../../errors.ts";
import { CURSOR_BYTES, CURSOR_FILE } from "../../format/cursor.ts";
import { DB_META_BYTES, DB_META_FILE, dbMetaFault, decodeDbMeta } from "../../format/db-meta.ts";
import { shardDirectory } from "../../format/routing.ts";
import {
  decodeShardHeader,
  SHARD_FILE,
  SHARD_HEADER_BYTES,
  SHARD_MAGIC,
  SHARD_VERSION_OLD,
  shardHeaderFault,
} from "../../format/shard-header.ts";
import type { SlotLayout } from "../../format/slot.ts";
import { SIDECAR_FILE } from "../../format/versions-sidecar.ts";
import type { Disk, DiskError } from "../../io/disk.ts";
import { realDisk } from "../../io/real-disk.ts";
import { SHARDS_MAX } from "../../limits.ts";
import { type CopyState, readCopyState } from "../../store/copy-state.ts";
import { type LockHolder, lockHolder, writersOf } from "../../store/holders.ts";
import type { MetaLook, ShardLook } from "./looks.ts";
import { type FileLook, lookAt, readStart, tryDisk } from "./file-look.ts";
import { decideLayout, decideRouting, decideSlotCount, type RoutingDecision } from "./geometry.ts";

export type { MetaLook, ShardLook };

export interface DatabaseDirectory {
  readonly path: string;
  /** Names in the directory itself, sorted. */
  readonly entries: readonly string[];
  readonly meta: MetaLook;
  /** Shards 0 to `routing.shardCount` - 1, there or not. */
  readonly shards: readonly ShardLook[];
  /** Shard directories past the count, by number. */
  readonly extraShards: readonly number[];
  /** Key and value length and slot size that the sound headers agree on; null when no header says. */
  readonly layout: SlotLayout | null;
  /** Shard count and prefix bits in force, and where they come from. */
  readonly routing: RoutingDecision;
  /** Whether a follower's first copy has ended (armdb.state.json). */
  readonly copy: CopyState;
  /** Null: nobody is seen to hold it. */
  readonly lock: LockHolder | null;
}

/**
 * Reads a database directory. Throws no-database (exit 10) when nothing there is a database, incompatible (13) when
 * it is a database of another format (cli.md: Finding kinds), and DiskError when the directory cannot be listed.
 */
export function readDirectory(disk: Disk, path: string): DatabaseDirectory {
  const entries = listDatabase(disk, path);
  const meta = lookAtMeta(disk, path);
  const found = shardNumbers(entries);
  refuseWhenNoDatabase(path, meta, found);

  const numbersMax = Math.max(meta.fields?.shardCount ?? 0, (found.at(-1) ?? -1) + 1);
  const looks = Array.from({ length: numbersMax }, (_, shard) => lookAtShard(disk, path, shard));
  const layout = decideLayout(disk, meta, looks);
  refuseOtherFormats(path, meta, looks);
  const routing = decideRouting(disk, meta, looks, layout);
  return {
    path,
    entries,
    meta,
    shards: looks.slice(0, routing.shardCount),
    extraShards: found.filter((shard) => shard >= routing.shardCount),
    layout,
    routing,
    copy: readCopyState(disk, path, routing.shardCount),
    lock: lockHolder(path),
  };
}

/** Looks at one shard directory, there or not. */
export function lookAtShard(disk: Disk, root: string, shard: number): ShardLook {
  const name = shardDirectory(shard);
  const [directory, entries] = lookAtShardDirectory(disk, root, name);
  const data = readStart(disk, root, `${name}/${SHARD_FILE}`, SHARD_HEADER_BYTES);
  const header = data.bytes === null ? null : decodeShardHeader(data.bytes);
  return {
    shard,
    name,
    directory,
    entries,
    data,
    fileBytes: data.facts?.kind === "file" ? data.facts.bytes : 0,
    header,
    headerFault: header === null ? null : shardHeaderFault(header),
    sidecar: lookAt(disk, root, `${name}/${SIDECAR_FILE}`),
    cursor: readStart(disk, root, `${name}/${CURSOR_FILE}`, CURSOR_BYTES + 1),
  };
}

/** Slots that a shard is to be read with: its header's count, or what the file's length gives where the header is lost. */
export function slotCountOf(directory: DatabaseDirectory, look: ShardLook): number {
  return directory.layout === null
    ? (look.header?.slotCount ?? 0)
    : decideSlotCount(look, directory.layout);
}

function lookAtMeta(disk: Disk, root: string): MetaLook {
  const look = readStart(disk, root, DB_META_FILE, DB_META_BYTES + 1);
  if (look.bytes === null) return { ...look, fields: null, fault: null };
  const fields = decodeDbMeta(look.bytes);
  return { ...look, fields, fault: dbMetaFault(fields) };
}

function lookAtShardDirectory(disk: Disk, root: string, name: string): [FileLook, string[]] {
  const look = lookAt(disk, root, name);
  // A shard directory may be a link to one on another disk: listing tells, and follows it.
  if (look.facts === null || (look.facts.kind !== "directory" && look.facts.kind !== "symlink"))
    return [look, []];
  const [entries, error] = tryDisk(() => disk.list(look.path));
  return [{ ...look, error }, entries ?? []];
}

function listDatabase(disk: Disk, path: string): string[] {
  const [entries, error] = tryDisk(() => disk.list(path));
  if (error === null) return entries;
  if (error.errno === "ENOENT" || error.errno === "ENOTDIR")
    throw noDatabase(path, reasonOf(error));
  throw error;
}

function reasonOf(error: DiskError): string {
  return error.errno === "ENOENT" ? "there is no such directory" : "it is not a directory";
}

/** Numbers of `shard_NNN` entries, ascending. */
export function shardNumbers(entries: readonly string[]): number[] {
  return entries
    .filter((name) => /^shard_\d{3}$/.test(name))
    .map((name) => Number(name.slice("shard_".length)))
    .filter((shard) => shard < SHARDS_MAX)
    .sort((left, right) => left - right);
}

function refuseWhenNoDatabase(path: string, meta: MetaLook, found: readonly number[]): void {
  if (meta.facts === null && meta.error === null && found.length === 0) {
    throw noDatabase(path, "it holds neither db.meta nor a shard directory");
  }
}

function noDatabase(path: string, why: string): ArmdbError {
  return new ArmdbError("no-database", `No database at "${path}": ${why}`, {
    path,
    hint: "ls on that path; a database directory holds db.meta and shard_000",
  });
}

/** Another format, all of it, is no damage (cli.md: Finding kinds, last lines). */
function refuseOtherFormats(path: string, meta: MetaLook, looks: readonly ShardLook[]): void {
  const headers = looks.flatMap((look) => (look.header === null ? [] : [look.header]));
  const allOld = headers.every(
    (header) => header.magic === SHARD_MAGIC && header.version === SHARD_VERSION_OLD,
  );
  if (headers.length > 0 && allOld) {
    throw new ArmdbError(
      "incompatible",
      `Cannot read "${path}": its shards have format version 1, as written by armdb 0.1.7 to 0.1.12`,
      {
        path,
        hint: "open it once with a crate that migrates it, armdb reads version 2 (0.1.13 to 0.15.0)",
      },
    );
  }
  if (meta.fault !== "backend" || meta.fields === null) return;
  const shards = looks.slice(0, meta.fields.shardCount);
  const present = shards.filter((look) => look.data.facts !== null);
  const isSound = present.every((look) => look.header !== null && look.headerFault === null);
  const isWhole = present.length === 0 || present.length === meta.fields.shardCount;
  if (meta.fields.shardCount > 0 && isSound && isWhole) {
    throw new ArmdbError(
      "incompatible",
      `Cannot read "${path}": db.meta names backend ${meta.fields.backend} at byte 5, armdb reads backend 1 (FixedStore)`,
      {
        path,
        offset: 5,
        hint: `xxd ${DB_META_FILE} there; if the database is known to be a FixedStore, that byte is damaged`,
      },
    );
  }
}

/**
 * True when another process may be writing: it holds the lock alone, or has a file open for writing (cli.md: Rules).
 * Open files are those of this machine: on any other disk there are none to look for.
 */
export function isBeingWritten(directory: DatabaseDirectory, disk: Disk): boolean {
  if (directory.lock?.kind === "exclusive") return true;
  return disk === realDisk && writersOf(directory.path).pids.length > 0;
}
