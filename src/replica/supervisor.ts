// Runs the shards of one follower: starts a thread a shard, has the first one learn the geometry, makes the directory, keeps
// the budget and the state file, and knows when all are ready or over. The threads are behind shard-threads.ts.

import { ArmdbError, fromPlainError, type PlainError, toPlainError } from "../errors.ts";
import { formatAddress } from "../io/address.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Geometry } from "../store/geometry.ts";
import { type NewFileOwner, OWN_NEW_FILES, ownerLikeDatabase } from "../store/ownership.ts";
import {
  makeReplicaDirectory,
  removeUnfinishedShard,
  shardIsMade,
  type ReplicaTarget,
  writeDbMeta,
} from "../store/replica-dir.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import type { CompareEvent } from "./compare-types.ts";
import { ConnectionBudget } from "./connection-budget.ts";
import type { FollowerReport, FollowerSettings, ShardSnapshot } from "./follower-types.ts";
import { ShardComparisons } from "./shard-comparisons.ts";
import type { ShardMessage } from "./shard-thread.ts";
import type { ShardThread, ShardThreads } from "./shard-threads.ts";
import { StateKeeper, type StateNow } from "./state-keeper.ts";

/** What every shard's settings share. */
export type SharedSettings = Omit<
  FollowerSettings,
  "shard" | "protocol" | "geometry" | "exists" | "owner" | "followedBefore"
>;

export interface SupervisorOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly threads: ShardThreads;
  readonly target: ReplicaTarget;
  readonly shared: SharedSettings;
  readonly connectionsPerDay: number | null;
  /** Takes the directory's lock; called once, before anything is written. */
  readonly lock: () => void;
  readonly reported: (report: FollowerReport) => void;
  /** Every shard has caught up and is durable. */
  readonly allReady: () => void;
  /** Every shard is over; the first error, by shard number, or null. */
  readonly allEnded: (error: ArmdbError | null) => void;
}

/** A thread that died is started again after this. */
const RESTART_DELAY_MS = 1_000;
const RESTARTS_ONCE_MAX = 3;

/** What is known of one shard from outside its thread. */
export interface ShardView {
  readonly shard: number;
  /** The last one, null before the first. */
  readonly snapshot: ShardSnapshot | null;
  /** Monotonic time at which it came, or at which the thread was started. */
  readonly heardAtMs: number;
  readonly ended: boolean;
  /** How often its thread died and was started again. */
  readonly restarts: number;
}

interface ShardSlot {
  thread: ShardThread | null;
  snapshot: ShardSnapshot | null;
  heardAtMs: number;
  ready: boolean;
  ended: boolean;
  exists: boolean;
  error: PlainError | null;
  restarts: number;
}

