// The slots that are served: an interface, and its form over a directory on disk. The directory is opened for reading only
// and refused when a follower would be misled by it; single bad slots are no reason, the scan deals with them.

import { join } from "node:path";
import { ArmdbError } from "../errors.ts";
import { DB_META_BYTES, DB_META_FILE, dbMetaFault, decodeDbMeta } from "../format/db-meta.ts";
import { shardDirectory } from "../format/routing.ts";
import {
  decodeShardHeader,
  SHARD_FILE,
  SHARD_HEADER_BYTES,
  SHARD_VERSION_OLD,
  type ShardHeaderFields,
  shardFileBytes,
  shardHeaderFault,
  slotOffset,
} from "../format/shard-header.ts";
import { type SlotLayout, slotLayout } from "../format/slot.ts";
import type { Disk, DiskFile } from "../io/disk.ts";

/** What a leader needs of its data. */
export interface ServedDatabase {
  readonly shardCount: number;
  readonly shardPrefixBits: number;
  readonly layout: SlotLayout;
  /** Slots of a shard now. */
  slotCount(shard: number): number;
  /**
   * Fills `into`, a multiple of the slot size, with the slots from `firstSlot` on. Throws ArmdbError when they cannot
   * be read.
   */
  readSlots(shard: number, firstSlot: number, into: Uint8Array): void;
}

/** A database directory, opened for reading until `close`. */
export class ServedDirectory implements ServedDatabase {
  readonly path: string;
  readonly shardCount: number;
  readonly shardPrefixBits: number;
  readonly layout: SlotLayout;
  readonly #shards: readonly ServedShard[];

  private constructor(path: string, shardPrefixBits: number, shards: readonly ServedShard[]) {
    this.path = path;
    this.shardCount = shards.length;
    this.shardPrefixBits = shardPrefixBits;
    const { keyLen, valueLen } = (shards[0] as ServedShard).header;
    this.layout = slotLayout(keyLen, valueLen);
    this.#shards = shards;
  }

  /**
   * Opens and checks db.meta and every header. Throws `no-database`, `incompatible` (another format) or `damaged`
   * (a file that does not fit the rest).
   */
  static open(disk: Disk, path: string): ServedDirectory {
    const meta = readMeta(disk, path);
    const shards: ServedShard[] = [];
    try {
      for (let shard = 0; shard < meta.shardCount; shard++) {
        shards.push(openShard(disk, path, shard, shards[0]?.header ?? null));
      }
    } catch (thrown) {
      for (const { file } of shards) file.close();
      throw thrown;
    }
    return new ServedDirectory(path, meta.shardPrefixBits, shards);
  }

  /** The header of a shard as it stands on disk now; null when it cannot be one any more. */
  headerNow(shard: number): ShardHeaderFields | null {
    return readHeader(this.#shard(shard).file);
  }

  slotCount(shard: number): number {
    return this.#shard(shard).header.slotCount;
  }

  readSlots(shard: number, firstSlot: number, into: Uint8Array): void {
    const { file, header } = this.#shard(shard);
    const read = file.read(into, slotOffset(firstSlot, header.slotSize));
    if (read < into.length) throw shortFile(file.path, shard, header.slotCount, file.size());
  }

  /** Path of a shard's file. */
  filePath(shard: number): string {
    return this.#shard(shard).file.path;
  }

  close(): void {
    for (const { file } of this.#shards) file.close();
  }

  #shard(shard: number): ServedShard {
    const found = this.#shards[shard];
    if (found === undefined) throw new RangeError(`Shard number out of range: ${shard}`);
    return found;
  }
}

interface ServedShard {
  readonly file: DiskFile;
  readonly header: ShardHeaderFields;
}

function readMeta(disk: Disk, path: string): { shardCount: number; shardPrefixBits: number } {
  const metaPath = join(path, DB_META_FILE);
  const facts = disk.facts(path);
  if (facts === null || facts.kind === "file" || disk.facts(metaPath) === null) {
    const why = facts === null ? "there is no such directory" : `it has no ${DB_META_FILE}`;
    throw new ArmdbError("no-database", `"${path}" is no database: ${why}`, {
      path,
      hint: `ls -l "${path}", then name the directory that holds ${DB_META_FILE}`,
    });
  }
  const file = disk.open(metaPath, "read");
  try {
    const bytes = new Uint8Array(DB_META_BYTES + 1);
    const meta = decodeDbMeta(bytes.subarray(0, file.read(bytes, 0)));
    const fault = dbMetaFault(meta);
    if (meta !== null && fault === null) return meta;
    const code = fault === "version" || fault === "backend" ? "incompatible" : "damaged";
    const found = meta === null ? "its length is not 16 bytes" : `its ${fault} is not ours`;
    throw new ArmdbError(code, `Cannot serve "${path}": ${DB_META_FILE} is wrong, ${found}`, {
      path: metaPath,
      offset: 0,
      hint: `armdb verify "${path}"`,
    });
  } finally {
    file.close();
  }
}

function openShard(
  disk: Disk,
  path: string,
  shard: number,
  first: ShardHeaderFields | null,
): ServedShard {
  const filePath = join(path, shardDirectory(shard), SHARD_FILE);
  if (disk.facts(filePath) === null) {
    throw damaged(
      path,
      filePath,
      shard,
      "there is no such file, and a crate would create it empty",
    );
  }
  const file = disk.open(filePath, "read");
  try {
    const header = readHeader(file);
    checkHeader(path, filePath, shard, header, first);
    const size = file.size();
    if (size < shardFileBytes(header.slotCount, header.slotSize)) {
      throw shortFile(filePath, shard, header.slotCount, size);
    }
    return { file, header };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

function readHeader(file: DiskFile): ShardHeaderFields | null {
  const bytes = new Uint8Array(SHARD_HEADER_BYTES);
  return decodeShardHeader(bytes.subarray(0, file.read(bytes, 0)));
}

function checkHeader(
  path: string,
  filePath: string,
  shard: number,
  header: ShardHeaderFields | null,
  first: ShardHeaderFields | null,
): asserts header is ShardHeaderFields {
  if (header === null) throw damaged(path, filePath, shard, "it is shorter than its header");
  if (header.version === SHARD_VERSION_OLD) {
    throw new ArmdbError("incompatible", `Cannot serve "${path}": its files are of version 1`, {
      path: filePath,
      shard,
      offset: 4,
      hint: "crates 0.1.7 to 0.1.12 wrote it and had no replication: export it with that crate",
    });
  }
  const fault = shardHeaderFault(header);
  if (fault !== null) throw damaged(path, filePath, shard, `the ${fault} in its header is wrong`);
  if (header.shardId !== shard) {
    throw damaged(path, filePath, shard, `its header says that it is shard ${header.shardId}`);
  }
  if (first === null) return;
  if (header.keyLen !== first.keyLen || header.valueLen !== first.valueLen) {
    const lengths = `${header.keyLen} and ${header.valueLen} bytes`;
    throw damaged(path, filePath, shard, `its keys and values have ${lengths}, unlike shard 0's`);
  }
}

function damaged(path: string, filePath: string, shard: number, why: string): ArmdbError {
  return new ArmdbError("damaged", `Cannot serve "${path}", "${filePath}" is damaged: ${why}`, {
    path: filePath,
    shard,
    hint: `armdb verify "${path}"`,
  });
}

function shortFile(path: string, shard: number, slotCount: number, bytes: number): ArmdbError {
  const what = `"${path}" is damaged: ${bytes} bytes cannot hold the ${slotCount} slots of its header`;
  return new ArmdbError("damaged", what, { path, shard, hint: "armdb verify on that directory" });
}
