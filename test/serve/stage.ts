// A leader on a memory net with a manual clock, ready to be followed: what most tests of src/serve begin with.

import { NO_LIVE_EVENTS, type LiveSource } from "../../src/serve/live-source.ts";
import type { FollowerReport } from "../../src/serve/report.ts";
import { LeaderServer } from "../../src/serve/server.ts";
import type { ServedDatabase } from "../../src/serve/served-database.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { TestFollower, type TestFollowerOptions } from "./test-follower.ts";

export class Stage {
  readonly clock = new ManualClock();
  readonly net = new MemoryNet(this.clock);
  readonly reports: FollowerReport[] = [];
  readonly server: LeaderServer;

  constructor(database: ServedDatabase, live: LiveSource = NO_LIVE_EVENTS) {
    const { net, clock } = this;
    const report = (one: FollowerReport) => void this.reports.push(one);
    this.server = LeaderServer.start({ net, clock, database, live, report }, "127.0.0.1", 0);
  }

  /** Connects a follower; `settle` is left to the test. */
  follow(options: Partial<TestFollowerOptions> = {}): TestFollower {
    const whole = { shard: 0, protocol: 2, flags: 0, ...options };
    return new TestFollower(this.net, this.clock, this.server.port, whole);
  }

  /** Connects a follower and lets all happen that takes no time. */
  followed(options: Partial<TestFollowerOptions> = {}): TestFollower {
    const follower = this.follow(options);
    this.clock.settle();
    return follower;
  }

  /** Reasons of connections that ended, in order. */
  get endReasons(): string[] {
    return this.reports.flatMap((report) => (report.state === "ended" ? [report.reason] : []));
  }
}
