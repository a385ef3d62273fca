// Writes the undo journal of a repair: all changes, with what they replace, durable with its name before this returns.
// Used by repair/repair.ts under the exclusive lock. Promises: exclusive create; every `before` is what the files hold at
// this moment (else the plan is out of date and nothing happens); a journal that could not be finished is removed.

import { ArmdbError } from "../../errors.ts";
import { equalBytes } from "../../bytes.ts";
import { type Disk, DiskError, type DiskFile } from "../../io/disk.ts";
import {
  encodeEntry,
  encodeJournalHeader,
  type FilledEntry,
  JOURNAL_HEADER_BYTES,
  type JournalEntry,
  journalFile,
  PIECE_BYTES_MAX,
} from "./journal-format.ts";
import {
  type Change,
  type FileAttributes,
  isSamePlace,
  type Place,
  placeName,
  placePath,
} from "./changes.ts";
import { OpenFiles, readPadded } from "./files.ts";

const BUFFER_BYTES = 1024 * 1024;
/** Two repairs within one millisecond: the name of the second is moved on. */
const NAME_TRIES_MAX = 100;

/** A journal that is durable, and to which is added what only carrying it out shows. */
export class WrittenJournal {
  readonly path: string;
  readonly #disk: Disk;
  #offset: number;
  #sequence: number;

  constructor(disk: Disk, path: string, offset: number, sequence: number) {
    this.path = path;
    this.#disk = disk;
    this.#offset = offset;
    this.#sequence = sequence;
  }

  /** Durable when it returns. */
  noteFilled(filled: Omit<FilledEntry, "kind">): void {
    const entry = encodeEntry({ kind: "filled", ...filled }, this.#sequence++);
    const file = this.#disk.open(this.path, "write");
    try {
      file.write(entry, this.#offset);
      file.sync();
    } finally {
      file.close();
    }
    this.#offset += entry.length;
  }
}

/** Saves `changes`. */
export function writeJournal(
  disk: Disk,
  root: string,
  changes: readonly Change[],
  attributes: FileAttributes,
  wallMs: number,
): WrittenJournal {
  const files = new OpenFiles(disk, root, "read");
  try {
    const removed = changes.flatMap((change) => (change.kind === "remove" ? [change.place] : []));
    const isRemoved = (place: Place) => removed.some((each) => isSamePlace(each, place));
    for (const change of changes) checkBefore(disk, root, files, change, isRemoved);
    const file = createJournal(disk, root, attributes, wallMs);
    let writer: EntryWriter;
    try {
      writer = writeAll(disk, root, files, changes, file, wallMs);
      file.sync();
    } catch (thrown) {
      file.close();
      removeUnfinished(disk, file.path);
      throw thrown;
    }
    file.close();
    disk.syncDirectory(root);
    return new WrittenJournal(disk, file.path, writer.offset, writer.sequence);
  } finally {
    files.close();
  }
}

function createJournal(
  disk: Disk,
  root: string,
  { uid, gid, mode }: FileAttributes,
  wallMs: number,
): DiskFile {
  for (let tries = 0; ; tries++) {
    try {
      // Nobody but the owner may read what was in the database, whatever db.meta allows.
      const file = disk.open(`${root}/${journalFile(wallMs + tries)}`, "create", 0o600 & mode);
      if (uid !== null) file.own(uid, gid, 0o600 & mode);
      return file;
    } catch (thrown) {
      const isTaken = thrown instanceof DiskError && thrown.errno === "EEXIST";
      if (!isTaken || tries >= NAME_TRIES_MAX) throw thrown;
    }
  }
}

/** Nothing was changed yet; a journal without an end is of no use to anybody. */
function removeUnfinished(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
  }
}

function writeAll(
  disk: Disk,
  root: string,
  files: OpenFiles,
  changes: readonly Change[],
  journal: DiskFile,
  wallMs: number,
): EntryWriter {
  const writer = new EntryWriter(journal, wallMs);
  for (const change of changes) {
    if (change.kind === "remove") addRemoval(disk, root, files, change, writer);
    else writer.add(change);
  }
  writer.add({ kind: "end" });
  writer.flush();
  return writer;
}

function addRemoval(
  disk: Disk,
  root: string,
  files: OpenFiles,
  change: Extract<Change, { kind: "remove" }>,
  writer: EntryWriter,
): void {
  const { place, bytes } = change;
  const facts = disk.facts(placePath(root, place));
  const file = files.at(place);
  if (facts === null || file === null) throw outOfDate(root, change);
  const { uid, gid, mode } = facts;
  writer.add({ kind: "remove", place, bytes, attributes: { uid, gid, mode } });
  for (let offset = 0; offset < bytes; offset += PIECE_BYTES_MAX) {
    const before = new Uint8Array(Math.min(PIECE_BYTES_MAX, bytes - offset));
    if (file.read(before, offset) < before.length) throw outOfDate(root, change);
    writer.add({ kind: "contents", place, offset, before });
  }
}

/** Collects entries and writes them in large pieces. */
class EntryWriter {
  readonly #file: DiskFile;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;
  #offset = JOURNAL_HEADER_BYTES;
  #sequence = 0;

  constructor(file: DiskFile, wallMs: number) {
    this.#file = file;
    file.write(encodeJournalHeader(wallMs), 0);
  }

  /** Where the next entry goes, once everything was flushed. */
  get offset(): number {
    return this.#offset;
  }

  get sequence(): number {
    return this.#sequence;
  }

  add(entry: JournalEntry): void {
    const bytes = encodeEntry(entry, this.#sequence++);
    if (this.#used + bytes.length > this.#buffer.length) this.flush();
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    this.#file.write(this.#buffer.subarray(0, this.#used), this.#offset);
    this.#offset += this.#used;
    this.#used = 0;
  }
}

/** Throws when the files are not what the plan was made for. `isRemoved`: by this plan itself, before it is looked at. */
function checkBefore(
  disk: Disk,
  root: string,
  files: OpenFiles,
  change: Change,
  isRemoved: (place: Place) => boolean,
): void {
  const isRight = () => {
    switch (change.kind) {
      case "write": {
        const { place, offset, before } = change;
        return equalBytes(readPadded(files.at(place), offset, before.length), before);
      }
      case "resize":
        // A file that this plan creates is not there yet.
        return (files.at(change.place)?.size() ?? 0) === change.bytesBefore;
      case "remove":
        return files.at(change.place)?.size() === change.bytes;
      case "create":
        return change.place.kind === "new-data" || isAbsent(disk, root, change.place);
      case "make-directory":
        return isAbsent(disk, root, change.place);
      case "rename-new": {
        const place = { kind: "data", shard: change.shard } as const;
        return isRemoved(place) || isAbsent(disk, root, place);
      }
      case "fill":
      case "sync":
      case "sync-directory":
        return true;
    }
  };
  if (!isRight()) throw outOfDate(root, change);
}

function isAbsent(disk: Disk, root: string, place: Place): boolean {
  return disk.facts(placePath(root, place)) === null;
}

function outOfDate(root: string, change: Change): ArmdbError {
  const name = "place" in change ? placeName(change.place) : `shard ${change.shard}`;
  return new ArmdbError(
    "unknown",
    `Cannot repair "${root}": ${name} has changed since it was read; nothing was written`,
    { path: root, hint: "armdb repair again, when no other program writes there" },
  );
}
