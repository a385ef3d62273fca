// The directory that a follower is pointed at: what it is now, whether we may follow into it, and how a new one is made.
// Refuses with a reason and leaves everything as it was.

import { dirname, join, resolve } from "node:path";
import { ArmdbError } from "../errors.ts";
import { CURSOR_FILE } from "../format/cursor.ts";
import {
  type DbMetaFault,
  type DbMetaFields,
  DB_META_BYTES,
  DB_META_FILE,
  dbMetaFault,
  decodeDbMeta,
  encodeDbMeta,
} from "../format/db-meta.ts";
import { shardDirectory } from "../format/routing.ts";
import {
  decodeShardHeader,
  type ShardHeader,
  SHARD_FILE,
  SHARD_HEADER_BYTES,
  SHARD_VERSION_OLD,
  shardFileBytes,
  shardHeaderFault,
} from "../format/shard-header.ts";
import { slotLayout } from "../format/slot.ts";
import { type Disk, DiskError } from "../io/disk.ts";
import type { Geometry } from "./geometry.ts";
import { NEW_DIRECTORY_MODE, OWN_NEW_FILES } from "./ownership.ts";
import { readSmallFile } from "./read-file.ts";
import { olderFormat, readShardHeader } from "./shard-file.ts";
import { type FollowerState, readState, STATE_FILE, STATE_TEMP_FILE } from "./state-file.ts";
import { LOCK_FILE } from "./holders.ts";

export type ReplicaTarget =
  /** No such directory, or an empty one: it is made from what the leader says. */
  | { readonly kind: "new"; readonly exists: boolean; readonly state: FollowerState | null }
  | {
      readonly kind: "existing";
      readonly geometry: Geometry;
      /** A cursor or our own state says that this follows a leader. */
      readonly isReplica: boolean;
      /** Shards whose file is missing: made anew on a replica, the scan brings all back. */
      readonly missingShards: readonly number[];
      readonly state: FollowerState | null;
    };

/** Names that may lie in a directory whose making was cut short. */
const OWN_NAMES = new Set<string>([LOCK_FILE, STATE_FILE, STATE_TEMP_FILE, "armdb.sock"]);

/** A directory that a new file system has at its top: no contents of anybody's. */
export const MOUNT_DIRECTORY = "lost+found";

/** Names in DIR, without what a mount brings. */
function namesIn(disk: Disk, dir: string): string[] {
  return disk.list(dir).filter((name) => {
    return name !== MOUNT_DIRECTORY || disk.facts(join(dir, name))?.kind !== "directory";
  });
}

/** Looks at DIR and throws where nobody could follow into it: damaged, incompatible, not a directory. */
export function lookAtTarget(disk: Disk, dir: string): ReplicaTarget {
  const facts = disk.facts(dir);
  if (facts === null) {
    const parent = dirname(resolve(dir));
    if (disk.facts(parent) === null) {
      throw new ArmdbError("no-database", `"${dir}" cannot be made: there is no "${parent}"`, {
        path: dir,
        hint: `mkdir -p "${parent}"`,
      });
    }
    return { kind: "new", exists: false, state: null };
  }
  if (facts.kind === "symlink") {
    throw new ArmdbError("no-database", `"${dir}" is a symbolic link`, {
      path: dir,
      hint: `give the directory itself: ls -l "${dir}"`,
    });
  }
  if (facts.kind !== "directory") {
    throw new ArmdbError("no-database", `"${dir}" is not a directory`, {
      path: dir,
      hint: "give a directory that does not exist yet, an empty one, or a replica",
    });
  }
  const state = readState(disk, dir);
  const names = namesIn(disk, dir);
  if (!names.includes(DB_META_FILE)) {
    if (names.every((name) => OWN_NAMES.has(name))) return { kind: "new", exists: true, state };
    if (state?.created === false) return { kind: "new", exists: true, state };
    throw new ArmdbError("no-database", `"${dir}" is not empty and holds no db.meta`, {
      path: dir,
      hint: "give an empty or new directory; if this was a database, armdb repair DIR can rebuild db.meta",
    });
  }
  return lookAtDatabase(disk, dir, state);
}

function lookAtDatabase(disk: Disk, dir: string, state: FollowerState | null): ReplicaTarget {
  const path = join(dir, DB_META_FILE);
  const bytes = readSmallFile(disk, path, DB_META_BYTES + 1) ?? new Uint8Array();
  // db.meta comes before the first shard: half of one and no shard is a making that was cut short.
  const hasShards = disk.list(dir).some((name) => name.startsWith("shard_"));
  if (state?.created === false && !hasShards && dbMetaFault(decodeDbMeta(bytes)) !== null) {
    return { kind: "new", exists: true, state };
  }
  const meta = usableMeta(path, bytes);
  refuseOlderFormat(disk, dir, meta.shardCount);
  const missingShards: number[] = [];
  let lengths: { keyLen: number; valueLen: number } | null = null;
  let hasCursor = false;
  for (let shard = 0; shard < meta.shardCount; shard++) {
    const directory = join(dir, shardDirectory(shard));
    if (disk.facts(join(directory, CURSOR_FILE)) !== null) hasCursor = true;
    const path = join(directory, SHARD_FILE);
    // Where the making of this directory was cut short, a shard without its header was never in use.
    const isMissing =
      disk.facts(path) === null || (state?.created === false && !shardIsMade(disk, dir, shard));
    if (isMissing) {
      missingShards.push(shard);
      continue;
    }
    const file = disk.open(path, "read");
    try {
      const expected = lengths === null ? null : slotLayout(lengths.keyLen, lengths.valueLen);
      const { keyLen, valueLen } = readShardHeader(file, shard, expected);
      lengths = { keyLen, valueLen };
    } finally {
      file.close();
    }
  }
  const isReplica = hasCursor || state !== null;
  if (lengths === null) {
    if (state?.created === false) return { kind: "new", exists: true, state };
    throw damagedDatabase(path, `none of its ${meta.shardCount} shards has a data file`);
  }
  if (missingShards.length > 0 && !isReplica) {
    throw damagedDatabase(
      join(dir, shardDirectory(missingShards[0] ?? 0)),
      "its data file is missing",
    );
  }
  const { shardCount, shardPrefixBits } = meta;
  const geometry = { shardCount, shardPrefixBits, ...lengths };
  return { kind: "existing", geometry, isReplica, missingShards, state };
}

