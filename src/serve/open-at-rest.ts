// Opens a directory for serving, having made sure as far as can be seen that nobody is changing it (cli.md:
// Ownership). Takes the shared lock where there is a db.lock, and creates nothing where there is none.

import { ArmdbError } from "../errors.ts";
import type { Disk } from "../io/disk.ts";
import { type Writers, writersOf } from "../store/holders.ts";
import { takeLock } from "../store/lock.ts";
import { ServedDirectory } from "./served-database.ts";

export interface OpenAtRestOptions {
  readonly disk: Disk;
  readonly dir: string;
  /** Serve although somebody has files open for writing. */
  readonly force: boolean;
  /** What could not be looked at is said, not refused. */
  note(text: string): void;
  warn(text: string): void;
}

export interface DirectoryAtRest {
  readonly directory: ServedDirectory;
  /** Closes the files and lets go of the lock. */
  close(): void;
}

/** Throws `locked` when another process holds the directory, or has it open for writing and `force` is not given. */
export function openAtRest(options: OpenAtRestOptions): DirectoryAtRest {
  const { disk, dir } = options;
  const lock = takeLock(disk, dir, "shared");
  try {
    const directory = ServedDirectory.open(disk, dir);
    try {
      checkWriters(options, writersOf(dir));
    } catch (thrown) {
      directory.close();
      throw thrown;
    }
    return {
      directory,
      close: () => {
        directory.close();
        lock.release();
      },
    };
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}

function checkWriters(options: OpenAtRestOptions, writers: Writers): void {
  const { dir, force } = options;
  if (writers.pids.length > 0) {
    const who = `process ${writers.pids.join(", ")}`;
    if (!force) {
      const shown = writers.pids.slice(0, 5).join(",");
      throw new ArmdbError("locked", `Files of "${dir}" are open for writing by ${who}`, {
        path: dir,
        hint: `ps -p ${shown} shows it; stop it, serve a copy, or add --force when it does not write`,
      });
    }
    options.warn(`Files of "${dir}" are open for writing by ${who}: followers miss what it writes`);
  }
  if (writers.unseen) {
    options.note(
      "Not every process could be looked at: whether one has the files open is not known",
    );
  }
}
