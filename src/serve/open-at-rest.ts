// Opens a directory for serving, having made sure as far as can be seen that nobody is changing it (cli.md:
// Ownership), and that followers would not take part of a copy for all there is (Complete). Takes the shared lock where there is a db.lock, and creates nothing where there is none.

import { ArmdbError } from "../errors.ts";
import type { Disk } from "../io/disk.ts";
import { readCopyState } from "../store/copy-state.ts";
import { type Writers, writersOf } from "../store/holders.ts";
import { takeLock } from "../store/lock.ts";
import { requireWholeCopy } from "../store/whole-copy.ts";
import { ServedDirectory } from "./served-database.ts";

export interface OpenAtRestOptions {
  readonly disk: Disk;
  readonly dir: string;
  /** Serve although somebody has files open for writing, or the first copy has not ended. */
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

/**
 * Throws `locked` when another process holds the directory. Unless `force` is given also when one has it open for writing, and
 * `incomplete` when its first copy has not ended.
 */
export function openAtRest(options: OpenAtRestOptions): DirectoryAtRest {
  const { disk, dir } = options;
  const lock = takeLock(disk, dir, "shared");
  try {
    const directory = ServedDirectory.open(disk, dir);
    try {
      checkWriters(options, writersOf(dir));
      checkCopy(options, directory.shardCount);
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

function checkCopy({ disk, dir, force, warn }: OpenAtRestOptions, shardCount: number): void {
  requireWholeCopy(readCopyState(disk, dir, shardCount), {
    ...{ dir, shard: null, force, warn },
    doing: "serve",
    outcome: "followers get what is there, and take it for all",
    purpose: "to serve what is there",
  });
}
