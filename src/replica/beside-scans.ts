// When and how a shard scans on a second connection (protocol 1): asks for the connection, runs one scan at a time, and has
// another one planned when it fails. Used by shard-follower.ts.

import type { RandomSource } from "../io/clock.ts";
import { Backoff } from "./backoff.ts";
import { BesideScan, type BesideScanOptions } from "./beside-scan.ts";
import type { AckPacer } from "./ack-pacer.ts";
import type { Connector } from "./connector.ts";
import type { FollowerHost, FollowerSettings } from "./follower-types.ts";
import { troubleOf } from "./leader-trouble.ts";
import type { ScanPlanner } from "./scan-planner.ts";
import type { ScanRun } from "./scan-run.ts";
import type { ShardBody } from "./shard-body.ts";
import type { ShardLink } from "../link/shard-link.ts";
import { Timers } from "../io/timers.ts";

type FromFollower = Pick<
  BesideScanOptions,
  "net" | "clock" | "figures" | "healed" | "observer" | "chunkEnded" | "guard"
>;

export interface BesideScansOptions extends FromFollower {
  readonly settings: FollowerSettings;
  readonly host: FollowerHost;
  readonly random: RandomSource;
  readonly connector: Connector;
  readonly planner: ScanPlanner;
  /** The main connection is there: a scan beside it has a meaning. */
  isWanted(): boolean;
  newPacer(link: ShardLink, body: ShardBody): AckPacer;
  scanIsWhole(scan: ScanRun): void;
}

export class BesideScans {
  readonly #options: BesideScansOptions;
  readonly #timers: Timers<"acquire">;
  readonly #backoff: Backoff;
  #scan: BesideScan | null = null;

  constructor(options: BesideScansOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#backoff = new Backoff(options.random);
  }

  /** Starts a scan as soon as there may be a connection, unless one runs or waits. */
  start(body: ShardBody): void {
    const { host, isWanted, guard } = this.#options;
    if (this.#scan !== null || this.#timers.has("acquire")) return;
    host.acquireConnection(1, (waitMs) => {
      if (!isWanted() || this.#scan !== null) return;
      if (waitMs > 0) this.#timers.set("acquire", waitMs, () => this.start(body));
      else guard(() => this.#connect(body));
    });
  }

  #connect(body: ShardBody): void {
    const { settings, connector, figures, newPacer } = this.#options;
    const { host, port, shard } = settings;
    figures.connections++;
    this.#scan = new BesideScan({
      ...this.#options,
      link: { host, port, shard, windowFor: (shardCount) => connector.windowFor(shardCount) },
      body,
      hasStream: figures.streaming !== "polling",
      newPacer: (link) => newPacer(link, body),
      finished: (scan, adds) => this.#finished(scan, adds),
      failed: (end) => {
        const trouble = troubleOf(end, 1);
        this.#failed("text" in trouble ? trouble.text : "the scan was cut short");
      },
    });
  }

  #finished(scan: ScanRun, adds: boolean): void {
    const { figures, observer, planner, scanIsWhole } = this.#options;
    this.#scan = null;
    if (adds) scanIsWhole(scan);
    else {
      observer.scanBroke("the leader ended its scan early");
      planner.again(this.#backoff.next());
    }
    figures.showStreaming();
  }

  #failed(text: string): void {
    const { figures, observer, planner } = this.#options;
    this.#scan = null;
    observer.scanBroke(text);
    figures.error(`scan beside the stream: ${text}`);
    figures.showStreaming();
    planner.again(this.#backoff.next());
  }

  /** A whole scan came through: a later failure starts again with the shortest pauses. */
  progressed(): void {
    this.#backoff.progressed();
  }

  /** Gives up the one that runs or waits. */
  close(): void {
    this.#timers.cancel("acquire");
    this.#scan?.close();
    this.#scan = null;
  }
}