/** All shards of version 1 are another format; one among others is damage, which reading it will say. */
function refuseOlderFormat(disk: Disk, dir: string, shardCount: number): void {
  const versions = new Set<number | null>();
  for (let shard = 0; shard < shardCount; shard++) {
    const path = join(dir, shardDirectory(shard), SHARD_FILE);
    const bytes = readSmallFile(disk, path, SHARD_HEADER_BYTES);
    if (bytes !== null) versions.add(decodeShardHeader(bytes)?.version ?? null);
  }
  if (versions.size === 1 && versions.has(SHARD_VERSION_OLD)) throw olderFormat(dir);
}

function usableMeta(path: string, bytes: Uint8Array): DbMetaFields {
  const fields = decodeDbMeta(bytes);
  const fault = dbMetaFault(fields);
  if (fields !== null && fault === null) return fields;
  if (fault === "backend" || fault === "version") {
    const what =
      fault === "backend"
        ? `backend ${fields?.backend}; only FixedStore (1) is known`
        : `db.meta version ${fields?.version}; version 2 is wanted`;
    throw new ArmdbError("incompatible", `Cannot use "${path}": ${what}`, {
      path,
      hint: "armdb version lists the formats this program knows",
    });
  }
  throw damagedDatabase(path, META_FAULTS[fault ?? "size"]);
}

const META_FAULTS: Readonly<Record<DbMetaFault, string>> = {
  size: `it is not ${DB_META_BYTES} bytes long`,
  magic: "it does not begin with ARMD",
  version: "its version is unknown",
  backend: "its backend is unknown",
  "shard-count": "it says 0 shards",
};

function damagedDatabase(path: string, what: string): ArmdbError {
  return new ArmdbError("damaged", `Cannot use "${path}": ${what}`, {
    path,
    hint: "armdb verify DIR says all that is wrong, armdb repair DIR what can be done",
  });
}

/** Makes the directory of a new replica, 0700, durable in its parent. Where another follower just made it, the lock tells who has it. */
export function makeReplicaDirectory(disk: Disk, dir: string): void {
  try {
    disk.makeDirectory(dir, NEW_DIRECTORY_MODE);
  } catch (thrown) {
    if (!(thrown instanceof DiskError) || thrown.errno !== "EEXIST") throw thrown;
  }
  disk.syncDirectory(join(dir, ".."));
}

/** Writes db.meta of a new replica, durable. A whole one that is there already must say the same. */
export function writeDbMeta(disk: Disk, dir: string, geometry: Geometry): void {
  const path = join(dir, DB_META_FILE);
  if (disk.facts(path) !== null) disk.remove(path);
  const file = disk.open(path, "create", OWN_NEW_FILES.mode);
  try {
    file.write(encodeDbMeta(geometry), 0);
    file.sync();
  } finally {
    file.close();
  }
  disk.syncDirectory(dir);
}

/** True when the data file is there with a header and all its slots: its making came to an end. */
export function shardIsMade(disk: Disk, dir: string, shard: number): boolean {
  return wholeHeader(disk, dir, shard) !== null;
}

/** Whether a shard was closed clean by whoever had it last (format.md: Shard header); true of one that is not there. */
export function shardIsClean(disk: Disk, dir: string, shard: number): boolean {
  return wholeHeader(disk, dir, shard)?.cleanShutdown !== 0;
}

/** Null where the shard's file is not there, or not whole. */
function wholeHeader(disk: Disk, dir: string, shard: number): ShardHeader | null {
  const path = join(dir, shardDirectory(shard), SHARD_FILE);
  if (disk.facts(path) === null) return null;
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(SHARD_HEADER_BYTES);
    const header = decodeShardHeader(bytes.subarray(0, file.read(bytes, 0)));
    if (header === null || shardHeaderFault(header) !== null) return null;
    return file.size() >= shardFileBytes(header.slotCount, header.slotSize) ? header : null;
  } finally {
    file.close();
  }
}

/** Removes what an earlier, unfinished making left of a shard, so that it can be made again. */
export function removeUnfinishedShard(disk: Disk, dir: string, shard: number): void {
  const path = join(dir, shardDirectory(shard), SHARD_FILE);
  if (disk.facts(path) !== null) disk.remove(path);
}
