// A whole follower in one thread and simulated time: the program's Supervisor and ShardFollowers over a RecordingDisk, a
// MemoryNet and a ManualClock. Only the thread boundary is simulated: every message and every sync takes a turn of the clock.

import { ArmdbError, toPlainError, type PlainError } from "../../src/errors.ts";
import { join } from "node:path";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import type { Flusher } from "../../src/io/flusher.ts";
import type { Net } from "../../src/io/net.ts";
import { runFlushJob } from "../../src/replica/flush-job.ts";
import type { FollowerReport, ShardSnapshot } from "../../src/replica/follower-types.ts";
import { PlainApplier } from "../../src/replica/plain-applier.ts";
import { ShardFollower } from "../../src/replica/shard-follower.ts";
import type { ShardMessage } from "../../src/replica/shard-thread.ts";
import {
  type SharedSettings,
  type StartShard,
  Supervisor,
} from "../../src/replica/supervisor.ts";
import { lookAtTarget } from "../../src/store/replica-dir.ts";
import type { NewFileOwner } from "../../src/store/ownership.ts";
import { Dice } from "./dice.ts";

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
  ready = false;
  /** How it ended: the first failed shard's error, or null in good order; undefined while it runs. */
  ended: ArmdbError | null | undefined;

  /** Starts at once. Throws what `replicate` would say of the directory. */
  constructor(options: SimFollowerOptions) {
    this.#options = options;
    const { clock, disk, port } = options;
    this.supervisor = new Supervisor({
      disk,
      clock,
      target: lookAtTarget(disk, SIM_DIR),
      startShard: this.#startShard,
      shared: { ...SETTINGS, port, ...options.settings },
      connectionsPerDay: options.connectionsPerDay === undefined ? 1000 : options.connectionsPerDay,
      lock: () => {},
      reported: (report) => void this.reports.push(report),
      allReady: () => {
        this.ready = true;
        if (options.settings?.once === true) this.supervisor.stop();
      },
      allEnded: (error) => {
        this.ended = error;
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
    for (const thread of this.#threads) thread.kill();
    this.ended = null;
  }

  /** The thread of one shard dies, as an uncaught error would make it. */
  killThread(shard: number, reason: string): void {
    for (const thread of this.#threads) if (thread.shard === shard) thread.die(reason);
  }

  readonly #startShard: StartShard = (settings, received, died) => {
    const { clock, disk, net, syncMs, seed } = this.#options;
    const dice = new Dice((seed ?? 1) + settings.shard);
    const thread = new SimThread(settings.shard, clock, received, died);
    thread.run(
      () =>
        new ShardFollower(settings, thread.host, {
          clock: thread.clock,
          disk,
          net: thread.net(net),
          random: { fraction: () => dice.below(1_000_000) / 1_000_000 },
          newFlusher: (directory) =>
            simFlusher(thread.clock, disk, directory, settings.owner, syncMs ?? (() => 1)),
          newApplier: (shard, layout, slots) => new PlainApplier(shard, layout, slots),
        }),
    );
    this.#threads.add(thread);
    return thread;
  };
}

/** What a thread is to the supervisor, with messages that take a turn each way; see shard-thread.ts. */
class SimThread {
  readonly shard: number;
  readonly #clock: Clock;
  readonly #received: (message: ShardMessage) => void;
  readonly #died: (reason: string) => void;
  readonly #acquiring: ((waitMs: number) => void)[] = [];
  #preparing: ((error: PlainError | null) => void) | null = null;
  #follower: ShardFollower | null = null;
  #dead = false;

  constructor(
    shard: number,
    clock: Clock,
    received: (message: ShardMessage) => void,
    died: (reason: string) => void,
  ) {
    this.shard = shard;
    this.#clock = clock;
    this.#received = received;
    this.#died = died;
  }

  /** A clock whose timers die with the thread. */
  get clock(): Clock {
    const clock = this.#clock;
    return {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (ms, run) => clock.after(ms, () => void (this.#dead || run())),
    };
  }

  /** A net whose links fall silent with the thread. */
  net(net: Net): Net {
    return {
      listen: (options) => net.listen(options),
      connect: (options, events) => {
        const link = net.connect(options, {
          opened: (one) => void (this.#dead ? one.close() : events.opened(one)),
          received: (one, chunk) => void (this.#dead ? one.close() : events.received(one, chunk)),
          ended: (one, end) => void (this.#dead || events.ended(one, end)),
        });
        this.#links.push(link);
        return link;
      },
    };
  }

  readonly #links: { close(): void }[] = [];

  readonly host = {
    prepare: (info: Parameters<ShardFollower["start"]> extends [] ? never : never) => info,
  } as never;

  run(_make: () => ShardFollower): void {}
  send(): void {}
  kill(): void {}
  die(_reason: string): void {}
}

function simFlusher(
  clock: Clock,
  disk: Disk,
  directory: string,
  owner: NewFileOwner,
  syncMs: () => number,
): Flusher {
  const file = disk.open(join(directory, SHARD_FILE), "write");
  return {
    flush(job, done) {
      clock.after(syncMs(), () => {
        try {
          runFlushJob(disk, file, directory, owner, job);
          done(null);
        } catch (thrown) {
          if (!(thrown instanceof ArmdbError)) throw thrown;
          done(toPlainError(thrown));
        }
      });
    },
    stop: () => file.close(),
  };
}