export class Supervisor {
  readonly leader: string;
  readonly #options: SupervisorOptions;
  readonly #shards: ShardSlot[] = [];
  readonly #budget: ConnectionBudget;
  readonly #timers = new Set<Timer>();
  #geometry: Geometry | null;
  #owner: NewFileOwner = OWN_NEW_FILES;
  #protocol: ProtocolVersion | null;
  #stopping = false;
  #prepared: PlainError | "yes" | null = null;
  #wasReady = false;
  readonly #comparisons = new ShardComparisons();
  readonly #state: StateKeeper;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.leader = formatAddress(options.shared);
    const { state } = options.target;
    this.#geometry = options.target.kind === "existing" ? options.target.geometry : null;
    const sameLeader = state?.leader === this.leader ? state : null;
    this.#protocol = sameLeader?.protocol ?? null;
    this.#budget = new ConnectionBudget(
      options.clock,
      options.connectionsPerDay,
      sameLeader?.connectionsAtMs ?? [],
    );
    this.#state = new StateKeeper({
      ...{ disk: options.disk, clock: options.clock, dir: options.shared.dir },
      ...{ leader: this.leader, found: state },
      connectionsAtMs: () => this.#budget.madeAtMs,
      now: () => this.#stateNow(this.#areAllMade()),
      warn: (text) => options.reported({ kind: "log", shard: 0, level: "warn", text }),
    });
  }

  get protocol(): ProtocolVersion | null {
    return this.#protocol;
  }

  get geometry(): Geometry | null {
    return this.#geometry;
  }

  get connectionsToday(): number {
    return this.#budget.used;
  }

  get allReady(): boolean {
    return this.#wasReady;
  }

  /** The last snapshot of every shard that has one. */
  get snapshots(): readonly ShardSnapshot[] {
    return this.#shards.flatMap((slot) => upToDate(slot) ?? []);
  }

  /** Every shard that was started, by number; all of them once the geometry is known. */
  get shards(): readonly ShardView[] {
    return this.#shards.map((slot, shard) => {
      const { heardAtMs, ended, restarts } = slot;
      return { shard, snapshot: upToDate(slot), heardAtMs, ended, restarts };
    });
  }

  /** Starts all shards of an existing directory, or the first of a new one. */
  start(): void {
    const { target, disk, shared } = this.#options;
    if (target.kind === "existing") {
      this.#options.lock();
      this.#owner = ownerLikeDatabase(disk, shared.dir);
      for (const shard of target.missingShards) removeUnfinishedShard(disk, shared.dir, shard);
      this.#prepared = "yes";
      this.#addShards(target.geometry.shardCount, (shard) => !target.missingShards.includes(shard));
    } else {
      this.#addShards(1, () => false);
      this.#options.threads.standBy(shared.host, shared.port);
    }
  }

  #addShards(count: number, exists: (shard: number) => boolean): void {
    for (let shard = this.#shards.length; shard < count; shard++) {
      this.#shards.push({
        thread: null,
        snapshot: null,
        heardAtMs: 0,
        ready: false,
        ended: false,
        exists: exists(shard),
        error: null,
        restarts: 0,
      });
      this.#startThread(shard);
    }
  }

  #startThread(shard: number): void {
    const slot = this.#slot(shard);
    const { shared, target } = this.#options;
    const settings: FollowerSettings = {
      ...shared,
      shard,
      protocol: this.#protocol ?? 2,
      geometry: this.#geometry,
      exists: slot.exists,
      owner: this.#owner,
      followedBefore: target.state?.leader === this.leader || slot.restarts > 0,
    };
    slot.heardAtMs = this.#options.clock.nowMs();
    slot.thread = this.#options.threads.start(
      settings,
      (message) => this.#received(shard, message),
      (reason) => this.#died(shard, reason),
    );
  }

  #slot(shard: number): ShardSlot {
    return this.#shards[shard] as ShardSlot;
  }

  #received(shard: number, message: ShardMessage): void {
    const slot = this.#slot(shard);
    switch (message.kind) {
      case "acquire":
        slot.thread?.send({ kind: "connection", waitMs: this.#budget.acquire() });
        return;
      case "learned":
        return this.#learned(message.info, message.protocol);
      case "prepare":
        slot.thread?.send({ kind: "prepared", error: this.#prepare(shard, message.info) });
        return;
      case "compare":
        return this.#comparisons.received(shard, message.id, message.event);
      case "report":
        return this.#report(shard, message.report);
      case "crashed":
        return this.#died(shard, message.reason);
    }
  }

  /** The first ShardInfo of a new directory: the other shards can start, and need not try the protocols again. */
  #learned(info: ShardInfo, protocol: ProtocolVersion): void {
    if (this.#geometry !== null || this.#stopping) return;
    this.#protocol = protocol;
    const { shardCount, shardPrefixBits, keyLen, valueLen } = info;
    this.#geometry = { shardCount, shardPrefixBits, keyLen, valueLen };
    this.#addShards(shardCount, () => false);
    // With one shard a thread has dialed for nothing, which costs a protocol 1 leader as much as any connection.
    if (shardCount === 1 && protocol === 1) this.#budget.acquire();
    this.#options.threads.dismiss();
  }

  /** Makes what all shards share, once; then clears the way for this one. */
  #prepare(shard: number, info: ShardInfo): PlainError | null {
    const { disk, shared, target } = this.#options;
    try {
      if (this.#prepared === null) {
        if (target.kind === "new" && !target.exists) makeReplicaDirectory(disk, shared.dir);
        this.#options.lock();
        const { shardCount, shardPrefixBits, keyLen, valueLen } = info;
        this.#state.save(this.#stateNow(false), "durable");
        writeDbMeta(disk, shared.dir, { shardCount, shardPrefixBits, keyLen, valueLen });
        this.#prepared = "yes";
      }
      if (this.#prepared !== "yes") return this.#prepared;
      removeUnfinishedShard(disk, shared.dir, shard);
      return null;
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      this.#prepared ??= toPlainError(thrown);
      return toPlainError(thrown);
    }
  }

  #report(shard: number, report: FollowerReport): void {
    const slot = this.#slot(shard);
    switch (report.kind) {
      case "snapshot":
        slot.snapshot = report.snapshot;
        slot.heardAtMs = this.#options.clock.nowMs();
        if (report.snapshot.scansDone > 0) this.#protocol = report.snapshot.protocol;
        if (this.#prepared === "yes") this.#state.saveSometimes();
        break;
      case "ready":
        slot.ready = true;
        this.#protocol = report.protocol;
        break;
      case "leader-restarted":
        this.#budget.leaderRestarted();
        break;
      case "ended":
        slot.ended = true;
        slot.error = report.error;
        this.#comparisons.fail(shard, "the shard has ended");
        break;
      case "state":
      case "caught-up":
      case "log":
      case "diverged":
        break;
    }
    this.#options.reported(report);
    if (report.kind === "ready") this.#lookIfReady();
    if (report.kind === "ended") this.#lookIfEnded();
  }

  #lookIfReady(): void {
    if (this.#wasReady || this.#geometry === null) return;
    if (this.#shards.length < this.#geometry.shardCount) return;
    if (!this.#shards.every((shard) => shard.ready)) return;
    this.#wasReady = true;
    this.#state.trySave("later");
    this.#options.allReady();
  }

  #lookIfEnded(): void {
    const whole =
      this.#stopping ||
      this.#geometry === null ||
      this.#shards.length === this.#geometry.shardCount;
    if (!whole || !this.#shards.every((shard) => shard.ended)) return;
    for (const timer of this.#timers) timer.cancel();
    this.#options.threads.dismiss();
    if (this.#prepared === "yes") this.#state.trySave("durable");
    const error = this.#shards.find((shard) => shard.error !== null)?.error ?? null;
    this.#options.allEnded(error === null ? null : fromPlainError(error));
  }

  /** A thread that ended without a word is started again: its shard reads from disk and scans anew. */
  #died(shard: number, reason: string): void {
    const slot = this.#slot(shard);
    if (slot.ended) return;
    slot.thread = null;
    this.#comparisons.fail(shard, `its thread died: ${reason}`);
    const text = `the thread of shard ${shard} died: ${reason}`;
    this.#options.reported({ kind: "log", shard, level: "warn", text });
    this.#options.reported({ kind: "state", shard, state: "stalled", detail: text });
    if (slot.snapshot !== null) {
      const dead = { state: "stalled", activity: text, lastError: text, ready: false } as const;
      slot.snapshot = { ...slot.snapshot, ...dead };
    }
    // With --once nobody is there to see a thread die again and again of the same bug.
    if (this.#stopping || (this.#options.shared.once && slot.restarts >= RESTARTS_ONCE_MAX)) {
      slot.ended = true;
      slot.error = { code: "unexpected", message: text };
      this.#lookIfEnded();
      return;
    }
    slot.restarts++;
    slot.exists = this.#isMade(shard);
    const timer = this.#options.clock.after(RESTART_DELAY_MS * Math.min(slot.restarts, 30), () => {
      this.#timers.delete(timer);
      if (!this.#stopping) this.#startThread(shard);
    });
    this.#timers.add(timer);
  }

  /** Asks every shard for a scan now. */
  rescan(shard: number | null): void {
    this.#shards.forEach((slot, index) => {
      if (shard === null || shard === index) slot.thread?.send({ kind: "rescan" });
    });
  }

  /**
   * Has a shard compare itself with the leader by its next scan (difference-recorder.ts). Events come until `compared` or
   * `failed`; the function returned gives it up before. One comparison a shard at a time.
   */
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

  /** Stops every shard in good order; `allEnded` follows. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const slot of this.#shards) {
      if (slot.thread === null) slot.ended = true;
      else if (!slot.ended) slot.thread.send({ kind: "stop" });
    }
    this.#lookIfEnded();
  }

  /** Whether a shard's files are whole: a thread may end before it has made them. */
  #isMade(shard: number): boolean {
    return (
      this.#slot(shard).exists || shardIsMade(this.#options.disk, this.#options.shared.dir, shard)
    );
  }

  #areAllMade(): boolean {
    return this.#shards.every((_slot, shard) => this.#isMade(shard));
  }

  /** What the state file is to hold, all shards made or not yet. */
  #stateNow(created: boolean): StateNow {
    const snapshots = this.#shards.map((slot) => slot.snapshot);
    return { protocol: this.#protocol, created, owner: this.#owner, snapshots };
  }
}

/** A shard's last snapshot, with the time of the last frame as of now. */
function upToDate({ snapshot, thread }: ShardSlot): ShardSnapshot | null {
  const lastFrameAtMs = thread?.lastFrameAtMs ?? null;
  if (snapshot === null || lastFrameAtMs === null) return snapshot;
  if (lastFrameAtMs <= (snapshot.lastFrameAtMs ?? 0)) return snapshot;
  const currentAtMs = snapshot.streaming === "live" ? lastFrameAtMs : snapshot.currentAtMs;
  return { ...snapshot, lastFrameAtMs, currentAtMs };
}
