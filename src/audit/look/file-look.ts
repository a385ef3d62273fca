// Looks at one name without changing anything: is it there, what is it, and its first bytes. Used by look/database-look.ts and
// by the commands. Promises: never throws for what the disk says (the error is kept in the look), creates nothing.

import { type Disk, DiskError, type DiskFile, type FileFacts } from "../../io/disk.ts";

/** What is known of a name. */
export interface FileLook {
  /** Relative to the database directory: `shard_000/fixed.data`. */
  readonly name: string;
  readonly path: string;
  /** Null: there is nothing of that name, or it could not be looked at (`error`). */
  readonly facts: FileFacts | null;
  readonly error: DiskError | null;
}

/** A plain file with its first bytes. */
export interface FileStart extends FileLook {
  /** Null: not there, not a plain file, or not readable (`error`). */
  readonly bytes: Uint8Array | null;
}

/** Runs a disk call; a DiskError becomes the second member instead of an exception. */
export function tryDisk<T>(run: () => T): [T, null] | [null, DiskError] {
  try {
    return [run(), null];
  } catch (thrown) {
    if (thrown instanceof DiskError) return [null, thrown];
    throw thrown;
  }
}

/** Facts of a name below `root`. A part of the path that is missing or no directory means: not there. */
export function lookAt(disk: Disk, root: string, name: string): FileLook {
  const path = `${root}/${name}`;
  const [facts, error] = tryDisk(() => disk.facts(path));
  const isAbsent = error !== null && (error.errno === "ENOTDIR" || error.errno === "ENOENT");
  return { name, path, facts, error: isAbsent ? null : error };
}

/**
 * Facts and the first `bytesMax` bytes of a name below `root`. The facts are taken after the bytes: a file that grows
 * meanwhile is longer than its start says, never shorter.
 */
export function readStart(disk: Disk, root: string, name: string, bytesMax: number): FileStart {
  const look = lookAt(disk, root, name);
  if (look.facts?.kind !== "file") return { ...look, bytes: null };
  const [start, error] = tryDisk(() =>
    withFile(disk, look.path, (file) => {
      const bytes = readUpTo(file, 0, bytesMax);
      return { bytes, facts: file.facts() };
    }),
  );
  if (start === null) return { ...look, bytes: null, error };
  return { ...look, ...start, error };
}

/** Opens for reading, runs, closes. */
export function withFile<T>(disk: Disk, path: string, run: (file: DiskFile) => T): T {
  const file = disk.open(path, "read");
  try {
    return run(file);
  } finally {
    file.close();
  }
}

/** The bytes from `offset` on, at most `bytesMax`, fewer at the end of the file. */
export function readUpTo(file: DiskFile, offset: number, bytesMax: number): Uint8Array {
  const bytes = new Uint8Array(bytesMax);
  return bytes.subarray(0, file.read(bytes, offset));
}
