// Notices that a directory which should be at rest is being changed after all: by the stamp of each file (length, time of
// change, identity) and by its header. Followers that have caught up would not learn of such changes, so it is said.
// Reads only; decides nothing.

import { ArmdbError } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import { CHANGE_CHECK_INTERVAL_MS, CHANGE_REPORT_INTERVAL_MS } from "./bounds.ts";
import type { ServedDirectory } from "./served-database.ts";

/** What was seen to change. */
export interface DirectoryChange {
  readonly shard: number;
  readonly path: string;
  /** `grew from 128 to 256 slots`, ... */
  readonly what: string;
}

export interface ChangeWatchOptions {
  readonly directory: ServedDirectory;
  readonly clock: Clock;
  /** A text that changes with the file (`fileStamp` of store/holders.ts); null when it is gone. */
  stampOf(path: string): string | null;
  changed(change: DirectoryChange): void;
}

interface ShardLook {
  readonly stamp: string | null;
  /** Null when the header cannot be read as one. */
  readonly slotCount: number | null;
  readonly cleanShutdown: number | null;
}

export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  readonly #looks: ShardLook[] = [];
  readonly #reportedMs: (number | null)[] = [];
  #timer: Timer | null = null;

  /** Remembers how the files look now. */
  constructor(options: ChangeWatchOptions) {
    this.#options = options;
    for (let shard = 0; shard < options.directory.shardCount; shard++) {
      this.#looks.push(this.#look(shard));
      this.#reportedMs.push(null);
    }
  }

  start(): void {
    this.#timer = this.#options.clock.after(CHANGE_CHECK_INTERVAL_MS, () => {
      this.check();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Compares every shard with the last look; each shard is reported at most once a minute. */
  check(): void {
    for (let shard = 0; shard < this.#looks.length; shard++) {
      const before = this.#looks[shard] as ShardLook;
      const now = this.#look(shard);
      this.#looks[shard] = now;
      const what = difference(before, now);
      if (what !== null) this.#report(shard, what);
    }
  }

  #report(shard: number, what: string): void {
    const nowMs = this.#options.clock.nowMs();
    const lastMs = this.#reportedMs[shard] ?? null;
    if (lastMs !== null && nowMs - lastMs < CHANGE_REPORT_INTERVAL_MS) return;
    this.#reportedMs[shard] = nowMs;
    this.#options.changed({ shard, path: this.#options.directory.filePath(shard), what });
  }

  #look(shard: number): ShardLook {
    const { directory, stampOf } = this.#options;
    const stamp = stampOf(directory.filePath(shard));
    try {
      const header = directory.headerNow(shard);
      return {
        stamp,
        slotCount: header?.slotCount ?? null,
        cleanShutdown: header?.cleanShutdown ?? null,
      };
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      return { stamp, slotCount: null, cleanShutdown: null };
    }
  }
}

/** What is different, the most telling first; null when nothing is. */
function difference(before: ShardLook, now: ShardLook): string | null {
  if (now.stamp === null) return before.stamp === null ? null : "is gone";
  if (now.slotCount === null && before.slotCount !== null) return "has lost its header";
  if (now.slotCount !== before.slotCount && before.slotCount !== null) {
    return `grew from ${before.slotCount} to ${now.slotCount} slots`;
  }
  if (now.cleanShutdown !== before.cleanShutdown) return "was opened or closed by a program";
  if (now.stamp !== before.stamp) return "was written to";
  return null;
}
