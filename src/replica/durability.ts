// Decides when written data is made durable (cli.md: --sync), has the flusher do it, and tells who waits. Saves the cursor
// with a sync at most once a second; that it has no room is no failure. After a failed sync nothing is tried again: what was written must be taken as lost.
//
//   group  a sync starts at most 50 ms after the first unsynced write, or when the one under way ends
//   batch  a sync before each Ack
//   off    only when somebody waits (ready, --once, stop)

import type { PlainError } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Flusher } from "../io/flusher.ts";
import { CURSOR_RETRY_MS, CURSOR_SAVE_INTERVAL_MS, GROUP_SYNC_DELAY_MS } from "../limits.ts";
import type { ShardStore } from "../store/shard-store.ts";
import type { SyncPolicy } from "./follower-types.ts";

export interface DurabilityOptions {
  readonly clock: Clock;
  readonly flusher: Flusher;
  readonly store: ShardStore;
  readonly policy: SyncPolicy;
  /** The cursor as it stands once all that is written now is durable; null when nothing changed since the last. */
  readonly cursorToSave: () => Uint8Array | null;
  /** What became of it: null, or why there was no room for it. */
  readonly cursorDone: (unsaved: PlainError | null) => void;
  readonly failed: (error: PlainError) => void;
}

export class Durability {
  readonly #options: DurabilityOptions;
  #timer: Timer | null = null;
  /** Of a cursor that had no room. */
  #retry: Timer | null = null;
  #flushing = false;
  #syncSinceMs = 0;
  #stopped = false;
  #cursorSavedAtMs = Number.NEGATIVE_INFINITY;
  #whenIdle: ((error: PlainError | null) => void) | null = null;
  /** Those who wait for the sync under way, and for the next one. */
  #waitingNow: (() => void)[] = [];
  #waitingNext: (() => void)[] = [];

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  /** When the sync under way began; null: none is. */
  get syncSinceMs(): number | null {
    return this.#flushing ? this.#syncSinceMs : null;
  }

  /** Something was written. */
  wrote(): void {
    if (this.#options.policy !== "group" || this.#stopped) return;
    if (this.#flushing || this.#timer !== null) return;
    const { clock, store } = this.#options;
    const nowMs = clock.nowMs();
    // What was written while a sync ran has waited for its end already.
    const waitedMs = nowMs - (store.oldestUnsyncedAtMs ?? nowMs);
    this.#timer = clock.after(Math.max(0, GROUP_SYNC_DELAY_MS - waitedMs), () => this.#flush());
  }

  /** Calls back once everything written up to now is durable; never after a failure or stop. */
  whenDurable(run: () => void): void {
    if (this.#options.store.oldestUnsyncedAtMs === null && !this.#flushing) {
      run();
      return;
    }
    this.#waitingNext.push(run);
    if (!this.#flushing) this.#flush();
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#stopped) return;
    const { clock, flusher, store } = this.#options;
    this.#flushing = true;
    this.#waitingNow = this.#waitingNext;
    this.#waitingNext = [];
    const nowMs = clock.nowMs();
    this.#syncSinceMs = nowMs;
    let cursor: Uint8Array | null = null;
    if (nowMs - this.#cursorSavedAtMs >= CURSOR_SAVE_INTERVAL_MS) {
      cursor = this.#options.cursorToSave();
      if (cursor !== null) this.#cursorSavedAtMs = nowMs;
    }
    store.syncBegan();
    flusher.flush({ cursor, names: cursor === null ? [] : store.held.names }, (result) => {
      if (cursor !== null && result.error === null) this.#cursorDone(result.unsaved);
      this.#flushed(result.error);
    });
  }

  /** Nothing more may be written that would bring the next try about. */
  #cursorDone(unsaved: PlainError | null): void {
    const { clock, policy, cursorDone } = this.#options;
    cursorDone(unsaved);
    if (unsaved === null || policy === "off" || this.#stopped) return;
    this.#retry ??= clock.after(CURSOR_RETRY_MS, () => {
      this.#retry = null;
      if (!this.#flushing) this.#flush();
    });
  }

  #flushed(error: PlainError | null): void {
    this.#flushing = false;
    if (error !== null) this.#stopped = true;
    else this.#options.store.syncEnded();
    if (this.#whenIdle !== null) {
      this.#whenIdle(error);
      return;
    }
    if (error !== null) {
      this.#options.failed(error);
      return;
    }
    const waiting = this.#waitingNow;
    this.#waitingNow = [];
    for (const run of waiting) run();
    if (this.#waitingNext.length > 0) this.#flush();
    else if (this.#options.store.oldestUnsyncedAtMs !== null) this.wrote();
  }

  /** No more syncs are started; `done` is called once none is under way, with what that last one met. */
  stop(done: (error: PlainError | null) => void): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#retry?.cancel();
    this.#stopped = true;
    if (this.#flushing) this.#whenIdle = done;
    else done(null);
  }
}
