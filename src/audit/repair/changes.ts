// The changes that a repair is made of, down to bytes: what the journal saves, what is applied, what undo takes back. Pure.
// Promises: a change names its file by kind and shard, never by a path, so that no journal can point out of the database
// directory; applied twice a change gives the same bytes.

import { CURSOR_FILE } from "../../format/cursor.ts";
import { DB_META_FILE } from "../../format/db-meta.ts";
import { shardDirectory } from "../../format/routing.ts";
import { RESTORED_FILE, SHARD_FILE, SHARD_NEW_FILE } from "../../format/shard-header.ts";
import { SIDECAR_FILE, SIDECAR_TEMP_FILE } from "../../format/versions-sidecar.ts";

/** In the order of their numbers in a journal. */
export const PLACE_KINDS = [
  "root",
  "meta",
  "shard",
  "data",
  "new-data",
  "sidecar",
  "sidecar-temp",
  "cursor",
  "restored",
] as const;
export type PlaceKind = (typeof PLACE_KINDS)[number];

/** A file or directory of a database. `shard` is 0 for `root` and `meta`. */
export interface Place {
  readonly kind: PlaceKind;
  readonly shard: number;
}

export const ROOT: Place = { kind: "root", shard: 0 };
export const META: Place = { kind: "meta", shard: 0 };

/** The name of a place below the database directory: `shard_000/fixed.data`; empty for the directory itself. */
export function placeName({ kind, shard }: Place): string {
  switch (kind) {
    case "root":
      return "";
    case "meta":
      return DB_META_FILE;
    case "shard":
      return shardDirectory(shard);
    case "data":
      return `${shardDirectory(shard)}/${SHARD_FILE}`;
    case "new-data":
      return `${shardDirectory(shard)}/${SHARD_NEW_FILE}`;
    case "sidecar":
      return `${shardDirectory(shard)}/${SIDECAR_FILE}`;
    case "sidecar-temp":
      return `${shardDirectory(shard)}/${SIDECAR_TEMP_FILE}`;
    case "cursor":
      return `${shardDirectory(shard)}/${CURSOR_FILE}`;
    case "restored":
      return `${shardDirectory(shard)}/${RESTORED_FILE}`;
  }
}

export function placePath(root: string, place: Place): string {
  return place.kind === "root" ? root : `${root}/${placeName(place)}`;
}

/** The directory that a place lies in. */
export function parentOf({ kind, shard }: Place): Place {
  return kind === "root" || kind === "meta" || kind === "shard" ? ROOT : { kind: "shard", shard };
}

export function isSamePlace(left: Place, right: Place): boolean {
  return left.kind === right.kind && left.shard === right.shard;
}

/** Owner and mode that a removed file had, or a created one gets; uid null: those of this process. */
export interface FileAttributes {
  readonly uid: number | null;
  readonly gid: number;
  readonly mode: number;
}

export type Change =
  /** `before` and `after` are equally long. Past the end of the file `before` is zeros. */
  | {
      readonly kind: "write";
      readonly place: Place;
      readonly offset: number;
      readonly before: Uint8Array;
      readonly after: Uint8Array;
    }
  /** A new length. What is cut off was written to zeros by changes before this one, so that it is saved. */
  | {
      readonly kind: "resize";
      readonly place: Place;
      readonly bytesBefore: number;
      readonly bytesAfter: number;
    }
  /** The whole contents are saved when the journal is written. */
  | { readonly kind: "remove"; readonly place: Place; readonly bytes: number }
  /** An empty file that was not there. */
  | { readonly kind: "create"; readonly place: Place; readonly attributes: FileAttributes }
  | { readonly kind: "make-directory"; readonly place: Place; readonly attributes: FileAttributes }
  /** Puts what the source has of this shard into `new-data`; only with a source. Undone by removing the file. */
  | { readonly kind: "fill"; readonly shard: number }
  /** `new-data` becomes `data`, which is not there. */
  | { readonly kind: "rename-new"; readonly shard: number }
  /** fdatasync of a file: what comes later may rely on it. */
  | { readonly kind: "sync"; readonly place: Place }
  /** fsync of a directory. */
  | { readonly kind: "sync-directory"; readonly place: Place };

/** What a step does, in the words of the plan. */
export type StepKind =
  | "db-meta"
  | "header"
  | "header-field"
  | "clean-flag"
  | "file-extend"
  | "sidecar-remove"
  | "slot-never-used"
  | "slot-free"
  | "slot-restore"
  | "slot-delete"
  | "cursor"
  | "shard-create";

/** One line of the plan with the changes it stands for. */
export interface Step {
  readonly kind: StepKind;
  readonly shard: number | null;
  readonly slot: number | null;
  /** What is done and why, one sentence. */
  readonly message: string;
  /** In the order in which they are made; syncs are between them. */
  readonly changes: readonly Change[];
}

/** A write of the bytes in which `before` and `after` differ, from the first to the last; null when they are equal. */
export function writeOfDifference(
  place: Place,
  offset: number,
  before: Uint8Array,
  after: Uint8Array,
): Change | null {
  let first = 0;
  while (first < after.length && before[first] === after[first]) first++;
  if (first === after.length) return null;
  let end = after.length;
  while (before[end - 1] === after[end - 1]) end--;
  return {
    kind: "write",
    place,
    offset: offset + first,
    before: before.slice(first, end),
    after: after.slice(first, end),
  };
}
