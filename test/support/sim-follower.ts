// A whole follower in one thread and simulated time: the program's Supervisor and ShardFollowers over a RecordingDisk, a
// MemoryNet and a ManualClock. Only the thread boundary is simulated: every message and every sync takes a turn of the clock.

import type { ArmdbError } from "../../src/errors.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import type { Net } from "../../src/io/net.ts";
import type { FollowerReport, ShardSnapshot } from "../../src/replica/follower-types.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { ShardFollower } from "../../src/replica/shard-follower.ts";
import type { ShardMessage } from "../../src/replica/shard-messages.ts";
import type { StartShard } from "../../src/replica/threads/start-shard.ts";
import { Supervisor } from "../../src/replica/supervisor.ts";
import type { SharedSettings } from "../../src/replica/supervisor-types.ts";
import { lookAtTarget } from "../../src/store/replica-dir.ts";
import { Dice } from "./dice.ts";
import { SimThread } from "./sim-thread.ts";

export const SIM_DIR = "/replica";

export interface SimFollowerOptions {
  readonly clock: Clock;
  readonly net: Net;
  readonly disk: Disk;
  readonly port: number;
  readonly settings?: Partial<SharedSettings>;
  readonly connectionsPerDay?: number | null;
  /** How long each sync takes; 1 ms unless told. */
  readonly syncMs?: () => number;
  readonly seed?: number;
  /** Takes the directory's lock; nothing unless told. */
  readonly lock?: () => void;
  /** Sees each message at the moment a shard sends it. */
  readonly observe?: (message: ShardMessage) => void;
  /** Sees each report at the moment at which it is told outside. */
  readonly told?: (report: FollowerReport) => void;
  /** Hears what the program shows; reports are then not kept. */
  readonly shown?: {
    reported(report: FollowerReport, supervisor: Supervisor): void;
    allReady(supervisor: Supervisor): void;
  };
}

const SETTINGS: Omit<SharedSettings, "port"> = {
  host: "127.0.0.1",
  dir: SIM_DIR,
  once: false,
  resyncMs: 3_600_000,
  pollMs: 300_000,
  windowAcks: 64,
  limitRateBytes: null,
  sync: "group",
  acceptLeader: false,
};

export class SimFollower {
  readonly supervisor: Supervisor;
  readonly reports: FollowerReport[] = [];
  readonly #options: SimFollowerOptions;
  readonly #threads = new Set<SimThread>();
  #killed = false;
  ready = false;
  /** How it ended: the first failed shard's error, or null in good order; undefined while it runs. */
  ended: ArmdbError | null | undefined;

  /** How often it has said that it ended. */
  endings = 0;

  /** Starts at once. Throws what `replicate` would say of the directory. */
  constructor(options: SimFollowerOptions) {
    this.#options = options;
    const { clock, disk, net, port } = options;
    this.supervisor = new Supervisor({
      disk,
      clock: {
        nowMs: () => clock.nowMs(),
        wallMs: () => clock.wallMs(),
        after: (delayMs, run) => clock.after(delayMs, () => (this.#killed ? undefined : run())),
      },
      net,
      target: lookAtTarget(disk, SIM_DIR),
      startThread: this.#startShard,
      startingMax: 4,
      refusal: () => null,
      shared: { ...SETTINGS, port, ...options.settings },
      connectionsPerDay: options.connectionsPerDay === undefined ? 1000 : options.connectionsPerDay,
      lock: options.lock ?? (() => {}),
      reported: (report) => {
        options.told?.(report);
        if (options.shown === undefined) this.reports.push(report);
        else options.shown.reported(report, this.supervisor);
      },
      allReady: () => {
        this.ready = true;
        options.shown?.allReady(this.supervisor);
        if (options.settings?.once === true) this.supervisor.stop();
      },
      allEnded: (error) => {
        this.ended = error;
        this.endings++;
      },
    });
    this.supervisor.start();
  }

  /** Reports of one kind, in order. */
  reportsOf<Kind extends FollowerReport["kind"]>(
    kind: Kind,
  ): Extract<FollowerReport, { kind: Kind }>[] {
    return this.reports.filter(
      (report): report is Extract<FollowerReport, { kind: Kind }> => report.kind === kind,
    );
  }

  /** The last snapshot of a shard. */
  shard(shard = 0): ShardSnapshot {
    const snapshot = this.supervisor.snapshots.find((one) => one.shard === shard);
    if (snapshot === undefined) throw new Error(`shard ${shard} has not reported yet`);
    return snapshot;
  }

  /** Every state a shard went through, in order. */
  states(shard = 0): string[] {
    const states = this.reportsOf("state").filter((report) => report.shard === shard);
    return states.map((report) => report.state);
  }

  /** All warnings and remarks, as text. */
  get log(): string[] {
    return this.reportsOf("log").map((report) => report.text);
  }

  /** kill -9: nothing more is done or said. */
  kill(): void {
    this.#killed = true;
    for (const thread of this.#threads) thread.kill();
    this.ended = null;
  }

  /** The thread of one shard dies, as an uncaught error would make it. */
  killThread(shard: number, reason: string): void {
    for (const thread of this.#threads) {
      if (thread.shard !== shard) continue;
      this.#threads.delete(thread);
      thread.die(reason);
    }
  }

  readonly #startShard: StartShard = (settings, received, died) => {
    const { clock, disk, net, syncMs, seed, observe } = this.#options;
    const dice = new Dice((seed ?? 1) + settings.shard);
    const thread = new SimThread(settings.shard, clock, received, died);
    if (observe !== undefined) thread.observe = observe;
    const sync = syncMs ?? (() => 1);
    thread.run(
      () =>
        new ShardFollower(settings, {
          send: thread.say,
          heard: thread.heard,
          attention: thread.cells,
          clock: thread.clock,
          disk,
          net: thread.netOf(net),
          random: { fraction: () => dice.below(1_000_000) / 1_000_000 },
          newFlusher: (directory) => thread.newFlusher(disk, directory, settings.owner, sync),
          newApplier: (shard, layout, slots) => new PlainApplier(shard, layout, slots),
        }),
    );
    this.#threads.add(thread);
    return thread;
  };
}
