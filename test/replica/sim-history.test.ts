// Random histories in simulated time: writes, bursts past the ring, cut and silent connections, restarts of either side, torn slots;
// with every second seed, connects that fail at once.
// However it went, once the faults are over the replica ends with the leader's contents within one --resync, and never calls
// diverged what only came late; and at no moment is a lag below the true age of what is missing. A failure names its seed.

import { describe, expect, test } from "bun:test";
import { Dice } from "../support/dice.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { GENERATIONS, type Generation } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { TrueAge } from "../support/true-age.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { StatusSource } from "../../src/status/status-source.ts";

const SEEDS = 10;
const STEPS = 30;
const SHARDS = 2;
const SLOTS = 600;
const RESYNC_MS = 120_000;
const SETTINGS = { resyncMs: RESYNC_MS, pollMs: 60_000 };
/** A half-open connection is noticed, the longest pause of the backoff is waited, a scan comes round and is looked at twice. */
const HEALED_MS = 20_000 + 33_000 + RESYNC_MS + 10_000;
/** What a lag may be below the truth: cli.md, Lag of a shard, with a line that was idle a --resync ago. */
const LAG_BELOW_MS = 1_000 + 0.005 * RESYNC_MS;
const LOOK_MS = 500;

class History {
  readonly stage: SimStage;
  readonly steps: string[] = [];
  readonly #dice: Dice;
  readonly #truth: TrueAge;
  #follower: SimFollower;
  #source: StatusSource | null = null;
  #seed = 100;
  /** Lags below the truth. */
  readonly lies: string[] = [];

  constructor(generation: Generation, seed: number) {
    this.#dice = new Dice(seed);
    const failsAtOnce = seed % 2 === 0;
    this.stage = new SimStage({ generation, shards: SHARDS, slots: SLOTS, failsAtOnce });
    this.stage.disk.records = false;
    this.#truth = new TrueAge(this.stage);
    this.#write(2 * SLOTS);
    this.#follower = this.#follow();
  }

  get follower(): SimFollower {
    return this.#follower;
  }

  /** One random step, and a random pause after it. */
  step(): void {
    const { stage } = this;
    const steps: Record<string, () => void> = {
      writes: () => this.#write(this.#dice.below(300)),
      burst: () => this.#write(20_000),
      "writes over time": () => {
        for (let part = 0; part < 50; part++) {
          this.#write(this.#dice.below(60));
          this.pass(this.#dice.below(40));
        }
      },
      reset: () => {
        for (const connection of stage.net.open) if (this.#dice.oneIn(2)) connection.reset();
      },
      "pulled cable": () => {
        for (const connection of stage.net.open) {
          if (!this.#dice.oneIn(2)) continue;
          connection.silence();
          // The other end's system gives it up some time later.
          stage.clock.after(this.#dice.below(60_000), () => connection.reset("ETIMEDOUT"));
        }
      },
      "network stands still": () => {
        const held = stage.net.open.filter(() => this.#dice.oneIn(2));
        for (const { toConnector } of held) toConnector.hold();
        this.#write(this.#dice.pick([10, 40_000]));
        this.pass(this.#dice.below(4_000));
        for (const { toConnector } of held) toConnector.release();
      },
      "slow network": () => this.#slowNetwork(),
      "quick network": () => void (stage.net.onConnection = null),
      "leader restarts": () => {
        stage.leader.stop();
        this.pass(this.#dice.below(3_000));
        stage.leader.start();
      },
      "follower stops and starts": () => {
        this.#follower.supervisor.stop();
        stage.until("the end", () => this.#follower.ended !== undefined, 10_000);
        this.#follower = this.#follow();
      },
      "follower killed": () => {
        this.#follower.kill();
        stage.disk.killed();
        this.#follower = this.#follow();
      },
      "slots torn while it is down": () => {
        this.#follower.kill();
        stage.disk.killed();
        this.#tear();
        this.#follower = this.#follow();
      },
    };
    const name = this.#dice.pick(Object.keys(steps));
    this.steps.push(name);
    steps[name]?.();
    this.pass(this.#dice.oneIn(4) ? this.#dice.below(100_000) : this.#dice.below(2_000));
  }

  #slowNetwork(): void {
    this.stage.net.onConnection = ({ toConnector }) => {
      toConnector.delayMs = this.#dice.below(400);
    };
  }

  /** Lets time pass, and holds each lag that is said on the way against the truth. */
  pass(ms: number): void {
    const { clock } = this.stage;
    for (let leftMs = ms; leftMs > 0; leftMs -= LOOK_MS) {
      clock.advance(Math.min(LOOK_MS, leftMs));
      for (const { shard, state, lagMs } of this.#said()) {
        if (lagMs === null) continue;
        const trueMs = this.#truth.ageMs(shard);
        if (lagMs >= trueMs - LAG_BELOW_MS) continue;
        const when = `${this.steps.length} steps, ${this.steps.at(-1)}`;
        this.lies.push(`${when}: shard ${shard} ${state}, ${lagMs} said, ${trueMs} true`);
      }
    }
  }

  #said(): StatusDocument["shards"] {
    const { supervisor } = this.#follower;
    const { clock, leader } = this.stage;
    this.#source ??= new StatusSource({
      ...{ supervisor, clock, host: "127.0.0.1", port: leader.port, pid: 1 },
      ...{ connectionsPerDay: null, sync: "group", found: null },
    });
    return this.#source.document().shards;
  }

  #follow(): SimFollower {
    this.#source = null;
    return this.stage.follow({
      settings: SETTINGS,
      connectionsPerDay: null,
      seed: this.#dice.below(99),
    });
  }

  #write(count: number): void {
    for (let write = 0; write < count; write++) {
      const [shard, slot] = [this.#dice.below(SHARDS), this.#dice.below(SLOTS)];
      if (this.#dice.oneIn(5)) this.#truth.remove(shard, slot);
      else this.#truth.put(shard, slot, this.#seed++);
    }
  }

  /** Flips bits of occupied slots: of the version, the crc, the key or the value. */
  #tear(): void {
    const data = `${SIM_DIR}/shard_000/fixed.data`;
    const bytes = this.stage.disk.bytes(data);
    for (let slot = 0; slot < SLOTS && bytes !== null; slot += 1 + this.#dice.below(60)) {
      const at = 4096 + slot * 32;
      if (((bytes[at] ?? 0) & 3) === 1)
        this.stage.disk.flip(data, at + 1 + this.#dice.below(31), 16);
    }
  }
}

for (const generation of GENERATIONS) {
  describe(`random histories (generation ${generation})`, () => {
    test("end with the leader's contents", () => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const history = new History(generation, seed);
        for (let step = 0; step < STEPS; step++) history.step();
        const { stage, follower, steps } = history;
        const what = `seed ${seed}, equal after ${steps.join(", ")}`;
        stage.net.onConnection = null;
        stage.until(what, () => stage.differences().length === 0, HEALED_MS);
        stage.clock.advance(2 * RESYNC_MS);
        const isFine = (shard: number) => {
          const { state } = follower.shard(shard);
          return state === "live" || (generation === 1 && state === "polling");
        };
        // A scheduled scan may be under way.
        stage.until(`seed ${seed}, fine`, () => isFine(0) && isFine(1), 10_000);
        expect({ seed, diverged: follower.reportsOf("diverged") }).toEqual({ seed, diverged: [] });
        expect({ seed, lies: history.lies.slice(0, 3) }).toEqual({ seed, lies: [] });
        stage.expectEqual();
      }
    }, 120_000);
  });
}
