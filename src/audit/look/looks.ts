// What a look at db.meta and at one shard directory gives: plain facts, judged by nobody yet. Made by look/database-look.ts.

import type { DbMetaFault, DbMetaFields } from "../../format/db-meta.ts";
import type { ShardHeaderFault, ShardHeaderFields } from "../../format/shard-header.ts";
import type { FileLook, FileStart } from "./file-look.ts";

/** db.meta as found. */
export interface MetaLook extends FileStart {
  /** Null: not there, or not 16 bytes. */
  readonly fields: DbMetaFields | null;
  /** Null also when there is no db.meta to find fault with. */
  readonly fault: DbMetaFault | null;
}

/** One shard directory as found; also made for a shard that should be there and is not. */
export interface ShardLook {
  readonly shard: number;
  /** `shard_000`. */
  readonly name: string;
  readonly directory: FileLook;
  /** Names in the shard directory; empty when there is none or it cannot be listed (`directory.error`). */
  readonly entries: readonly string[];
  /** fixed.data with its first 4096 bytes. */
  readonly data: FileStart;
  /** Length of fixed.data, 0 when there is none. */
  readonly fileBytes: number;
  /** Null when fewer than 4096 bytes are there. */
  readonly header: ShardHeaderFields | null;
  /** What is wrong inside this header by itself; null also when there is no header. */
  readonly headerFault: ShardHeaderFault | null;
  readonly sidecar: FileLook;
  /** fixed_repl.cursor with at most its first 41 bytes (41 shows that it is longer). */
  readonly cursor: FileStart;
}
