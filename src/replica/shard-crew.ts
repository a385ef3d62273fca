// The shards' threads as the supervisor has them: started, started again when one dies, asked, stopped; and what is known of each
// shard from outside its thread. Used by supervisor.ts. Knows no leader and no directory.

import type { PlainError } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { CompareEvent } from "./compare/compare-types.ts";
import type { FollowerReport, FollowerSettings, ShardSnapshot } from "./follower-types.ts";
import { ShardComparisons } from "./shard-comparisons.ts";
import { snapshotNow } from "./snapshot-now.ts";
import type { ShardCommand, ShardMessage } from "./threads/shard-thread.ts";
import type { ShardThread, ShardThreads } from "./threads/shard-threads.ts";

/** A thread that died is started again after this, and longer each time. */
const RESTART_DELAY_MS = 1_000;
const RESTART_DELAYS_MAX = 30;
const RESTARTS_ONCE_MAX = 3;

/** What is known of one shard from outside its thread. */
export interface ShardView {
  readonly shard: number;
  /** The last one, null before the first. */
  readonly snapshot: ShardSnapshot | null;
  /** Monotonic time at which its thread last spoke, was seen to be at work, or was started. */
  readonly heardAtMs: number;
  readonly ended: boolean;
  /** How often its thread died and was started again. */
  readonly restarts: number;
}

export interface ShardSlot {
  thread: ShardThread | null;
  snapshot: ShardSnapshot | null;
  heardAtMs: number;
  ready: boolean;
  ended: boolean;
  /** Its files are made. */
  exists: boolean;
  error: PlainError | null;
  restarts: number;
  /** As they were shown. */
  slowWrites: number;
}

export interface ShardCrewOptions {
  readonly clock: Clock;
  readonly threads: ShardThreads;
  readonly once: boolean;
  settingsOf(shard: number, slot: ShardSlot): FollowerSettings;
  /** Whether a shard's files are whole on disk: a thread may die before it has said so. */
  isMade(shard: number): boolean;
  /** False once nothing may be written to the directory. */
  mayRestart(): boolean;
  received(shard: number, message: ShardMessage): void;
  /** A thread ended without a word; what it asked for is nobody's any more. */
  died(shard: number): void;
  reported(report: FollowerReport): void;
  /** A shard is over for good. */
  ended(): void;
}

export class ShardCrew {
  readonly #options: ShardCrewOptions;
  readonly #slots: ShardSlot[] = [];
  readonly #comparisons = new ShardComparisons();
  readonly #timers = new Set<Timer>();
  #stopping = false;

  constructor(options: ShardCrewOptions) {
    this.#options = options;
  }

  /** By shard number. */
  get slots(): readonly ShardSlot[] {
    return this.#slots;
  }

