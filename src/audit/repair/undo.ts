// `armdb repair DIR --undo JOURNAL`: puts back, byte for byte, what a repair had changed, whether the repair ended or
// died on the way. Used by the command under the exclusive lock. Promises: looks at everything before it changes anything, and
// refuses when the files hold neither what was before the repair nor what the repair wrote; may be killed and run again.

import { ArmdbError } from "../../errors.ts";
import { equalBytes } from "../../bytes.ts";
import type { Disk } from "../../io/disk.ts";
import type { JournalEntry } from "./journal-format.ts";
import { JournalReader } from "./journal-reader.ts";
import { createFile } from "./apply.ts";
import { type FileAttributes, parentOf, type Place, placeName, placePath } from "./changes.ts";
import { OpenFiles, readPadded } from "./files.ts";

/** What undo needs of the disk beside `Disk`. */
export interface UndoTools {
  readonly disk: Disk;
  /** rmdir; only ever called for a shard directory that a repair had made. */
  removeDirectory(path: string): void;
}

export interface UndoReport {
  /** Unix ms; 0 when the journal was cut before that was written. */
  readonly repairedAtMs: number;
  /** Places that differed from before the repair and were put back. */
  readonly putBack: number;
}

/** Takes a repair back. Throws `usage`, `damaged` (the journal) and `unknown` (the files have changed since). */
export function undoRepair(
  tools: UndoTools,
  root: string,
  journalPath: string,
  force: boolean,
): UndoReport {
  const journal = JournalReader.open(tools.disk, journalPath);
  try {
    const undo = new Undo(tools, root, journal, force);
    const state = undo.look();
    if (!journal.isComplete) refuseCutAfterChanges(journal, state);
    if (state.foreign.length > 0 && !force) throw changedSince(root, state.foreign);
    if (journal.isComplete) undo.run();
    return { repairedAtMs: journal.wallMs, putBack: state.changed };
  } finally {
    journal.close();
  }
}

/** What the files hold, seen from a journal. */
interface UndoState {
  /** Entries whose place is not as before the repair. */
  readonly changed: number;
  /** Names of places that hold neither the bytes from before nor those of the repair. */
  readonly foreign: readonly string[];
}

class Undo {
  readonly #disk: Disk;
  readonly #removeDirectory: (path: string) => void;
  readonly #root: string;
  readonly #journal: JournalReader;
  /** What stands where a removed file was is replaced, whatever it is. */
  readonly #force: boolean;

  constructor(
    { disk, removeDirectory }: UndoTools,
    root: string,
    journal: JournalReader,
    force: boolean,
  ) {
    this.#force = force;
    this.#disk = disk;
    this.#removeDirectory = removeDirectory;
    this.#root = root;
    this.#journal = journal;
  }

  look(): UndoState {
    const files = new OpenFiles(this.#disk, this.#root, "read");
    const foreign = new Set<string>();
    let changed = 0;
    /** True while the contents of a removed file are compared with the file that stands there again. */
    let isBack = false;
    /** Lengths of the files that a shard that was filled anew had before. */
    const removedBytes = new Map<number, number>();
    try {
      for (let index = 0; index < this.#journal.length; index++) {
        const entry = this.#journal.at(index);
        if (entry.kind === "remove") {
          const bytes = files.at(entry.place)?.size() ?? null;
          isBack = bytes === entry.bytes;
          if (bytes === null) changed++;
          // Where a shard was filled anew, its new file stands in place of the removed one: see rename-new.
          else if (!isBack && entry.place.kind !== "data") foreign.add(placeName(entry.place));
          if (entry.place.kind === "data") removedBytes.set(entry.place.shard, entry.bytes);
          continue;
        }
        if (entry.kind === "rename-new") {
          const bytes = files.at({ kind: "data", shard: entry.shard })?.size();
          if (bytes !== removedBytes.get(entry.shard)) changed++;
          continue;
        }
        if (entry.kind === "contents" && !isBack) continue;
        const state = this.#stateOf(files, entry);
        if (state !== "before") changed++;
        if (state === "foreign" && "place" in entry) foreign.add(placeName(entry.place));
      }
    } finally {
      files.close();
    }
    return { changed, foreign: [...foreign] };
  }

  #stateOf(files: OpenFiles, entry: JournalEntry): "before" | "after" | "foreign" {
    switch (entry.kind) {
      case "write": {
        const now = readPadded(files.at(entry.place), entry.offset, entry.before.length);
        if (equalBytes(now, entry.before)) return "before";
        return equalBytes(now, entry.after) ? "after" : "foreign";
      }
      case "resize": {
        const bytes = files.at(entry.place)?.size() ?? entry.bytesBefore;
        if (bytes === entry.bytesBefore) return "before";
        return bytes === entry.bytesAfter ? "after" : "foreign";
      }
      case "contents": {
        const now = readPadded(files.at(entry.place), entry.offset, entry.before.length);
        return equalBytes(now, entry.before) ? "before" : "foreign";
      }
      case "create":
      case "make-directory":
        return this.#isThere(entry.place) ? "after" : "before";
      case "remove":
      case "rename-new":
      case "fill":
      case "sync":
      case "sync-directory":
      case "end":
        return "before";
    }
  }

