// Makes what all shards of a new replica share, once, before the first of them is made; and clears the way for each shard. Used by
// supervisor.ts.

import { ArmdbError, fromPlainError, type PlainError, toPlainError } from "../errors.ts";
import type { Disk } from "../io/disk.ts";
import { removeOwnTemps } from "../store/own-temps.ts";
import {
  makeReplicaDirectory,
  removeUnfinishedShard,
  type ReplicaTarget,
  writeDbMeta,
} from "../store/replica-dir.ts";
import type { ShardInfo } from "../wire/messages.ts";

export interface ReplicaMakerOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly target: ReplicaTarget;
  /** Why so many shards cannot be followed, or null. */
  refusal(shards: number): PlainError | null;
  /** Takes the directory's lock; called once, before anything is written. */
  lock(): void;
  /** Saves the state file, durably: a directory with db.meta is a replica's from its first moment. */
  save(): void;
  /** db.meta is there. */
  made(): void;
}

export class ReplicaMaker {
  readonly #options: ReplicaMakerOptions;
  #made: PlainError | "yes" | null = null;

  constructor(options: ReplicaMakerOptions) {
    this.#options = options;
  }

  /** The directory is there, and locked. */
  get isMade(): boolean {
    return this.#made === "yes";
  }

  /** Takes over a directory that exists. Throws what the lock says, and `storage` where this process may not follow it all. */
  takeOver(missingShards: readonly number[], shardCount: number): void {
    const { disk, dir, lock, refusal, made } = this.#options;
    const refused = refusal(shardCount);
    if (refused !== null) throw fromPlainError(refused);
    lock();
    made();
    removeOwnTemps(disk, dir, shardCount);
    for (const shard of missingShards) removeUnfinishedShard(disk, dir, shard);
    this.#made = "yes";
  }

  /** Makes the directory at the first call; null when this shard may make its files. */
  prepare(shard: number, info: ShardInfo): PlainError | null {
    const { disk, dir, refusal } = this.#options;
    this.#made ??= refusal(info.shardCount);
    try {
      if (this.#made === null) this.#make(info);
      if (this.#made !== "yes") return this.#made;
      // Made anew, it is no longer the whole copy that the state file may still call it.
      if (this.#options.target.kind === "existing") this.#options.save();
      removeUnfinishedShard(disk, dir, shard);
      return null;
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      this.#made ??= toPlainError(thrown);
      return toPlainError(thrown);
    }
  }

  #make({ shardCount, shardPrefixBits, keyLen, valueLen }: ShardInfo): void {
    const { disk, dir, target, lock, save, made } = this.#options;
    if (target.kind === "new" && !target.exists) makeReplicaDirectory(disk, dir);
    lock();
    save();
    writeDbMeta(disk, dir, { shardCount, shardPrefixBits, keyLen, valueLen });
    made();
    this.#made = "yes";
  }
}
