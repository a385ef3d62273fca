// Keeps the state file of a running follower up to date (store/state-file.ts). Used by supervisor.ts. What is known of a leader is
// replaced only once another one has proved to fit. That the file cannot be saved is said, and tried again.

import { ArmdbError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Disk, HeldName } from "../io/disk.ts";
import { requireNames } from "../store/held-files.ts";
import type { NewFileOwner } from "../store/ownership.ts";
import type { Replacement } from "../store/replace-file.ts";
import { type FollowerState, NO_OTHERS, saveState } from "../store/state-file.ts";
import type { ProtocolVersion } from "../wire/messages.ts";
import type { ShardSnapshot } from "./follower-types.ts";
import { leftOf, savedShards } from "./saved-shards.ts";

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
  /** Shards of an existing directory whose files this run makes. */
  readonly missing: readonly number[];
  /** Unix times of the connections of the last day, ms. */
  connectionsAtMs(): readonly number[];
  now(): StateNow;
  /** Whether a ShardInfo of this leader has fitted. */
  hasFitted(): boolean;
  /** What must still lie at its name before anything is saved. */
  names(): readonly HeldName[];
  warn(text: string): void;
}

export class StateKeeper {
  readonly #options: StateKeeperOptions;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #savedText = "";
  /** One that was to be durable failed. */
  #owesDurable = false;
  /** Why the last save failed; null when it did not. */
  failure: string | null = null;
  /** Unix time of the last one that did not fail. */
  savedAtMs: number | null = null;

  constructor(options: StateKeeperOptions) {
    this.#options = options;
  }

  /** Saves at most once in ten seconds, and only what has changed. */
  saveSometimes(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#savedAtMs < SAVE_INTERVAL_MS) return;
    this.#savedAtMs = nowMs;
    this.trySave(this.#owesDurable ? "durable" : "later");
  }

  /** Saves; that it could not is a warning, once for the same reason. */
  trySave(replacement: Replacement): void {
    try {
      this.save(this.#options.now(), replacement);
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      if (this.failure !== thrown.message) this.#options.warn(thrown.message);
      this.failure = thrown.message;
      this.#owesDurable ||= replacement === "durable";
    }
  }

  /** Saves; throws what the disk says. Nothing while another leader's state is in the file and this one has not fitted. */
  save(now: StateNow, replacement: Replacement): void {
    const { disk, clock, dir, leader, found, connectionsAtMs, hasFitted, names, missing } =
      this.#options;
    const isSame = found === null || found.leader === leader;
    if (!isSame && !hasFitted()) return;
    requireNames(disk, names());
    const wallOffsetMs = clock.wallMs() - clock.nowMs();
    const before = (shard: number) => leftOf(found, leader, shard);
    const state: FollowerState = {
      leader,
      protocol: now.protocol,
      created: now.created,
      shards: savedShards(now.snapshots, before, missing, wallOffsetMs),
      connectionsAtMs: connectionsAtMs(),
      savedAtMs: clock.wallMs(),
      others: found?.others ?? NO_OTHERS,
    };
    const text = JSON.stringify({ ...state, savedAtMs: 0 });
    if (replacement === "later" && text === this.#savedText && this.failure === null) return;
    saveState(disk, dir, state, now.owner, isAloneToSay(state) ? "durable" : replacement);
    this.#savedText = text;
    this.failure = null;
    this.#owesDurable = false;
    this.savedAtMs = state.savedAtMs;
  }
}

/** This file alone says that a first copy has not ended, or that slots are diverged: a power cut must not tear it. */
function isAloneToSay({ created, shards }: FollowerState): boolean {
  return (
    !created ||
    shards.some(({ complete, divergedSlots }) => complete === false || divergedSlots > 0)
  );
}
