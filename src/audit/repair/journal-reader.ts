// Reads an undo journal, in order or backwards, without holding it in memory: an index of offsets and one entry at a time.
// Used by repair/undo.ts. Promises: every entry's crc and place in the sequence is checked before anything is believed; a
// journal with a fault is refused whole, one that was cut before its end is told apart.

import { ArmdbError, assert } from "../../errors.ts";
import { viewOf } from "../../bytes.ts";
import type { Disk, DiskFile } from "../../io/disk.ts";
import {
  decodeEntry,
  decodeJournalHeader,
  ENTRY_BYTES_MAX,
  ENTRY_BYTES_MIN,
  type FilledEntry,
  JOURNAL_HEADER_BYTES,
  type JournalEntry,
  type JournalFault,
} from "./journal-format.ts";

const INDEX_LENGTH_FIRST = 1024;

export class JournalReader {
  readonly path: string;
  /** When the repair was begun, unix ms. */
  readonly wallMs: number;
  readonly #file: DiskFile;
  #offsets: Float64Array = new Float64Array(INDEX_LENGTH_FIRST);
  #lengths: Uint32Array = new Uint32Array(INDEX_LENGTH_FIRST);
  #length = 0;
  #isComplete = false;
  readonly #filled = new Map<number, FilledEntry>();

  private constructor(file: DiskFile, wallMs: number) {
    this.path = file.path;
    this.wallMs = wallMs;
    this.#file = file;
  }

  /** Opens a journal and checks all of it. Throws `usage` for what is no journal, `damaged` for a damaged one. */
  static open(disk: Disk, path: string): JournalReader {
    const file = disk.open(path, "read");
    try {
      const head = new Uint8Array(JOURNAL_HEADER_BYTES);
      const decoded = decodeJournalHeader(head.subarray(0, file.read(head, 0)));
      if (decoded === "magic" || decoded === "version") throw noJournal(path, decoded);
      // Cut inside its header: as for any other cut, nothing had been changed.
      const reader = new JournalReader(file, typeof decoded === "string" ? 0 : decoded.wallMs);
      if (decoded === "crc") throw damagedJournal(path, 0, decoded);
      if (decoded !== "length") reader.#buildIndex();
      return reader;
    } catch (thrown) {
      file.close();
      throw thrown;
    }
  }

  /** False: it was cut while it was written, before any change was made. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** What a shard's new file held when it had been filled; null: it was not, or an earlier build filled it. */
  filled(shard: number): FilledEntry | null {
    return this.#filled.get(shard) ?? null;
  }

  /** Entries, the end not counted. */
  get length(): number {
    return this.#length;
  }

  /** One entry, checked again. */
  at(index: number): JournalEntry {
    assert(index >= 0 && index < this.#length, "a journal entry that is there");
    const offset = this.#offsets[index] as number;
    const entry = this.#read(offset, this.#lengths[index] as number, index);
    if (typeof entry === "string") throw damagedJournal(this.path, offset, entry);
    return entry;
  }

  close(): void {
    this.#file.close();
  }

  #buildIndex(): void {
    const bytes = this.#file.size();
    for (let offset = JOURNAL_HEADER_BYTES; ;) {
      const head = new Uint8Array(4);
      if (this.#file.read(head, offset) < head.length) return;
      const entryBytes = viewOf(head).getUint32(0, true);
      if (entryBytes < ENTRY_BYTES_MIN || entryBytes > ENTRY_BYTES_MAX) {
        // A cut file may end in blocks that were reserved and never written.
        if (entryBytes === 0) return;
        throw damagedJournal(this.path, offset, "length");
      }
      if (offset + entryBytes > bytes) return;
      const entry = this.#read(offset, entryBytes, this.#length);
      if (typeof entry === "string") throw damagedJournal(this.path, offset, entry);
      if (entry.kind === "end") {
        this.#isComplete = true;
        this.#readFilled(offset + entryBytes);
        return;
      }
      this.#add(offset, entryBytes);
      offset += entryBytes;
    }
  }

  /** What was appended while the plan was carried out. One that is not whole was not durable, and its file has no name yet. */
  #readFilled(first: number): void {
    let sequence = this.#length + 1;
    for (let offset = first; ;) {
      const head = new Uint8Array(4);
      if (this.#file.read(head, offset) < head.length) return;
      const entryBytes = viewOf(head).getUint32(0, true);
      if (entryBytes < ENTRY_BYTES_MIN || entryBytes > ENTRY_BYTES_MAX) return;
      const entry = this.#read(offset, entryBytes, sequence++);
      if (typeof entry === "string" || entry.kind !== "filled") return;
      this.#filled.set(entry.shard, entry);
      offset += entryBytes;
    }
  }

  #read(offset: number, entryBytes: number, sequence: number): JournalEntry | JournalFault {
    const bytes = new Uint8Array(entryBytes);
    if (this.#file.read(bytes, offset) < entryBytes) return "length";
    return decodeEntry(bytes, sequence);
  }

  #add(offset: number, entryBytes: number): void {
    if (this.#length === this.#offsets.length) {
      const offsets = new Float64Array(this.#length * 2);
      offsets.set(this.#offsets);
      this.#offsets = offsets;
      const lengths = new Uint32Array(this.#length * 2);
      lengths.set(this.#lengths);
      this.#lengths = lengths;
    }
    this.#offsets[this.#length] = offset;
    this.#lengths[this.#length] = entryBytes;
    this.#length++;
  }
}

function noJournal(path: string, fault: "magic" | "version"): ArmdbError {
  const why =
    fault === "magic"
      ? "it does not begin with ARMDUNDO"
      : "it was written by a later version of armdb";
  return new ArmdbError("usage", `"${path}" is no undo journal: ${why}`, {
    path,
    hint: "ls DIR/armdb-undo-*.journal",
  });
}

function damagedJournal(path: string, offset: number, fault: JournalFault): ArmdbError {
  return new ArmdbError(
    "damaged",
    `Cannot undo by "${path}": the journal is damaged (${fault}); nothing was changed`,
    { path, offset, hint: "dmesg on that disk; a copy of the journal, if there is one" },
  );
}