  /** Takes the changes back, the last one first. The syncs between them hold the same order the other way round. */
  run(): void {
    const files = new OpenFiles(this.#disk, this.#root, "write");
    try {
      for (let index = this.#journal.length - 1; index >= 0; index--) {
        const entry = this.#journal.at(index);
        if (entry.kind === "remove") this.#restore(files, index, entry.place, entry.attributes);
        else this.#takeBack(files, entry);
      }
      this.#syncAll(files);
    } finally {
      files.close();
    }
  }

  /** A rename is taken back by removing the file: what was there before comes from the journal. */
  #takeBack(files: OpenFiles, entry: Exclude<JournalEntry, { kind: "remove" }>): void {
    switch (entry.kind) {
      case "write":
        files.at(entry.place)?.write(entry.before, entry.offset);
        return;
      case "resize":
        files.at(entry.place)?.truncate(entry.bytesBefore);
        return;
      case "create":
        return this.#removeFile(files, entry.place);
      case "make-directory":
        return this.#removeMade(files, entry.place);
      case "rename-new":
        return this.#removeFile(files, { kind: "data", shard: entry.shard });
      case "sync":
        files.at(entry.place)?.syncData();
        return;
      case "sync-directory":
        if (this.#isThere(entry.place))
          this.#disk.syncDirectory(placePath(this.#root, entry.place));
        return;
      case "contents":
      case "fill":
      case "end":
        return;
    }
  }

  #removeFile(files: OpenFiles, place: Place): void {
    files.close();
    if (!this.#isThere(place)) return;
    this.#disk.remove(placePath(this.#root, place));
    this.#disk.syncDirectory(placePath(this.#root, parentOf(place)));
  }

  #removeMade(files: OpenFiles, place: Place): void {
    files.close();
    if (!this.#isThere(place)) return;
    this.#removeDirectory(placePath(this.#root, place));
    this.#disk.syncDirectory(this.#root);
  }

  /** A removed file comes back whole or not at all: temp file, fsync, rename. */
  #restore(files: OpenFiles, index: number, place: Place, attributes: FileAttributes): void {
    files.close();
    if (this.#isThere(place) && !this.#force) return;
    const temp: Place = { kind: "sidecar-temp", shard: place.shard };
    createFile(this.#disk, this.#root, files, temp, attributes);
    const file = this.#disk.open(placePath(this.#root, temp), "write");
    try {
      for (let next = index + 1; next < this.#journal.length; next++) {
        const entry = this.#journal.at(next);
        if (entry.kind !== "contents") break;
        file.write(entry.before, entry.offset);
      }
      file.sync();
    } finally {
      file.close();
    }
    this.#disk.rename(placePath(this.#root, temp), placePath(this.#root, place));
    this.#disk.syncDirectory(placePath(this.#root, parentOf(place)));
  }

  /** What was written after the last sync on the way back. */
  #syncAll(files: OpenFiles): void {
    for (let index = 0; index < this.#journal.length; index++) {
      const entry = this.#journal.at(index);
      if (entry.kind === "sync") files.at(entry.place)?.sync();
    }
  }

  #isThere(place: Place): boolean {
    return this.#disk.facts(placePath(this.#root, place)) !== null;
  }
}

/** A journal that lost its end although changes had been made cannot put everything back. */
function refuseCutAfterChanges(journal: JournalReader, state: UndoState): void {
  if (state.changed === 0) return;
  throw new ArmdbError(
    "damaged",
    `Cannot undo by "${journal.path}": its end is missing, and changes it speaks of have been made`,
    { path: journal.path, hint: "a copy of the journal, if there is one; else armdb verify DIR" },
  );
}

function changedSince(root: string, foreign: readonly string[]): ArmdbError {
  const listed = foreign.slice(0, 5).join(", ");
  const more = foreign.length > 5 ? ` and ${foreign.length - 5} more` : "";
  return new ArmdbError(
    "unknown",
    `Cannot undo in "${root}": ${listed}${more} changed after the repair; nothing was put back`,
    {
      path: root,
      hint: "undo the newest journal first (ls -t DIR/armdb-undo-*.journal); --force overwrites what came after",
    },
  );
}
