// Every alert of docs/operating.md, with the rules as printed and a follower in simulated time: each is provoked once, and all are
// silent where nothing is wrong.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { packMeta, STATUS_FREE } from "../../src/format/slot.ts";
import { metricsText } from "../../src/status/metrics.ts";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import { readState, saveState } from "../../src/store/state-file.ts";
import { sourceOf } from "../status/lag-stage.ts";
import { scriptedSlot } from "../support/leader-scripts.ts";
import { SIM_DIR, type SimFollower, type SimFollowerOptions } from "../support/sim-follower.ts";
import { type Generation, GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { Prometheus, readRules } from "./alert-rules.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** As Prometheus does unless told. */
const SCRAPE_MS = MINUTE_MS;
const FIGURES = { residentBytes: 1, cpuSeconds: 1, droppedLines: 0 };
const IDENTITY = { version: "0.1.0", commit: "unknown", directory: SIM_DIR };

const rules = readRules();

/** A follower of 50 records that is scraped. */
class Watched {
  readonly stage: SimStage;
  readonly #prometheus = new Prometheus(rules);
  #follower: SimFollower | null = null;
  /** Done between two scrapes. */
  meanwhile = () => {};

  constructor(generation: Generation = 1) {
    this.stage = new SimStage({ generation });
    for (let slot = 0; slot < 50; slot++) this.stage.leader.put(0, slot, 1);
  }

  get follower(): SimFollower {
    if (this.#follower === null) throw new Error("nobody follows");
    return this.#follower;
  }

  follow(options: Partial<SimFollowerOptions> = {}): void {
    this.#follower = this.stage.follow(options);
  }

  /** Follows, and goes on until it is live. */
  live(options: Partial<SimFollowerOptions> = {}): void {
    this.follow(options);
    this.stage.until("live", () => this.follower.states().at(-1) === "live", 20_000);
    this.pass(MINUTE_MS);
  }

  stop(): void {
    const { follower } = this;
    follower.supervisor.stop();
    this.stage.until("stopped", () => follower.ended !== undefined, 20_000);
    this.#follower = null;
  }

  pass(ms: number): void {
    for (let passedMs = 0; passedMs < ms; passedMs += SCRAPE_MS) {
      this.meanwhile();
      this.stage.clock.advance(SCRAPE_MS);
      const { clock } = this.stage;
      this.#prometheus.scrape(clock.wallMs(), this.#follower === null ? null : this.#metrics());
    }
  }

  #metrics(): string {
    const document = sourceOf(this.stage, this.follower).document();
    return metricsText(document, FIGURES, IDENTITY, 30_000);
  }

  get fired(): string[] {
    return [...this.#prometheus.fired].sort();
  }
}

/** A version 1 of a slot that is older than the follower's. */
function diverge(watched: Watched): void {
  const { leader } = watched.stage;
  leader.put(0, 3, 2);
  watched.pass(MINUTE_MS);
  leader.stop();
  leader.set(0, 3, 1, 1);
  leader.start();
}

/** What each alert is about, made to happen. */
const PROVOKED: Readonly<Record<string, () => Watched>> = {
  ArmdbFollowerGone: () => {
    const watched = new Watched();
    watched.live();
    watched.stop();
    watched.pass(3 * MINUTE_MS);
    return watched;
  },
  ArmdbUnhealthy: () => withoutLeader(6 * MINUTE_MS),
  ArmdbLagging: () => withoutLeader(7 * MINUTE_MS),
  ArmdbNotLive: () => withoutLeader(31 * MINUTE_MS),
  ArmdbScanOverdue: () => withoutLeader(4 * HOUR_MS),
  ArmdbDiverged: () => {
    const watched = new Watched();
    watched.live();
    diverge(watched);
    watched.pass(10 * MINUTE_MS);
    return watched;
  },
  ArmdbHealing: () => {
    const watched = new Watched(1);
    watched.live();
    watched.stage.leader.set(0, 3, 5, 5);
    watched.pass(HOUR_MS + 5 * MINUTE_MS);
    return watched;
  },
  ArmdbResetsSaved: () => {
    const watched = new Watched(3);
    watched.live();
    const { layout, shards } = watched.stage.leader;
    const reset = scriptedSlot(
      3,
      packMeta(STATUS_FREE, 9),
      layout,
      new Uint8Array(8),
      new Uint8Array(16),
    );
    shards[0]?.ring.push(reset);
    shards[0]?.streaming?.eventsWait();
    watched.pass(MINUTE_MS);
    return watched;
  },
  ArmdbReconnecting: () => {
    const watched = new Watched(3);
    watched.live();
    watched.meanwhile = () => watched.stage.net.open.at(-1)?.reset();
    watched.pass(10 * MINUTE_MS);
    return watched;
  },
  ArmdbSlowDisk: () => {
    const watched = new Watched();
    watched.live({ syncMs: () => 90_000 });
    watched.meanwhile = () => watched.stage.leader.put(0, 1, 2);
    watched.pass(10 * MINUTE_MS);
    return watched;
  },
  ArmdbLeaderConnections: () => {
    const watched = new Watched(1);
    const { disk, clock } = watched.stage;
    watched.live();
    watched.stop();
    const state = readState(disk, SIM_DIR);
    if (state === null) throw new Error("nothing was saved");
    const connectionsAtMs = Array<number>(900).fill(clock.wallMs() - 1_000);
    saveState(disk, SIM_DIR, { ...state, connectionsAtMs }, OWN_NEW_FILES);
    watched.follow();
    watched.pass(MINUTE_MS);
    return watched;
  },
  ArmdbThreadDied: () => {
    const watched = new Watched();
    watched.live();
    watched.follower.killThread(0, "a bug");
    watched.pass(2 * MINUTE_MS);
    return watched;
  },
};

function withoutLeader(ms: number): Watched {
  const watched = new Watched();
  watched.live();
  watched.stage.leader.stop();
  watched.pass(ms);
  return watched;
}

describe("an alert of docs/operating.md", () => {
  test("is provoked below, each of them", () => {
    expect(Object.keys(PROVOKED).sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  for (const [alert, provoke] of Object.entries(PROVOKED)) {
    test(`${alert} fires when what it is about happens`, () => {
      expect(provoke().fired).toContain(alert);
    });
  }
});

for (const generation of GENERATIONS) {
  describe(`no alert fires on a follower (generation ${generation})`, () => {
    test("that is new, and whose leader writes", () => {
      const watched = new Watched(generation);
      watched.follow();
      watched.meanwhile = () => watched.stage.leader.put(0, 7, 2);
      watched.pass(4 * HOUR_MS);
      expect(watched.fired).toEqual([]);
    });

    test("whose leader is idle", () => {
      const watched = new Watched(generation);
      watched.follow();
      watched.pass(4 * HOUR_MS);
      expect(watched.fired).toEqual([]);
    });

    test("that is restarted with its leader, hours later too", () => {
      const watched = new Watched(generation);
      watched.live();
      watched.pass(HOUR_MS);
      watched.stop();
      watched.stage.leader.stop();
      watched.pass(MINUTE_MS);
      watched.stage.leader.start();
      watched.live();
      watched.pass(4 * HOUR_MS);
      expect(watched.fired).toEqual([]);
    });
  });
}
