// The other files of a database directory: what later crates and interrupted work leave behind, what is not armdb's
// (format.md: What later versions put beside it; cli.md: Files of ours in DIR). Used by verify. Reads reset logs alone.

import { CURSOR_FILE, CURSOR_TEMP_FILE } from "../../format/cursor.ts";
import { DB_META_FILE } from "../../format/db-meta.ts";
import { RESTORED_FILE, SHARD_FILE, SHARD_NEW_FILE } from "../../format/shard-header.ts";
import { LOCK_FILE } from "../../store/holders.ts";
import { MOUNT_DIRECTORY } from "../../store/replica-dir.ts";
import { STATE_FILE, STATE_TEMP_FILE } from "../../store/state-file.ts";
import type { Disk } from "../../io/disk.ts";
import { SIDECAR_FILE, SIDECAR_TEMP_FILE } from "../../format/versions-sidecar.ts";
import { type DatabaseDirectory, shardNumbers } from "../look/database-look.ts";
import type { FindingList } from "../finding-list.ts";
import { savedSlotsText } from "./reset-logs.ts";

/** What a name in the database directory or a shard directory is; `ours` is also what may lie there. */
type NameMeaning = "ours" | "migration" | "txlog" | "reset" | "left-over" | "unexpected";

const ROOT_NAMES: Readonly<Record<string, NameMeaning>> = {
  [DB_META_FILE]: "ours",
  [LOCK_FILE]: "ours",
  "armdb.sock": "ours",
  [STATE_FILE]: "ours",
  [STATE_TEMP_FILE]: "left-over",
  "db.meta.tmp": "left-over",
  "format.v": "ours",
  "format.v.tmp": "left-over",
  ".migration": "migration",
  ".migration.tmp": "migration",
  txlog: "txlog",
  [MOUNT_DIRECTORY]: "ours",
};

const SHARD_NAMES: Readonly<Record<string, NameMeaning>> = {
  [SHARD_FILE]: "ours",
  [SIDECAR_FILE]: "ours",
  [CURSOR_FILE]: "ours",
  "format.v": "ours",
  "format.v.tmp": "left-over",
  [SIDECAR_TEMP_FILE]: "left-over",
  [CURSOR_TEMP_FILE]: "left-over",
  [SHARD_NEW_FILE]: "left-over",
  [RESTORED_FILE]: "left-over",
};

function meaningOfShardName(name: string): NameMeaning {
  // A file may be called `constructor`.
  return Object.hasOwn(SHARD_NAMES, name) ? (SHARD_NAMES[name] as NameMeaning) : "unexpected";
}

function meaningOfRootName(name: string): NameMeaning {
  if (Object.hasOwn(ROOT_NAMES, name)) return ROOT_NAMES[name] as NameMeaning;
  if (/^armdb-undo-.+\.journal$/.test(name)) return "ours";
  if (/^armdb-reset-.+\.log$/.test(name)) return "reset";
  if (/^shard_\d{3}\.(mig|old)$/.test(name)) return "migration";
  if (shardNumbers([name]).length === 1) return "ours";
  return "unexpected";
}

/** Notes on every file that is not part of a healthy database at rest, and on a lock that is held. */
export function checkStrayFiles(
  disk: Disk,
  directory: DatabaseDirectory,
  findings: FindingList,
): void {
  const saved = (names: readonly string[]) =>
    savedSlotsText(disk, directory.path, names, (file, errno) =>
      findings.add({ kind: "unreadable", file, message: `${file} cannot be read: ${errno}` }),
    );
  if (directory.lock !== null) {
    const { pid, kind } = directory.lock;
    const message = `${LOCK_FILE} is held ${kind === "shared" ? "shared " : ""}by process ${pid === null ? "outside this container" : pid}`;
    findings.add({ kind: "lock-held", file: LOCK_FILE, message });
  }
  reportNames(directory.entries, meaningOfRootName, null, "", saved, findings);
  for (const shard of directory.extraShards) {
    const name = `shard_${String(shard).padStart(3, "0")}`;
    const message = `${name} is past the last of ${directory.routing.shardCount} shards`;
    findings.add({ kind: "unexpected-file", shard, file: name, message });
  }
  for (const look of directory.shards) {
    const { error } = look.directory;
    if (error !== null && look.data.facts !== null) {
      const message = `${look.name} cannot be listed: ${error.errno}`;
      findings.add({ kind: "unreadable", shard: look.shard, file: look.name, message });
    }
    reportNames(look.entries, meaningOfShardName, look.shard, `${look.name}/`, saved, findings);
  }
}

function reportNames(
  names: readonly string[],
  meaningOf: (name: string) => NameMeaning,
  shard: number | null,
  prefix: string,
  saved: (names: readonly string[]) => string,
  findings: FindingList,
): void {
  const of = (...meanings: NameMeaning[]) =>
    names.filter((name) => meanings.includes(meaningOf(name)));
  const report = (
    kind: "migration-half-way" | "txlog-present" | "reset-saved" | "left-over" | "unexpected-file",
    found: readonly string[],
    what: string,
  ) => {
    const first = found[0];
    if (first === undefined) return;
    const listed = found
      .slice(0, NAMES_LISTED_MAX)
      .map((name) => `${prefix}${name}`)
      .join(", ");
    const rest = found.length - NAMES_LISTED_MAX;
    const message = `${what}: ${listed}${rest > 0 ? ` and ${rest} more` : ""}`;
    findings.add({ kind, shard, file: `${prefix}${first}`, count: found.length, message });
  };
  report("migration-half-way", of("migration"), "left by a migration");
  report("txlog-present", of("txlog"), "log of a later crate");
  const resets = of("reset");
  if (resets.length > 0) report("reset-saved", resets, saved(resets));
  report("left-over", of("left-over"), "left by an interrupted write");
  report("unexpected-file", of("unexpected"), "not part of the database");
}

const NAMES_LISTED_MAX = 8;
