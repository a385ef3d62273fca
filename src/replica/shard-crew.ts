// The shards' threads as the supervisor has them: started, started again when one dies, asked, stopped; and what is known of each
// shard from outside its thread. Used by supervisor.ts. Knows no leader and no directory.

import { ArmdbError, type PlainError, toPlainError } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { CompareEvent } from "./compare/compare-types.ts";
import type { FollowerReport, FollowerSettings, ShardSnapshot } from "./follower-types.ts";
import { ShardComparisons } from "./shard-comparisons.ts";
import type { ShardCommand, ShardMessage } from "./shard-messages.ts";
import { ShardStarts } from "./shard-starts.ts";
import { snapshotNow } from "./snapshot-now.ts";
import type { ShardThread, StartShard } from "./threads/start-shard.ts";

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
  /** Threads that read what is on disk at the same time. */
  readonly startingMax: number;
  readonly startThread: StartShard;
  readonly once: boolean;
  settingsOf(shard: number, slot: ShardSlot): FollowerSettings;
  /** Whether a shard's files are whole on disk: a thread may die before it has said so. */
  isMade(shard: number): boolean;
  /** Whether it was closed clean by an earlier run, or is not there. */
  isClean(shard: number): boolean;
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
  readonly #starts: ShardStarts;
  #stopping = false;

  constructor(options: ShardCrewOptions) {
    this.#options = options;
    this.#starts = new ShardStarts(options.startingMax, (shard) => this.#start(shard));
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
    const { snapshot, thread } = slot;
    if (snapshot === null) return null;
    const nowMs = this.#options.clock.nowMs();
    const now = thread === null ? snapshot : snapshotNow(snapshot, thread.cells, nowMs);
    slot.slowWrites = Math.max(slot.slowWrites, now.slowWrites);
    return now.slowWrites < slot.slowWrites ? { ...now, slowWrites: slot.slowWrites } : now;
  }

  /** The files of every shard that was begun are whole. */
  get areAllMade(): boolean {
    return this.#slots.every(({ exists }, shard) => exists || this.#options.isMade(shard));
  }

  /** Those of whom no scan was whole in this run, and that are not over. */
  get stillToCome(): readonly number[] {
    return [...this.#slots.keys()].filter((shard) => {
      const slot = this.#slots[shard];
      return slot?.ended === false && (slot.snapshot?.scansDone ?? 0) === 0;
    });
  }

  /** The first failed shard's error, by number. */
  get error(): PlainError | null {
    return this.#slots.find((slot) => slot.error !== null)?.error ?? null;
  }

  /** Starts shards until there are so many. */
  add(count: number, exists: (shard: number) => boolean): void {
    const first = this.#slots.length;
    for (let shard = first; shard < count; shard++) {
      this.#slots.push({
        ...{ thread: null, snapshot: null, heardAtMs: 0, ready: false, ended: false },
        ...{ exists: exists(shard), error: null, restarts: 0, slowWrites: 0 },
      });
    }
    for (let shard = first; shard < count; shard++) this.#starts.add(shard);
  }

  /** Its thread has read what is on disk. */
  begun(shard: number): void {
    this.#starts.begun(shard);
  }

  #start(shard: number): void {
    const { clock, startThread, settingsOf, received, ended } = this.#options;
    const slot = this.#slot(shard);
    slot.heardAtMs = clock.nowMs();
    try {
      slot.thread = startThread(
        settingsOf(shard, slot),
        (message) => received(shard, message),
        (reason) => this.died(shard, reason),
      );
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      slot.ended = true;
      slot.error = toPlainError(thrown);
      this.#starts.begun(shard);
      ended();
    }
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
      this.#starts.begun(shard);
      this.#comparisons.fail(shard, "the shard has ended");
    }
  }

  /** A thread that ended without a word is started again: its shard reads from disk and scans anew. */
  died(shard: number, reason: string): void {
    const { clock, once, died, reported, ended, isMade } = this.#options;
    const slot = this.#slot(shard);
    if (slot.ended) return;
    slot.thread = null;
    this.#starts.begun(shard);
    died(shard);
    this.#comparisons.fail(shard, `its thread died: ${reason}`);
    const text = `the thread of shard ${shard} died: ${reason}`;
    reported({ kind: "log", shard, level: "warn", text });
    reported({ kind: "state", shard, state: "stalled", detail: text });
    if (slot.snapshot !== null) {
      const dead = { state: "stalled", activity: text, lastError: text, ready: false } as const;
      slot.snapshot = { ...slot.snapshot, ...dead, ownWork: null, call: null };
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
      if (this.#mayRestart) this.#starts.add(shard);
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
    const untouched = this.#starts.stop();
    this.#slots.forEach((slot, shard) => {
      if (slot.ended) return;
      if (slot.thread !== null) return slot.thread.send({ kind: "stop" });
      slot.ended = true;
      const unclean = this.#leftAs(shard, untouched.includes(shard) && slot.restarts === 0);
      this.#options.reported({ kind: "ended", shard, error: null, unclean });
    });
  }

  /** Why a shard without a thread is not closed clean. */
  #leftAs(shard: number, isUntouched: boolean): string | null {
    if (!isUntouched) return "its thread had died";
    return this.#options.isClean(shard) ? null : "as an earlier run left it: it was not opened yet";
  }

  get #mayRestart(): boolean {
    return !this.#stopping && this.#options.mayRestart();
  }

  /** Nothing is started any more. */
  over(): void {
    for (const timer of this.#timers) timer.cancel();
  }
}
