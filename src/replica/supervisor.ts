// Runs the shards of one follower: starts a thread a shard, has the first one learn the geometry, makes the directory, keeps
// the budget and the state file, and knows when all are ready or over.

import { fromPlainError } from "../errors.ts";
import { formatAddress } from "../io/address.ts";
import { SHARDS_MAX } from "../limits.ts";
import type { Geometry } from "../store/geometry.ts";
import { type NewFileOwner, OWN_NEW_FILES, ownerLikeDatabase } from "../store/ownership.ts";
import { type ReplicaTarget, shardIsClean, shardIsMade } from "../store/replica-dir.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";
import type { CompareEvent } from "./compare/compare-types.ts";
import { ConnectionBudget } from "./connection-budget.ts";
import { ConnectionGate } from "./connection-gate.ts";
import { FileWatch } from "./file-watch.ts";
import type { FollowerReport, FollowerSettings, ShardSnapshot } from "./follower-types.ts";
import { HeldUpLog } from "./held-up-log.ts";
import { ReplicaMaker } from "./replica-maker.ts";
import { leftOf, savedFacts, savedFrom } from "./saved-shards.ts";
import { ShardCrew, type ShardSlot, type ShardView } from "./shard-crew.ts";
import type { ShardCommand, ShardMessage } from "./shard-messages.ts";
import { StateKeeper, type StateNow } from "./state-keeper.ts";
import type { SupervisorOptions } from "./supervisor-types.ts";
import { Vouching } from "./vouching.ts";

