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
import { type FilledState, filledShards } from "./filled-shards.ts";
import type { Task } from "../task.ts";

/** What undo needs of the disk beside `Disk`. */
export interface UndoTools {
  readonly disk: Disk;
  /** rmdir; only ever called for a shard directory that a repair had made. */
  removeDirectory(path: string): void;
  warn(text: string): void;
}

export interface UndoReport {
  /** Unix ms; 0 when the journal was cut before that was written. */
  readonly repairedAtMs: number;
  /** Places that differed from before the repair and were put back. */
  readonly putBack: number;
}

/** Takes a repair back. Throws `usage`, `damaged` (the journal) and `unknown` (the files have changed since). */
export async function undoRepair(
  tools: UndoTools,
  root: string,
  journalPath: string,
  force: boolean,
  task: Task,
): Promise<UndoReport> {
  const journal = JournalReader.open(tools.disk, journalPath);
  try {
    const filled = await filledShards(tools.disk, root, journal, task);
    const undo = new Undo(tools, root, journal, filled, force);
    const state = undo.look();
    if (!journal.isComplete) refuseCutAfterChanges(journal, state);
    if (state.foreign.length > 0 && !force) throw changedSince(root, state.foreign);
    for (const name of state.foreign) {
      tools.warn(`${name} changed after the repair: --force puts back what was there before it`);
    }
    if (journal.isComplete) undo.run();
    return { repairedAtMs: journal.wallMs, putBack: state.changed };
  } finally {
    journal.close();
  }
}

/** A place is as before the repair, as the repair made it, or as neither. */
type EntryState = "before" | "after" | "foreign";

/** Where an entry changed something; a shard that is filled gets its data file. */
function placeOfEntry(entry: JournalEntry): Place {
  return "place" in entry
    ? entry.place
    : { kind: "data", shard: "shard" in entry ? entry.shard : 0 };
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
  readonly #filled: ReadonlyMap<number, FilledState>;
  /** What stands where a removed file was is replaced, whatever it is. */
  readonly #force: boolean;

  constructor(
    { disk, removeDirectory }: UndoTools,
    root: string,
    journal: JournalReader,
    filled: ReadonlyMap<number, FilledState>,
    force: boolean,
  ) {
    this.#force = force;
    this.#filled = filled;
    this.#disk = disk;
    this.#removeDirectory = removeDirectory;
    this.#root = root;
    this.#journal = journal;
  }

  look(): UndoState {
    const files = new OpenFiles(this.#disk, this.#root, "read");
    const foreign = new Set<string>();
    let changed = 0;
    /** Of the removed file whose contents come next. */
    let removed: EntryState = "before";
    try {
      for (let index = 0; index < this.#journal.length; index++) {
        const entry = this.#journal.at(index);
        if (entry.kind === "contents" && removed !== "before") continue;
        const state = this.#stateOf(files, entry);
        if (entry.kind === "remove") removed = state;
        if (state !== "before") changed++;
        if (state === "foreign") foreign.add(placeName(placeOfEntry(entry)));
      }
    } finally {
      files.close();
    }
    return { changed, foreign: [...foreign] };
  }

  #stateOf(files: OpenFiles, entry: JournalEntry): EntryState {
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
        return this.#removedState(files, entry);
      case "rename-new":
        return this.#renamedState(entry.shard);
      case "fill":
      case "filled":
      case "sync":
      case "sync-directory":
      case "end":
        return "before";
    }
  }

  /** Of a file that stands there again its contents tell, which come next. A filled shard stands in place of the removed file. */
  #removedState(
    files: OpenFiles,
    { place, bytes }: Extract<JournalEntry, { kind: "remove" }>,
  ): EntryState {
    const now = files.at(place)?.size() ?? null;
    if (now === null) return "after";
    const isFilled = place.kind === "data" && this.#filled.get(place.shard) === "as filled";
    if (isFilled) return "after";
    return now === bytes ? "before" : "foreign";
  }

  #renamedState(shard: number): EntryState {
    switch (this.#filled.get(shard) ?? "none") {
      case "none":
        return "before";
      case "as filled":
        return "after";
      case "other":
        // Where a file was removed for it, that one may stand there again: its own entries tell.
        return this.#removes(shard) ? "before" : "foreign";
    }
  }

  #removes(shard: number): boolean {
    for (let index = 0; index < this.#journal.length; index++) {
      const entry = this.#journal.at(index);
      if (entry.kind !== "remove") continue;
      if (entry.place.kind === "data" && entry.place.shard === shard) return true;
    }
    return false;
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
      case "filled":
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
    const temp: Place = { kind: "restored", shard: place.shard };
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
