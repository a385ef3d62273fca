// The sidecar of a clean shutdown against its shard, word by word (format.md: fixed.versions). Used by scan/shard.ts, which
// feeds it the meta words of each chunk. Promises: reads the sidecar in order, 256 KiB at a time, opens nothing else.

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
import { tryDisk, withFile } from "../look/file-look.ts";
import type { FindingDraft, FindingList } from "../findings.ts";
import { isPlainFile } from "./meta.ts";

/**
 * none: there is none. valid: the crate will use it. stale: left behind, the clean flag is not set. invalid: the clean
 * flag is set and the sidecar cannot be used (cli.md: JSON, inspect).
 */
export type SidecarState = "none" | "valid" | "stale" | "invalid";

export interface SidecarLook {
  readonly state: SidecarState;
  readonly fault: SidecarFault | null;
  readonly error: DiskError | null;
}

const READ_BYTES = 256 * 1024;

/** Looks at the sidecar of a shard: size, count and crc. Its words are for `passed`, piece by piece, before all is known to be sound. */
export function lookAtSidecar(
  disk: Disk,
  look: ShardLook,
  slotCount: number,
  passed: (words: Uint8Array) => void = () => {},
): SidecarLook {
  if (look.sidecar.error !== null)
    return { state: "invalid", fault: null, error: look.sidecar.error };
  if (look.sidecar.facts === null) return { state: "none", fault: null, error: null };
  const isClean = look.header?.cleanShutdown === 1;
  if (look.sidecar.facts.kind !== "file")
    return { state: isClean ? "invalid" : "stale", fault: null, error: null };
  const [fault, error] = tryDisk(() =>
    withFile(disk, look.sidecar.path, (file) => findFault(file, slotCount, passed)),
  );
  if (error !== null) return { state: "invalid", fault: null, error };
  return { state: !isClean ? "stale" : fault === null ? "valid" : "invalid", fault, error: null };
}

/** Checks a whole sidecar in pieces: a sidecar of 4 GiB needs no memory. */
function findFault(
  file: DiskFile,
  slotCount: number,
  passed: (words: Uint8Array) => void,
): SidecarFault | null {
  const bytes = file.size();
  if (bytes !== sidecarBytes(slotCount)) return "size";
  const buffer = new Uint8Array(Math.min(READ_BYTES, bytes));
  const crcOffset = bytes - 4;
  let crc = 0;
  for (let at = 0; at < crcOffset; at += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, crcOffset - at));
    if (file.read(part, at) < part.length) return "size";
    crc = crc32(part, crc);
    passed(part.subarray(0, Math.max(0, slotCount * 4 - at)));
  }
  const trailer = new Uint8Array(8);
  if (file.read(trailer, bytes - 8) < 8) return "size";
  const view = viewOf(trailer);
  if (view.getUint32(0, true) !== slotCount) return "count";
  return view.getUint32(4, true) === crc ? null : "crc";
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
      return;
  }
}

function describeFault(fault: SidecarFault | null): string {
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

  /** Throws DiskError. */
  constructor(disk: Disk, path: string) {
    this.#file = disk.open(path, "read");
  }

  /** The words of `slots` slots from `first` on, valid until the next call. Null: it ended early. Throws DiskError. */
  read(first: number, slots: number): Uint32Array | null {
    const start = first - this.#first;
    if (start >= 0 && start + slots <= this.#words.length)
      return this.#words.subarray(start, start + slots);
    const bytes = new Uint8Array(Math.max(READ_BYTES, slots * 4));
    const got = this.#file.read(bytes, first * 4);
    this.#words = new Uint32Array(bytes.buffer, 0, got >> 2);
    this.#first = first;
    return this.#words.length < slots ? null : this.#words.subarray(0, slots);
  }

  close(): void {
    this.#file.close();
  }
}
