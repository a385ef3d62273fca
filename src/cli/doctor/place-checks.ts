// Doctor on the place where DIR is or will be: file system, space, inodes, permission. Pure over SystemFacts and Disk's
// looks; for a directory that does not exist yet the nearest one above it is looked at.

import { dirname, resolve } from "node:path";
import type { Disk, FileFacts } from "../../io/disk.ts";
import { DiskError } from "../../io/disk.ts";
import { formatBytes, formatCount } from "../surface/numbers.ts";
import { type Check, fail, ok, warn } from "./check.ts";
import type { FileSystemFacts, SystemFacts } from "./system.ts";

/** Where the data is or will be. */
export interface Place {
  /** As given, made absolute. */
  readonly path: string;
  readonly exists: boolean;
  /** The path itself or the nearest one above it that exists. */
  readonly base: string;
  readonly facts: FileFacts | null;
}

const GIB = 2 ** 30;
/** A catch-up grows shards by a million slots at a time: less than this is soon gone. */
const FREE_BYTES_LOW = GIB;
const FREE_BYTES_MIN = 64 * 2 ** 20;
/** Five names a shard, and a few for the directory. */
const INODES_PER_SHARD = 6;
const SHARDS_MAX = 255;

/** Finds the directory and, where it does not exist, what it would be created in. */
export function findPlace(disk: Disk, given: string): Place {
  const path = resolve(given);
  const own = look(disk, path);
  if (own !== null) return { path, exists: true, base: path, facts: own };
  let base = dirname(path);
  for (;;) {
    const facts = look(disk, base);
    if (facts !== null || base === dirname(base)) return { path, exists: false, base, facts };
    base = dirname(base);
  }
}

/** Facts of what a name stands for: a link to a directory counts as the directory. */
function look(disk: Disk, path: string): FileFacts | null {
  try {
    const facts = disk.facts(path);
    return facts?.kind === "symlink" ? disk.facts(`${path}/.`) : facts;
  } catch (thrown) {
    if (thrown instanceof DiskError && ["ENOENT", "ENOTDIR"].includes(thrown.errno)) return null;
    throw thrown;
  }
}

/** All checks of this file. `neededBytes` is what the database takes now, 0 when it is not there yet. */
export function placeChecks(system: SystemFacts, place: Place, growthBytes: number): Check[] {
  if (place.facts !== null && place.facts.kind !== "directory") return [notADirectory(place)];
  const facts = system.fileSystem(place.base);
  const checks = [checkPermission(system, place)];
  if (facts === null) {
    checks.push(
      warn("file-system", `the file system of ${place.base} is not known`, `df ${place.base}`),
    );
    return checks;
  }
  checks.push(checkKind(facts), checkSpace(facts, place, growthBytes), checkInodes(facts));
  return checks;
}

function notADirectory(place: Place): Check {
  const message = `${place.base} is not a directory`;
  return fail("permission", "storage", message, `another --data, or ls -ld ${place.base}`);
}

/** Writable, and not open to everybody. */
function checkPermission(system: SystemFacts, place: Place): Check {
  const name = "permission";
  const refusal = system.writeRefusal(place.base);
  if (refusal === "EROFS") {
    const message = `${place.base} is on a read-only file system`;
    return fail(name, "storage", message, "mount it read-write; dmesg says why it is not");
  }
  if (refusal !== null) {
    const owner = place.facts === null ? "its owner" : `user ${place.facts.uid}`;
    const message = `${place.base} cannot be written by user ${system.uid ?? "?"} (${refusal}); it belongs to ${owner}`;
    return fail(name, "storage", message, `sudo -u '#${place.facts?.uid ?? 0}' armdb ...`);
  }
  const mode = place.facts?.mode ?? 0;
  if (place.exists && (mode & 0o002) !== 0) {
    const message = `${place.path} can be written by everybody (mode ${mode.toString(8)})`;
    return warn(name, message, `chmod o-w ${place.path}`);
  }
  if (place.exists) {
    const owner = `of user ${place.facts?.uid ?? "?"}, mode ${mode.toString(8)}`;
    return ok(name, `${place.path} can be written (${owner})`);
  }
  return ok(name, `${place.path} does not exist; it can be created in ${place.base}`);
}

interface KindNote {
  readonly name: string;
  readonly result: "ok" | "warn" | "fail";
  readonly means: string;
  readonly remedy: string;
}

