// Keeps the state file of a running follower up to date (store/state-file.ts). Used by supervisor.ts. The file is diagnostic:
// that it cannot be saved is said, and met by the shards if it is serious.

import { ArmdbError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { NewFileOwner } from "../store/ownership.ts";
import type { Replacement } from "../store/replace-file.ts";
import { type FollowerState, saveState } from "../store/state-file.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type { ShardSnapshot } from "./follower-types.ts";
import { savedShards } from "./saved-shards.ts";

const SAVE_INTERVAL_MS = 10_000;

/** What is to be saved, as it stands. */
export interface StateNow {
  readonly protocol: ProtocolVersion | null;
  /** All files of all shards are made. */
  readonly created: boolean;
  readonly owner: NewFileOwner;
  /** By shard number. */
  readonly snapshots: readonly (ShardSnapshot | null)[];
}

export interface StateKeeperOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly dir: string;
  readonly leader: string;
  /** What an earlier run left; counts where its leader is the same. */
  readonly found: FollowerState | null;
  /** Unix times of the connections of the last day, ms. */
  connectionsAtMs(): readonly number[];
  now(): StateNow;
  warn(text: string): void;
}

export class StateKeeper {
  readonly #options: StateKeeperOptions;
  #savedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: StateKeeperOptions) {
    this.#options = options;
  }

  /** Saves at most once in ten seconds. */
  saveSometimes(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#savedAtMs < SAVE_INTERVAL_MS) return;
    this.#savedAtMs = nowMs;
    this.trySave("later");
  }

  /** Saves; that it could not is a warning. */
  trySave(replacement: Replacement): void {
    try {
      this.save(this.#options.now(), replacement);
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      this.#options.warn(thrown.message);
    }
  }

  /** Saves; throws what the disk says. */
  save(now: StateNow, replacement: Replacement): void {
    const { disk, clock, dir, leader, found, connectionsAtMs } = this.#options;
    const wallOffsetMs = clock.wallMs() - clock.nowMs();
    const before = found?.leader === leader ? found.shards : [];
    const state: FollowerState = {
      leader,
      protocol: now.protocol,
      created: now.created,
      shards: savedShards(now.snapshots, before, wallOffsetMs),
      connectionsAtMs: connectionsAtMs(),
      savedAtMs: clock.wallMs(),
    };
    saveState(disk, dir, state, now.owner, replacement);
  }
}