export class Supervisor {
  readonly leader: string;
  readonly #options: SupervisorOptions;
  readonly #crew: ShardCrew;
  readonly #budget: ConnectionBudget;
  readonly #gate: ConnectionGate;
  readonly #vouching: Vouching;
  readonly #maker: ReplicaMaker;
  readonly #files: FileWatch;
  readonly #heldUp: HeldUpLog;
  #geometry: Geometry | null;
  #owner: NewFileOwner = OWN_NEW_FILES;
  #protocol: ProtocolVersion | null;
  #stopping = false;
  #isOver = false;
  /** A ShardInfo of this run fitted. */
  #hasFitted = false;
  #wasReady = false;
  readonly #state: StateKeeper;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.leader = formatAddress(options.shared);
    const { disk, clock, net, shared, target } = options;
    this.#geometry = target.kind === "existing" ? target.geometry : null;
    this.#protocol = this.#known?.protocol ?? null;
    // With another name for it the leader may still be the same process.
    const usedAtMs = target.state?.connectionsAtMs ?? [];
    this.#budget = new ConnectionBudget(clock, options.connectionsPerDay, usedAtMs);
    this.#crew = new ShardCrew({
      ...{ clock, startThread: options.startThread, startingMax: options.startingMax },
      ...{ once: shared.once, reported: options.reported },
      settingsOf: (shard, slot) => this.#settingsOf(shard, slot),
      isMade: (shard) => shardIsMade(disk, shared.dir, shard),
      received: (shard, message) => this.#received(shard, message),
      isClean: (shard) => shardIsClean(disk, shared.dir, shard),
      mayRestart: () => this.#files.lost === null,
      died: (shard) => {
        this.#files.forget(shard);
        this.#gate.threadGone(shard);
        this.#vouching.forget(shard);
      },
      ended: () => this.#lookIfEnded(),
    });
    const send = (shard: number, command: ShardCommand) => this.#crew.send(shard, command);
    this.#gate = new ConnectionGate({
      ...{ clock, budget: this.#budget },
      mayDial: () => this.#vouching.mayDial(),
      granted: (shard, request) => {
        this.#vouching.granted(shard);
        send(shard, { kind: "granted", request });
      },
      held: (shard, request, untilMs, limit) =>
        send(shard, { kind: "held", request, untilMs, limit }),
    });
    this.#heldUp = new HeldUpLog(clock, options.reported);
    this.#vouching = new Vouching({
      ...{ net, clock, leader: { host: shared.host, port: shared.port } },
      stillToCome: () => (this.#areAllKnown ? this.#crew.stillToCome : null),
      mayConnect: () => this.#mayConnectBeside(),
      mayAsk: () => this.#protocol === 2 || this.#budget.waitMs(0) === 0,
      accepted: () => this.#gate.acceptedOther(this.#protocol),
      settled: () => this.#gate.look(),
      vouched: (shard, link, lives) => send(shard, { kind: "vouched", link, lives }),
    });
    this.#files = new FileWatch({
      ...{ disk, clock, dir: shared.dir },
      shards: () => this.#crew.slots,
      ended: () => this.#lookIfEnded(),
    });
    const lock = () => {
      options.lock();
      this.#files.begin();
    };
    this.#maker = new ReplicaMaker({
      ...{ disk, dir: shared.dir, target, lock, refusal: options.refusal },
      save: () => this.#state.save(this.#stateNow(false), "durable"),
      made: () => this.#files.made(),
    });
    this.#state = new StateKeeper({
      ...{ disk, clock, dir: shared.dir, leader: this.leader, found: target.state },
      missing: target.kind === "existing" ? target.missingShards : [],
      connectionsAtMs: () => this.#budget.madeAtMs,
      now: () => this.#stateNow(this.#crew.areAllMade),
      hasFitted: () => this.#hasFitted,
      names: () => this.#files.names,
      warn: (text) => options.reported({ kind: "log", shard: null, level: "warn", text }),
    });
  }

  /** What an earlier run knew of this leader. */
  get #known(): ReplicaTarget["state"] {
    const { state } = this.#options.target;
    return state?.leader === this.leader ? state : null;
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

  /** Unix time of the next connection that the budget allows, where a shard waits for one. */
  get connectionsNextAtMs(): number | null {
    return this.#gate.nextAtMs;
  }

  /** Of the state file: when it was saved last, and why it could not be. */
  get saved(): { readonly atMs: number | null; readonly failure: string | null } {
    return { atMs: this.#state.savedAtMs, failure: this.#state.failure };
  }

  /** The last snapshot of every shard that has one. */
  get snapshots(): readonly ShardSnapshot[] {
    return this.#crew.views.flatMap(({ snapshot }) => snapshot ?? []);
  }

  /** Every shard that was started, by number; all of them once the geometry is known. */
  get shards(): readonly ShardView[] {
    return this.#crew.views;
  }

  /** Starts all shards of an existing directory, or the first of a new one. */
  start(): void {
    const { target, disk, shared } = this.#options;
    if (target.kind === "existing") {
      this.#owner = ownerLikeDatabase(disk, shared.dir);
      this.#maker.takeOver(target.missingShards, target.geometry.shardCount);
      this.#crew.add(target.geometry.shardCount, (shard) => !target.missingShards.includes(shard));
    } else {
      this.#crew.add(1, () => false);
    }
  }

  /** What a shard begins with: what its thread last said, where one died, else the state file. */
  #settingsOf(shard: number, { exists, restarts, snapshot }: ShardSlot): FollowerSettings {
    const { shared, clock } = this.#options;
    return {
      ...{ ...shared, shard, exists, owner: this.#owner, geometry: this.#geometry },
      protocol: this.#protocol ?? 2,
      followedBefore: this.#known !== null || restarts > 0,
      saved:
        snapshot === null
          ? savedFacts(leftOf(this.#options.target.state, this.leader, shard), clock)
          : savedFrom(snapshot),
    };
  }

  #received(shard: number, message: ShardMessage): void {
    switch (message.kind) {
      case "ask":
        this.#crew.begun(shard);
        return this.#gate.ask(shard, message.request, message.protocol);
      case "drop":
        return this.#gate.drop(shard, message.request);
      case "tell":
        if (message.what === "scanning") this.#vouching.scanning();
        return this.#gate.tell(shard, message.request, message.what);
      case "confirming":
        return this.#vouching.confirming(shard, message.link);
      case "gone":
        return this.#vouching.gone(shard, message.link, message.mayStop);
      case "holds":
        return this.#files.holds(shard, message.held);
      case "save":
        return this.#save(shard, { kind: "snapshot", snapshot: message.snapshot });
      case "learned":
        return this.#learned(message.info, message.protocol);
      case "prepare": {
        const error = this.#maker.prepare(shard, message.info);
        return this.#crew.send(shard, { kind: "prepared", error });
      }
      case "compare":
        return this.#crew.compared(shard, message.id, message.event);
      case "crashed":
        return this.#crew.died(shard, message.reason);
      default:
        return this.#report(shard, message);
    }
  }

  /** A ShardInfo that fits. The first of a new directory: the other shards can start, and need not try the protocols again. */
  #learned(info: ShardInfo, protocol: ProtocolVersion): void {
    if (!this.#hasFitted) this.#options.learned?.(protocol);
    this.#hasFitted = true;
    this.#protocol = protocol;
    if (this.#geometry !== null || this.#stopping) return;
    // The first shard ends with it, before anything is made.
    if (this.#options.refusal(info.shardCount) !== null) return;
    const { shardCount, shardPrefixBits, keyLen, valueLen } = info;
    this.#geometry = { shardCount, shardPrefixBits, keyLen, valueLen };
    this.#crew.add(shardCount, () => false);
  }

  /** Whether the budget leaves a connection for what is no shard's, beside one for each shard and one of the wrong protocol. */
  #mayConnectBeside(): boolean {
    const shards = this.#geometry?.shardCount ?? SHARDS_MAX;
    return this.#protocol === 2 || this.#budget.waitMs(shards + 2) === 0;
  }

  /** The leader has said how many there are, and all of them are followed. */
  get #areAllKnown(): boolean {
    return this.#geometry !== null && this.#crew.slots.length === this.#geometry.shardCount;
  }

  /** What is told of a shard from here on, `ready` above all, holds over a kill: its state is durable before. */
  #save(shard: number, report: Extract<FollowerReport, { kind: "snapshot" }>): void {
    this.#crew.note(shard, report);
    if (this.#mayWrite) this.#state.trySave("durable");
    this.#report(shard, report);
  }

  #report(shard: number, report: FollowerReport): void {
    if (report.kind === "log" && this.#heldUp.takes(report)) return;
    if (report.kind === "ended") this.#files.forget(shard);
    this.#crew.note(shard, report);
    if (report.kind === "snapshot") {
      if (this.#mayWrite) this.#state.saveSometimes();
      this.#vouching.look();
    } else if (report.kind === "leader-restarted") this.#gate.leaderRestarted(shard);
    this.#options.reported(report);
    if (report.kind === "ready") this.#lookIfReady();
    if (report.kind === "ended") this.#lookIfEnded();
  }

  #lookIfReady(): void {
    if (this.#wasReady || !this.#areAllKnown) return;
    if (!this.#crew.slots.every((slot) => slot.ready)) return;
    this.#wasReady = true;
    this.#vouching.stop();
    this.#options.allReady();
  }

  #lookIfEnded(): void {
    const isWhole = this.#stopping || this.#geometry === null || this.#areAllKnown;
    if (this.#isOver || !isWhole || !this.#crew.slots.every((slot) => slot.ended)) return;
    this.#isOver = true;
    this.#crew.over();
    this.#gate.stop();
    this.#vouching.stop();
    this.#files.stop();
    this.#heldUp.flush();
    if (this.#mayWrite) this.#state.trySave("durable");
    const { error } = this.#crew;
    this.#options.allEnded(error === null ? null : fromPlainError(error));
  }

  /** The directory is made and locked, and still the one that its name means. */
  get #mayWrite(): boolean {
    return this.#maker.isMade && this.#files.lost === null;
  }

  /** Asks every shard for a scan now. */
  rescan(shard: number | null): void {
    this.#crew.rescan(shard);
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
    this.#files.lookAtAll();
    return this.#crew.compare(shard, differencesMax, received);
  }

  /** Stops every shard in good order; `allEnded` follows. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#vouching.stop();
    // What is lost is not closed in good order.
    this.#files.lookAtAll();
    this.#crew.stop();
    this.#lookIfEnded();
  }

  /** What the state file is to hold, all shards made or not yet. */
  #stateNow(created: boolean): StateNow {
    const snapshots = this.#crew.slots.map((slot) => slot.snapshot);
    return { protocol: this.#protocol, created, owner: this.#owner, snapshots };
  }
}
