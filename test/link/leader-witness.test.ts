// The word that a scan's CaughtUp ended a whole scan: given by the process that was there before the scan, and by no other, for as
// long as the scan takes. In simulated time.

import { describe, expect, test } from "bun:test";
import { LeaderWitness, type WitnessWord } from "../../src/link/leader-witness.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { type Generation, GENERATIONS, SimLeader } from "../support/sim-leader.ts";

class Stage {
  readonly clock = new ManualClock();
  readonly net = new MemoryNet(this.clock);
  readonly leader: SimLeader;
  readonly witness: LeaderWitness;
  readonly words: WitnessWord[] = [];
  accepted = 0;
  isNeeded = true;
  settled = 0;
  erasEnded = 0;

  constructor(generation: Generation = 1) {
    const { clock, net } = this;
    this.leader = new SimLeader({ net, clock, generation });
    this.witness = new LeaderWitness({
      ...{ net, clock, leader: { host: "127.0.0.1", port: this.leader.port } },
      mayConnect: () => true,
      isNeeded: () => this.isNeeded,
      accepted: () => this.accepted++,
      settled: () => this.settled++,
      eraEnded: () => this.erasEnded++,
    });
  }

  begin(): number | null {
    this.witness.begin();
    this.clock.advance(10);
    return this.witness.era;
  }

  ask(withinMs: number): readonly WitnessWord[] {
    this.witness.ask((word) => this.words.push(word));
    this.clock.advance(withinMs);
    return this.words;
  }

  restart(): void {
    this.leader.stop();
    this.leader.start();
  }
}

describe.each(GENERATIONS)("the word on a leader of generation %d", (generation) => {
  test("is `same` where nothing happened, with two connections", () => {
    const stage = new Stage(generation);
    expect(stage.begin()).toBe(1);
    expect(stage.ask(10)).toEqual(["same"]);
    expect(stage.accepted).toBe(2);
    expect(stage.witness.era).toBeNull();
    expect(stage.net.open).toEqual([]);
    expect(stage.clock.pendingTimers).toBe(0);
  });

  test("is `same` after an hour, and nothing was missed on the way", () => {
    const stage = new Stage(generation);
    stage.begin();
    stage.clock.advance(3_600_000);
    expect(stage.witness.era).toBe(1);
    expect(stage.ask(10)).toEqual(["same"]);
    // One in 56 s: so long a request can be drawn out.
    expect(stage.accepted).toBe(2 + Math.floor(3_600 / 56));
  });

  test("is never `same` when the process was exchanged, whenever that was", () => {
    for (let afterMs = 0; afterMs < 120_000; afterMs += 1_700) {
      const stage = new Stage(generation);
      const era = stage.begin();
      // No end comes through.
      stage.net.onConnection = ({ toConnector }) => {
        toConnector.finishDelayMs = 600_000;
      };
      for (const { toConnector } of stage.net.open) toConnector.finishDelayMs = 600_000;
      stage.clock.advance(afterMs);
      stage.restart();
      stage.clock.advance(afterMs % 5_000);
      if (stage.witness.era !== era) continue;
      expect(stage.ask(20_000)).toEqual(["unknown"]);
      expect(stage.witness.era).toBeNull();
    }
  });

  test("is `gone` where nobody answers", () => {
    const stage = new Stage(generation);
    stage.begin();
    stage.leader.stop();
    expect(stage.ask(10)).toEqual(["gone"]);
    expect(stage.net.open).toEqual([]);
  });
});

test("an era ends when its connection does, and another begins with another number", () => {
  const stage = new Stage();
  stage.begin();
  stage.restart();
  stage.clock.advance(10);
  expect([stage.witness.era, stage.erasEnded]).toEqual([null, 1]);
  expect(stage.begin()).toBe(2);
});

test("a connection is not renewed for nobody", () => {
  const stage = new Stage();
  stage.begin();
  stage.isNeeded = false;
  stage.clock.advance(60_000);
  expect([stage.witness.era, stage.erasEnded, stage.accepted]).toEqual([null, 1, 1]);
  expect(stage.clock.pendingTimers).toBe(0);
});

test("a word asked for while its connection is renewed comes from behind that", () => {
  const stage = new Stage();
  stage.begin();
  stage.net.onConnection = ({ toListener }) => {
    toListener.delayMs = 200;
  };
  stage.clock.advance(56_000);
  stage.clock.advance(1);
  expect(stage.ask(5_000)).toEqual(["same"]);
  expect(stage.accepted).toBe(3);
});

test("a connect that takes over a second holds nothing up", () => {
  const stage = new Stage();
  stage.net.rule = "blackhole";
  stage.witness.begin();
  expect(stage.witness.isSettled).toBe(false);
  stage.clock.advance(1_000);
  expect([stage.witness.isSettled, stage.settled, stage.witness.era]).toEqual([true, 1, null]);
});

test("an era that is ended here closes its connection, and what is asked is still answered", () => {
  for (const askedForMs of [0, 1, 5]) {
    const stage = new Stage();
    stage.net.onConnection = ({ toConnector }) => {
      toConnector.delayMs = 1;
    };
    stage.begin();
    stage.ask(askedForMs);
    stage.witness.end();
    stage.clock.advance(10_000);
    expect(stage.words).toEqual([askedForMs === 5 ? "same" : "unknown"]);
    expect(stage.net.open).toEqual([]);
  }
});

test("nothing is answered after a stop", () => {
  const stage = new Stage();
  stage.begin();
  stage.witness.ask((word) => stage.words.push(word));
  stage.witness.stop();
  stage.clock.advance(60_000);
  expect(stage.words).toEqual([]);
  expect(stage.net.open).toEqual([]);
  expect(stage.clock.pendingTimers).toBe(0);
});
