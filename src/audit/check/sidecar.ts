// The sidecar of a clean shutdown: its length and trailer at a look, its crc where the crate would use it, and its words beside
// the slots (format.md: fixed.versions). Used by the checks of a shard, by scan/shard.ts and scan/block.ts. Reads it in order.

import { crc32 } from "node:zlib";
import { viewOf } from "../../bytes.ts";
import {
  isNewer,
  STATUS_FREE,
  STATUS_NAMES,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../format/slot.ts";
import { SIDECAR_FILE, type SidecarFault, sidecarBytes } from "../../format/versions-sidecar.ts";
import type { Disk, DiskError, DiskFile } from "../../io/disk.ts";
import type { ShardLook } from "../look/database-look.ts";
import { readUpTo, tryDisk, withFile } from "../look/file-look.ts";
import type { FindingList } from "../finding-list.ts";
import type { FindingDraft } from "../findings.ts";
import type { Part, Task } from "../task.ts";
import { isPlainFile } from "./meta.ts";

/**
 * none: there is none. valid: the crate will use it. stale: left behind, the clean flag is not set. invalid: the clean
 * flag is set and the sidecar cannot be used. unchecked: of the right length, and its crc is not known (cli.md: JSON, inspect).
 */
export type SidecarState = "none" | "valid" | "stale" | "invalid" | "unchecked";

export interface SidecarLook {
  readonly state: SidecarState;
  readonly fault: SidecarFault | null;
  readonly error: DiskError | null;
}

const READ_BYTES = 256 * 1024;

/** Looks at the sidecar of a shard: its length and its last eight bytes. One that the crate would use stays `unchecked`. */
export function lookAtSidecar(disk: Disk, look: ShardLook, slotCount: number): SidecarLook {
  if (look.sidecar.error !== null)
    return { state: "invalid", fault: null, error: look.sidecar.error };
  if (look.sidecar.facts === null) return { state: "none", fault: null, error: null };
  if (look.header?.cleanShutdown !== 1) return { state: "stale", fault: null, error: null };
  if (look.sidecar.facts.kind !== "file") return { state: "invalid", fault: null, error: null };
  const [fault, error] = tryDisk(() =>
    withFile(disk, look.sidecar.path, (file) => findFault(file, slotCount)),
  );
  const isUsable = fault === null && error === null;
  return { state: isUsable ? "unchecked" : "invalid", fault, error };
}

function findFault(file: DiskFile, slotCount: number): SidecarFault | null {
  const bytes = file.size();
  if (bytes !== sidecarBytes(slotCount)) return "size";
  const trailer = readUpTo(file, bytes - TRAILER_BYTES, TRAILER_BYTES);
  if (trailer.length < TRAILER_BYTES) return "size";
  return viewOf(trailer).getUint32(0, true) === slotCount ? null : "count";
}

/** Slot count and crc. */
const TRAILER_BYTES = 8;

/** What the whole of a sidecar came to: its crc is right, is wrong, or could not be read for this reason. */
export type SidecarCrc = "right" | "wrong" | { readonly reason: string };

/** Reads a sidecar from its first byte to its last. `passed` sees its words before they are known to be sound. */
export async function checkSidecarCrc(
  task: Task,
  part: Part,
  file: DiskFile,
  slotCount: number,
  passed: (words: Uint8Array) => void = () => {},
): Promise<SidecarCrc> {
  const crcOffset = sidecarBytes(slotCount) - 4;
  let crc = 0;
  for await (const chunk of task.chunks(part, file, 0, crcOffset)) {
    if (chunk.kind === "unreadable") return { reason: chunk.reason };
    crc = crc32(chunk.bytes, crc);
    passed(chunk.bytes.subarray(0, Math.max(0, slotCount * 4 - chunk.offset)));
  }
  const [stored, error] = tryDisk(() => readUpTo(file, crcOffset, 4));
  part.move(4);
  if (error !== null) return { reason: error.errno };
  if (stored.length < 4) return { reason: "it became shorter" };
  return viewOf(stored).getUint32(0, true) === crc ? "right" : "wrong";
}

/** Adds what the sidecar and the clean flag say about each other (format.md: For the verifier and the repairer). */
export function checkSidecarState(
  look: ShardLook,
  sidecar: SidecarLook,
  findings: FindingList,
): void {
  const isClean = look.header?.cleanShutdown === 1;
  const add = (draft: FindingDraft) =>
    findings.add({ shard: look.shard, file: `${look.name}/${SIDECAR_FILE}`, ...draft });
  if (sidecar.error !== null) {
    add({ kind: "unreadable", message: `the sidecar cannot be read: ${sidecar.error.errno}` });
    return;
  }
  if (!isPlainFile(look.sidecar, findings, look.shard)) return;
  switch (sidecar.state) {
    case "none":
      if (isClean)
        add({
          kind: "clean-flag-without-sidecar",
          message: "the header says clean shutdown, there is no sidecar",
        });
      return;
    case "stale":
      add({
        kind: "sidecar-stale",
        message: "the sidecar is left from an earlier clean close, the clean flag is not set",
      });
      return;
    case "invalid":
      add({
        kind: "sidecar-invalid",
        message: `the sidecar cannot be used: ${describeFault(sidecar.fault)}`,
      });
      return;
    case "valid":
    case "unchecked":
      return;
  }
}

/** Why a sidecar that the crate would look at cannot be used. */
export function describeFault(fault: SidecarFault | null): string {
  switch (fault) {
    case "size":
      return "its length does not fit the slot count";
    case "count":
      return "its slot count is not the header's";
    case "crc":
      return "its crc is wrong";
    case null:
      return "it is not a plain file";
  }
}

/** How a word of a sidecar in use relates to its slot. */
export type WordRelation =
  | "same"
  /** FREE in the sidecar, OCCUPIED on disk, one version: a torn slot or the loser of a doubled key. A note. */
  | "let-go"
  /** The slot is newer: the crate would hide the newer record. */
  | "older"
  /** The slot is older: a write was lost, or old bytes came back. */
  | "newer"
  /** One version, another status. */
  | "status";

/** Compares a sidecar's word with the slot's meta word. */
export function relateWord(word: number, meta: number): WordRelation {
  if (word === meta) return "same";
  const wordVersion = versionOf(word);
  const version = versionOf(meta);
  if (wordVersion !== version) return isNewer(version, wordVersion) ? "older" : "newer";
  return statusOf(word) === STATUS_FREE && statusOf(meta) === STATUS_OCCUPIED ? "let-go" : "status";
}

/** One sentence for a finding about a word. */
export function describeWord(relation: WordRelation, word: number, meta: number): string {
  const said = `${STATUS_NAMES[statusOf(word)]} version ${versionOf(word)}`;
  const held = `${STATUS_NAMES[statusOf(meta)]} version ${versionOf(meta)}`;
  const reason =
    relation === "older"
      ? "the slot was written after the close"
      : relation === "newer"
        ? "the slot is behind: a write was lost, or old bytes came back"
        : relation === "let-go"
          ? "a torn slot or the loser of a doubled key, let go at the last open"
          : "one of the two is wrong";
  return `the sidecar says ${said}, the slot is ${held}: ${reason}`;
}

/** Reads the words of a good sidecar in order, chunk by chunk, and ahead of them. */
export class SidecarReader {
  readonly #file: DiskFile;
  /** Those from `#first` on. */
  #words = new Uint32Array(0);
  #first = 0;
  #readBytes = 0;
  /** Why the last words could not be had. */
  reason = "";

  /** Throws DiskError. */
  constructor(disk: Disk, path: string) {
    this.#file = disk.open(path, "read");
  }

  /**
   * The words of `slots` slots from `first` on, valid until the next call; what comes before slot `end` is read with them.
   * Null: it ended early or cannot be read, `reason` says which.
   */
  read(first: number, slots: number, end = Infinity): Uint32Array | null {
    const start = first - this.#first;
    if (start >= 0 && start + slots <= this.#words.length)
      return this.#words.subarray(start, start + slots);
    const ahead = Math.min(READ_BYTES / 4, end - first);
    const bytes = new Uint8Array(4 * Math.max(ahead, slots));
    const [got, error] = tryDisk(() => this.#file.read(bytes, first * 4));
    this.#readBytes += got ?? 0;
    this.reason = error?.errno ?? "it became shorter";
    this.#words = new Uint32Array(bytes.buffer, 0, (got ?? 0) >> 2);
    this.#first = first;
    return this.#words.length < slots ? null : this.#words.subarray(0, slots);
  }

  /** Bytes that were read since it was last asked. */
  takeReadBytes(): number {
    const bytes = this.#readBytes;
    this.#readBytes = 0;
    return bytes;
  }

  close(): void {
    this.#file.close();
  }
}
