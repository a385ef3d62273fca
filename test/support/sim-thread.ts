// A shard's thread as the supervisor sees it, run in the test's own thread: messages take a turn of the clock each way, as in
// shard-thread.ts. It can be killed and can die; its timers, links and syncs go with it.

import { join } from "node:path";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import type { Clock } from "../../src/io/clock.ts";
import type { Disk } from "../../src/io/disk.ts";
import type { Flusher } from "../../src/io/flusher.ts";
import type { Link, Net } from "../../src/io/net.ts";
import { runFlushJob } from "../../src/replica/threads/flush-job.ts";
import type { ShardFollower } from "../../src/replica/shard-follower.ts";
import type { ShardCommand, ShardMessage } from "../../src/replica/shard-messages.ts";
import { SharedCells } from "../../src/replica/threads/shared-cells.ts";
import type { ShardThread } from "../../src/replica/threads/start-shard.ts";
import type { NewFileOwner } from "../../src/store/ownership.ts";

export class SimThread implements ShardThread {
  readonly shard: number;
  readonly clock: Clock;
  readonly #machine: Clock;
  readonly #died: (reason: string) => void;
  readonly #links = new Set<Link>();
  readonly #received: (message: ShardMessage) => void;
  #follower: ShardFollower | null = null;
  readonly cells = new SharedCells();
  #over = false;
  /** Sees each message at the moment it is sent. */
  observe: (message: ShardMessage) => void = () => {};

  constructor(
    shard: number,
    machine: Clock,
    received: (message: ShardMessage) => void,
    died: (reason: string) => void,
  ) {
    this.shard = shard;
    this.#machine = machine;
    this.#died = died;
    this.clock = {
      nowMs: () => machine.nowMs(),
      wallMs: () => machine.wallMs(),
      after: (delayMs, run) => machine.after(delayMs, () => this.#turn(run)),
    };
    this.#received = received;
  }

  /** The follower's word to its supervisor. */
  readonly say = (message: ShardMessage): void => {
    this.observe(message);
    this.#machine.after(0, () => this.#turn(() => this.#received(message)));
  };

  /** A frame came. */
  readonly heard = (atMs: number): void => {
    this.cells.noteFrame(atMs);
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
        this.clock.after(syncMs(), () => done(runFlushJob(disk, file, directory, owner, job)));
      },
      stop: () => file.close(),
    };
  }

  send(command: ShardCommand): void {
    if (command.kind === "stop") this.cells.stop();
    this.clock.after(0, () => this.#follower?.take(command));
  }

  /** Nothing more is heard of it. */
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
}
