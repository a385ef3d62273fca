// Watches the files under a running follower, for all its shards, once a second, busy or idle: what was removed, replaced or cut is
// noticed before anything is written where it does not belong (store/held-files.ts). Used by supervisor.ts, on the main thread.
// Promises: reads only; says each loss once.

import { type PlainError, toPlainError } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Disk, HeldName } from "../io/disk.ts";
import type { ShardSlot } from "./shard-crew.ts";
import {
  type HeldShard,
  headerTrouble,
  holdDbMeta,
  holdDirectory,
  namesTrouble,
  shardTrouble,
} from "../store/held-files.ts";

const LOOK_INTERVAL_MS = 1_000;
/** A header is read back after so many looks at the latest. */
const LOOKS_A_HEADER = 10;

export interface FileWatchOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly dir: string;
  /** By number. */
  shards(): readonly ShardSlot[];
  /** A shard without a thread was ended. */
  ended(): void;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #shards = new Map<number, HeldShard>();
  #names: readonly HeldName[] = [];
  #timer: Timer | null = null;
  #looks = 0;
  /** Why the directory is not ours any more; null: it is. */
  lost: PlainError | null = null;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** The directory and its lock, as they were when the lock was taken. */
  get names(): readonly HeldName[] {
    return this.#names;
  }

  /** The lock was taken. */
  begin(): void {
    const { disk, dir } = this.#options;
    this.#names = holdDirectory(disk, dir);
    this.#schedule();
  }

  /** The directory is made: its db.meta is held from here on. */
  made(): void {
    const { disk, dir } = this.#options;
    this.#names = [...this.#names, ...holdDbMeta(disk, dir)];
  }

  /** A shard has opened its files. */
  holds(shard: number, held: HeldShard): void {
    this.#shards.set(shard, held);
  }

  /** A shard is over. */
  forget(shard: number): void {
    this.#shards.delete(shard);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#shards.clear();
  }

  /** Looks at everything now. */
  lookAtAll(): void {
    this.#look(() => true);
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      const look = this.#looks++;
      // A few headers each time, and with few shards one at every look.
      const every = Math.min(LOOKS_A_HEADER, this.#shards.size);
      this.#look((index) => index % every === look % every);
      if (this.#timer !== null) this.#schedule();
    });
  }

  #look(isHeaderDue: (index: number) => boolean): void {
    const { disk, shards } = this.#options;
    if (this.lost !== null) return;
    const error = namesTrouble(disk, this.#names);
    if (error !== null) {
      this.lost = toPlainError(error);
      this.stop();
      return this.#lose(shards(), this.lost);
    }
    [...this.#shards].forEach(([shard, held], index) => {
      const trouble =
        // A snapshot may be older than the file's last growth, which is then a second from being watched.
        shardTrouble(disk, held, shards()[shard]?.snapshot?.slots ?? 0) ??
        (isHeaderDue(index) ? headerTrouble(disk, held, shard) : null);
      if (trouble === null) return;
      this.forget(shard);
      this.#lose(shards().slice(shard, shard + 1), toPlainError(trouble));
    });
  }

  /** Nothing more is written to these. */
  #lose(shards: readonly ShardSlot[], error: PlainError): void {
    for (const shard of shards) {
      if (shard.ended) continue;
      if (shard.thread !== null) shard.thread.send({ kind: "lost", error });
      else {
        shard.ended = true;
        shard.error = error;
      }
    }
    this.#options.ended();
  }
}
