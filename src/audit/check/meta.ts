// What is wrong with db.meta, with the list of shards, and with the directory's other files. Used by verify, inspect and
// repair. Pure: judges what look/database-look.ts has seen.

import {
  BACKEND_FIXED_STORE,
  DB_META_BYTES,
  DB_META_FILE,
  DB_META_MAGIC,
  DB_META_VERSION,
} from "../../format/db-meta.ts";
import { SHARD_FILE } from "../../format/shard-header.ts";
import type { DatabaseDirectory, MetaLook, ShardLook } from "../look/database-look.ts";
import type { FileLook } from "../look/file-look.ts";
import type { FindingList } from "../finding-list.ts";

const VERSION_OFFSET = 4;
const BACKEND_OFFSET = 5;
const SHARD_COUNT_OFFSET = 6;
const PREFIX_BITS_OFFSET = 7;
const FLAGS_OFFSET = 8;

/** Everything about db.meta: there, 16 bytes, each field (format.md: db.meta). */
export function checkMeta(directory: DatabaseDirectory, findings: FindingList): void {
  const { meta } = directory;
  const place = { file: DB_META_FILE };
  if (meta.error !== null) {
    findings.add({
      kind: "unreadable",
      ...place,
      message: `db.meta cannot be read: ${meta.error.errno}`,
    });
    return;
  }
  if (meta.facts === null) {
    findings.add({ kind: "meta-missing", ...place, message: "db.meta is missing" });
    return;
  }
  if (!isPlainFile(meta, findings)) return;
  if (meta.fields === null) {
    const message = `db.meta is ${meta.facts.bytes} bytes long, it must be ${DB_META_BYTES}`;
    findings.add({ kind: "meta-size", ...place, message });
    return;
  }
  checkMetaFields(directory, meta.fields, findings);
}

function checkMetaFields(
  { routing }: DatabaseDirectory,
  fields: NonNullable<MetaLook["fields"]>,
  findings: FindingList,
): void {
  const place = { file: DB_META_FILE };
  if (fields.magic !== DB_META_MAGIC) {
    const found = JSON.stringify(fields.magic);
    findings.add({
      kind: "meta-magic",
      ...place,
      offset: 0,
      message: `db.meta begins with ${found}, not with "ARMD"`,
    });
  }
  if (fields.version !== DB_META_VERSION) {
    const message = `db.meta has version ${fields.version}, expected ${DB_META_VERSION}`;
    findings.add({ kind: "meta-version", ...place, offset: VERSION_OFFSET, message });
  }
  if (fields.backend !== BACKEND_FIXED_STORE) {
    const message = `db.meta names backend ${fields.backend}, expected ${BACKEND_FIXED_STORE} (FixedStore)`;
    findings.add({ kind: "meta-backend", ...place, offset: BACKEND_OFFSET, message });
  }
  if (fields.shardCount !== routing.shardCount) {
    const reason =
      routing.source === "keys" ? "the keys are spread over" : "there are directories for";
    const message = `db.meta says ${fields.shardCount} shards, ${reason} ${routing.shardCount}`;
    findings.add({ kind: "meta-shard-count", ...place, offset: SHARD_COUNT_OFFSET, message });
  }
  if (routing.source === "keys" && fields.shardPrefixBits !== routing.shardPrefixBits) {
    const message = `db.meta says shard_prefix_bits ${fields.shardPrefixBits}, the keys are routed by ${describeBits(routing.shardPrefixBits)}`;
    findings.add({ kind: "meta-prefix-bits", ...place, offset: PREFIX_BITS_OFFSET, message });
  }
  if (fields.flags !== 0 || !fields.reservedIsZero) {
    const what =
      fields.flags === 0 ? "the reserved bytes 9 to 15 are" : `the flags byte is ${fields.flags},`;
    findings.add({
      kind: "meta-reserved",
      ...place,
      offset: FLAGS_OFFSET,
      message: `db.meta: ${what} not zero`,
    });
  }
}

/** `the whole key` for 0, `12 bits` else. */
function describeBits(bits: number): string {
  return bits === 0 ? "the whole key (0)" : `the first ${bits} bits`;
}

/** A shard directory or fixed.data that is not there, or is something else. True when its file can be read. */
export function checkShardPresence(look: ShardLook, findings: FindingList): boolean {
  const { shard } = look;
  const file = `${look.name}/${SHARD_FILE}`;
  if (look.directory.facts === null && look.directory.error === null) {
    findings.add({
      kind: "shard-missing",
      shard,
      file: look.name,
      message: `${look.name} is missing`,
    });
    return false;
  }
  if (
    look.directory.facts !== null &&
    look.directory.facts.kind !== "directory" &&
    look.directory.facts.kind !== "symlink"
  ) {
    const message = `${look.name} is not a directory`;
    findings.add({ kind: "file-type", shard, file: look.name, message });
    return false;
  }
  const error = look.data.error ?? (look.data.facts === null ? look.directory.error : null);
  if (error !== null) {
    findings.add({
      kind: "unreadable",
      shard,
      file,
      message: `${file} cannot be read: ${error.errno}`,
    });
    return false;
  }
  if (look.data.facts === null) {
    findings.add({ kind: "shard-missing", shard, file, message: `${file} is missing` });
    return false;
  }
  return isPlainFile(look.data, findings, shard);
}

/** Adds file-type when a name is anything but a plain file. */
export function isPlainFile(
  look: FileLook,
  findings: FindingList,
  shard: number | null = null,
): boolean {
  if (look.facts === null || look.facts.kind === "file") return true;
  const what =
    look.facts.kind === "symlink"
      ? "a symbolic link"
      : look.facts.kind === "directory"
        ? "a directory"
        : "a device, socket or pipe";
  findings.add({
    kind: "file-type",
    shard,
    file: look.name,
    message: `${look.name} is ${what}, not a plain file`,
  });
  return false;
}
