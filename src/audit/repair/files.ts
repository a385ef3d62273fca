// The files of a database by their places, one open at a time: changes come sorted by file, so opening again is rare. Used
// by journal, apply and undo. Never creates a file by itself.

import { crc32 } from "node:zlib";
import type { Disk, DiskFile, OpenMode } from "../../io/disk.ts";
import type { Task } from "../task.ts";
import { isSamePlace, type Place, placePath } from "./changes.ts";

export class OpenFiles {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #mode: Exclude<OpenMode, "create">;
  #place: Place | null = null;
  #file: DiskFile | null = null;

  constructor(disk: Disk, root: string, mode: Exclude<OpenMode, "create">) {
    this.#disk = disk;
    this.#root = root;
    this.#mode = mode;
  }

  /** The file at a place; null when there is none. Valid until another place is asked for. */
  at(place: Place): DiskFile | null {
    if (this.#place !== null && isSamePlace(this.#place, place)) return this.#file;
    this.close();
    const path = placePath(this.#root, place);
    this.#file = this.#disk.facts(path) === null ? null : this.#disk.open(path, this.#mode);
    this.#place = place;
    return this.#file;
  }

  /** Closes what is open; the next `at` looks afresh. Also before a file is renamed, removed or created. */
  close(): void {
    const file = this.#file;
    this.#file = null;
    this.#place = null;
    file?.close();
  }
}

/** The bytes at [offset, offset + bytes); zeros past the end of the file, or where there is no file. */
export function readPadded(file: DiskFile | null, offset: number, bytes: number): Uint8Array {
  const into = new Uint8Array(bytes);
  if (file !== null) into.fill(0, file.read(into, offset));
  return into;
}

const CRC_CHUNK_BYTES = 512 * 1024;

/** The length and the crc32 of a whole file. Throws Stopped. */
export async function sumOf(
  file: DiskFile,
  task: Task,
): Promise<{ readonly bytes: number; readonly crc32: number }> {
  const bytes = file.size();
  const chunk = new Uint8Array(CRC_CHUNK_BYTES);
  let crc = 0;
  for (let at = 0; at < bytes;) {
    await task.breathe();
    const got = file.read(chunk.subarray(0, Math.min(chunk.length, bytes - at)), at);
    if (got === 0) break;
    crc = crc32(chunk.subarray(0, got), crc);
    at += got;
    await task.pay(got);
  }
  return { bytes, crc32: crc };
}