  get views(): readonly ShardView[] {
    return this.#slots.map((slot, shard) => {
      const { thread, ended, restarts } = slot;
      const heardAtMs = Math.max(slot.heardAtMs, thread?.cells.pulseAtMs ?? 0);
      return { shard, snapshot: this.#upToDate(slot), heardAtMs, ended, restarts };
    });
  }

  /** A shard's last snapshot as of now. A slow write that was told of stays told of until its thread has counted it. */
  #upToDate(slot: ShardSlot): ShardSnapshot | null {
    if (slot.snapshot === null || slot.thread === null) return slot.snapshot;
    const now = snapshotNow(slot.snapshot, slot.thread.cells, this.#options.clock.nowMs());
    slot.slowWrites = Math.max(slot.slowWrites, now.slowWrites);
    return now.slowWrites < slot.slowWrites ? { ...now, slowWrites: slot.slowWrites } : now;
  }

  /** The first failed shard's error, by number. */
  get error(): PlainError | null {
    return this.#slots.find((slot) => slot.error !== null)?.error ?? null;
  }

  /** Starts shards until there are so many. */
  add(count: number, exists: (shard: number) => boolean): void {
    for (let shard = this.#slots.length; shard < count; shard++) {
      this.#slots.push({
        ...{ thread: null, snapshot: null, heardAtMs: 0, ready: false, ended: false },
        ...{ exists: exists(shard), error: null, restarts: 0, slowWrites: 0 },
      });
      this.#start(shard);
    }
  }

  #start(shard: number): void {
    const { clock, threads, settingsOf, received } = this.#options;
    const slot = this.#slot(shard);
    slot.heardAtMs = clock.nowMs();
    slot.thread = threads.start(
      settingsOf(shard, slot),
      (message) => received(shard, message),
      (reason) => this.died(shard, reason),
    );
  }

  #slot(shard: number): ShardSlot {
    return this.#slots[shard] as ShardSlot;
  }

  send(shard: number, command: ShardCommand): void {
    this.#slot(shard).thread?.send(command);
  }

  /** Notes what a report says of its shard. */
  note(shard: number, report: FollowerReport): void {
    const slot = this.#slot(shard);
    if (report.kind === "snapshot") {
      slot.snapshot = report.snapshot;
      slot.heardAtMs = this.#options.clock.nowMs();
    } else if (report.kind === "ready") slot.ready = true;
    else if (report.kind === "ended") {
      slot.ended = true;
      slot.error = report.error;
      this.#comparisons.fail(shard, "the shard has ended");
    }
  }

  /** A thread that ended without a word is started again: its shard reads from disk and scans anew. */
  died(shard: number, reason: string): void {
    const { clock, once, died, reported, ended, isMade } = this.#options;
    const slot = this.#slot(shard);
    if (slot.ended) return;
    slot.thread = null;
    died(shard);
    this.#comparisons.fail(shard, `its thread died: ${reason}`);
    const text = `the thread of shard ${shard} died: ${reason}`;
    reported({ kind: "log", shard, level: "warn", text });
    reported({ kind: "state", shard, state: "stalled", detail: text });
    if (slot.snapshot !== null) {
      const dead = { state: "stalled", activity: text, lastError: text, ready: false } as const;
      slot.snapshot = { ...slot.snapshot, ...dead };
    }
    // With --once nobody is there to see a thread die again and again of the same bug.
    if (!this.#mayRestart || (once && slot.restarts >= RESTARTS_ONCE_MAX)) {
      slot.ended = true;
      slot.error = { code: "unexpected", message: text };
      return ended();
    }
    slot.restarts++;
    slot.exists ||= isMade(shard);
    const delayMs = RESTART_DELAY_MS * Math.min(slot.restarts, RESTART_DELAYS_MAX);
    const timer = clock.after(delayMs, () => {
      this.#timers.delete(timer);
      if (this.#mayRestart) this.#start(shard);
    });
    this.#timers.add(timer);
  }

  /** Asks one shard, or every one, for a scan now. */
  rescan(shard: number | null): void {
    this.#slots.forEach((slot, index) => {
      if (shard === null || shard === index) slot.thread?.send({ kind: "rescan" });
    });
  }

  /** As Supervisor.compare. */
  compare(
    shard: number,
    differencesMax: number,
    received: (event: CompareEvent) => void,
  ): () => void {
    const slot = this.#slot(shard);
    const id = this.#comparisons.begin(shard, received);
    if (slot.thread !== null && !slot.ended) {
      slot.thread.send({ kind: "compare", id, differencesMax });
    } else this.#comparisons.fail(shard, "the shard is not followed now");
    return () => {
      const wasUnderWay = this.#comparisons.giveUp(shard, id);
      if (wasUnderWay && !slot.ended) slot.thread?.send({ kind: "compare-stop" });
    };
  }

  /** What a comparison of that shard has to say. */
  compared(shard: number, id: number, event: CompareEvent): void {
    this.#comparisons.received(shard, id, event);
  }

  /** Stops every shard in good order. */
  stop(): void {
    this.#stopping = true;
    this.#slots.forEach((slot, shard) => {
      if (slot.ended) return;
      if (slot.thread !== null) return slot.thread.send({ kind: "stop" });
      slot.ended = true;
      const unclean = "its thread had died";
      this.#options.reported({ kind: "ended", shard, error: null, unclean });
    });
  }

  get #mayRestart(): boolean {
    return !this.#stopping && this.#options.mayRestart();
  }

  /** Nothing is started any more. */
  over(): void {
    for (const timer of this.#timers) timer.cancel();
  }
}
