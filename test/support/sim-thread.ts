// A shard's thread as the supervisor sees it, run in the test's own thread: messages take a turn of the clock each way, as in
// shard-thread.ts. It can be killed and can die; its timers, links and syncs go with it.

import { fromPlainError, type PlainError } from "../../src/errors.ts";
import { join } from "node:path";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import type { Flusher } from "../../src/io/flusher.ts";
import type { Link, Net } from "../../src/io/net.ts";
import type { CompareEvent } from "../../src/replica/compare/compare-types.ts";
import type { DifferenceRecorder } from "../../src/replica/compare/difference-recorder.ts";
import { runFlushJob } from "../../src/replica/threads/flush-job.ts";
import type { FollowerHost, FollowerReport } from "../../src/replica/follower-types.ts";
import type { ShardFollower } from "../../src/replica/shard-follower.ts";
import type { ShardCommand, ShardMessage } from "../../src/replica/threads/shard-thread.ts";
import { SharedCells } from "../../src/replica/threads/shared-cells.ts";
import type { ShardThread } from "../../src/replica/threads/shard-threads.ts";
import type { NewFileOwner } from "../../src/store/ownership.ts";

export class SimThread implements ShardThread {
  readonly shard: number;
  readonly clock: Clock;
  readonly #machine: Clock;
  readonly #received: (message: ShardMessage) => void;
  readonly #died: (reason: string) => void;
  readonly #links = new Set<Link>();
  #preparing: ((error: PlainError | null) => void) | null = null;
  #follower: ShardFollower | null = null;
  #comparison = 0;
  readonly cells = new SharedCells();
  #over = false;
  /** Compares when the supervisor asks for it. */
  recorder: DifferenceRecorder | null = null;
  /** Sees each report at the moment it is made. */
  observe: (report: FollowerReport) => void = () => {};

  constructor(
    shard: number,
    machine: Clock,
    received: (message: ShardMessage) => void,
    died: (reason: string) => void,
  ) {
    this.shard = shard;
    this.#machine = machine;
    this.#received = received;
    this.#died = died;
    this.clock = {
      nowMs: () => machine.nowMs(),
      wallMs: () => machine.wallMs(),
      after: (delayMs, run) => machine.after(delayMs, () => this.#turn(run)),
    };
  }

  /** What the shard's follower asks and reports. */
  readonly host: FollowerHost = {
    prepare: (info, done) => {
      this.#preparing = done;
      this.#post({ kind: "prepare", info });
    },
    learned: (info, protocol) => this.#post({ kind: "learned", info, protocol }),
    ask: (request, protocol) => this.#post({ kind: "ask", request, protocol }),
    drop: (request) => this.#post({ kind: "drop", request }),
    tell: (request, what) => this.#post({ kind: "tell", request, what }),
    confirming: (link) => this.#post({ kind: "confirming", link }),
    save: () => this.#post({ kind: "save" }),
    holds: (held) => this.#post({ kind: "holds", held }),
    report: (report) => {
      this.observe(report);
      this.#post({ kind: "report", report });
    },
    heard: (atMs) => this.cells.noteFrame(atMs),
  };

  /** Makes the follower in a turn of its own, and starts it. */
  run(make: () => ShardFollower): void {
    this.clock.after(0, () => {
      this.#follower = make();
      this.#follower.start();
    });
  }

  /** The machine's network, as long as the thread lives. */
  netOf(net: Net): Net {
    return {
      listen: (options) => net.listen(options),
      connect: (options, events) => {
        const link = net.connect(options, {
          opened: (one) => this.#turn(() => events.opened(one)),
          received: (one, chunk) => this.#turn(() => events.received(one, chunk)),
          ended: (one, end) => {
            this.#links.delete(one);
            this.#turn(() => events.ended(one, end));
          },
        });
        this.#links.add(link);
        return link;
      },
    };
  }

  /** Syncs that take `syncMs` and hold nobody up. */
  newFlusher(disk: Disk, directory: string, owner: NewFileOwner, syncMs: () => number): Flusher {
    const file = disk.open(join(directory, SHARD_FILE), "write");
    return {
      flush: (job, done) => {
        this.clock.after(syncMs(), () => {
          done(runFlushJob(disk, file, directory, owner, job));
        });
      },
      stop: () => file.close(),
    };
  }

  send(command: ShardCommand): void {
    if (command.kind === "stop") this.cells.stop();
    this.clock.after(0, () => {
      switch (command.kind) {
        case "prepared": {
          const done = this.#preparing;
          this.#preparing = null;
          return done?.(command.error);
        }
        case "follow":
          throw new Error("a thread follows one shard");
        case "granted":
          return this.#follower?.granted(command.request);
        case "held":
          return this.#follower?.held(command.request, command.untilMs, command.limit);
        case "vouched":
          return this.#follower?.vouched(command.link, command.lives);
        case "rescan":
          return this.#follower?.rescan();
        case "compare":
          this.#comparison = command.id;
          return this.recorder?.start(command.differencesMax);
        case "compare-stop":
          return this.recorder?.stop();
        case "lost":
          return this.#follower?.failed(fromPlainError(command.error));
        case "stop":
          return this.#follower?.stop();
      }
    });
  }

  rescan(): void {
    this.#follower?.rescan();
  }

  /** What the comparison has to say. */
  compared(event: CompareEvent): void {
    this.#post({ kind: "compare", id: this.#comparison, event });
  }

  kill(): void {
    this.#over = true;
    for (const link of this.#links) link.close();
  }

  /** Ends as by an uncaught error. */
  die(reason: string): void {
    this.kill();
    this.#machine.after(0, () => this.#died(reason));
  }

  #turn(run: () => void): void {
    if (!this.#over) run();
  }

  #post(message: ShardMessage): void {
    this.#machine.after(0, () => this.#turn(() => this.#received(message)));
  }
}