const NETWORK_REMEDY = "a local disk; a replica is what protects against losing the machine";

function network(name: string): KindNote {
  return {
    name,
    result: "warn",
    means: "a network file system: locks, reserved space and fdatasync may not hold what they say",
    remedy: NETWORK_REMEDY,
  };
}

function memory(name: string): KindNote {
  return {
    name,
    result: "warn",
    means: "in memory: everything is gone after a restart of the machine",
    remedy: "a directory on a disk, unless this replica may be lost",
  };
}

function copyOnWrite(name: string, remedy: string): KindNote {
  return {
    name,
    result: "warn",
    means:
      "copy-on-write: reserved space does not promise that an overwrite fits, and slots written in place scatter",
    remedy,
  };
}

function plain(name: string): KindNote {
  return { name, result: "ok", means: "reserves space, keeps what fdatasync promised", remedy: "" };
}

/** By the magic numbers of statfs(2). */
const KINDS: ReadonlyMap<number, KindNote> = new Map([
  [0xef53, plain("ext4")],
  [0x58465342, plain("xfs")],
  [0xf2f52010, plain("f2fs")],
  [0x01021994, memory("tmpfs")],
  [0x858458f6, memory("ramfs")],
  [0x6969, network("nfs")],
  [0xff534d42, network("cifs")],
  [0xfe534d42, network("smb")],
  [0x01021997, network("9p")],
  [0x00c36400, network("ceph")],
  [0x65735546, network("fuse")],
  [0x9123683e, copyOnWrite("btrfs", "chattr +C on the new, empty directory; keep space free")],
  [0x2fc12fc1, copyOnWrite("zfs", "recordsize=16K for this dataset; keep space free")],
  [0xca451a4e, copyOnWrite("bcachefs", "keep space free")],
  [
    0x794c7630,
    {
      name: "overlayfs",
      result: "warn",
      means: "the inside of a container: it is gone with the container",
      remedy: "a volume mounted at that directory",
    },
  ],
  [
    0x4d44,
    {
      name: "vfat",
      result: "fail",
      means: "it has no owners, no modes and no files past 4 GiB",
      remedy: "ext4 or xfs",
    },
  ],
]);

/** What the kind of file system means for a replica. */
export function checkKind(facts: FileSystemFacts): Check {
  const name = "file-system";
  const note = facts.magic === null ? undefined : KINDS.get(facts.magic);
  if (note === undefined) {
    const magic = facts.magic === null ? "" : ` (0x${facts.magic.toString(16)})`;
    const message = `a kind of file system that armdb does not know${magic}`;
    return warn(name, message, "ext4 and xfs are what it is tested on");
  }
  const message = `${note.name}: ${note.means}`;
  if (note.result === "ok") return ok(name, message);
  if (note.result === "warn") return warn(name, message, note.remedy);
  return fail(name, "storage", message, note.remedy);
}

/** A new replica's size is known to the leader alone, and asking for it would take the live stream. */
export function checkSpace(facts: FileSystemFacts, place: Place, growthBytes: number): Check {
  const name = "free-space";
  const free = `${formatBytes(facts.freeBytes)} free`;
  const remedy = `df -h ${place.base}, then free or add space`;
  if (facts.freeBytes < FREE_BYTES_MIN) return fail(name, "no-space", free, remedy);
  if (facts.freeBytes < growthBytes) {
    const next = formatBytes(growthBytes);
    return warn(name, `${free}; the next step of growth of all shards takes ${next}`, remedy);
  }
  if (facts.freeBytes < FREE_BYTES_LOW) return warn(name, `${free}, which is little`, remedy);
  if (growthBytes > 0) {
    return ok(
      name,
      `${free}; the next step of growth of all shards takes ${formatBytes(growthBytes)}`,
    );
  }
  return ok(name, `${free}; a replica takes as much as the leader's directory (du -sh there)`);
}

function checkInodes(facts: FileSystemFacts): Check {
  const name = "inodes";
  if (facts.inodes === 0) return ok(name, "this file system does not count inodes");
  const needed = INODES_PER_SHARD * SHARDS_MAX;
  const message = `${formatCount(facts.freeInodes)} inodes free`;
  if (facts.freeInodes >= needed) return ok(name, message);
  return warn(name, `${message}; 255 shards take ${needed}`, "df -i there, and remove small files");
}
