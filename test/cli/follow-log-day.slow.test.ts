// The log of a follower off a terminal over a day of simulated time: at most 20 lines, whatever happens once.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ConnectionEnd } from "../../src/replica/machine/inputs.ts";
import { activityOf, stateWord } from "../../src/replica/machine/shown.ts";
import { wakeAtMs } from "../../src/replica/machine/step.ts";
import { type Driven, live } from "../replica/machine/driven.ts";
import { snapshotOf } from "../status/facts.ts";
import { Dice } from "../support/dice.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";
import { displayStage } from "./display-stage.ts";
import { shownFollower } from "./shown-follower.ts";

setDefaultTimeout(300_000);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LINES_MAX = 20;

describe.each(GENERATIONS)("a day of live stream from generation %d", (generation) => {
  test("with a restart of the leader is told of in at most 20 lines", () => {
    const stage = new SimStage({ generation, shards: 2 });
    const shown = shownFollower(stage);
    const pass = (ms: number) => {
      for (let passedMs = 0; passedMs < ms; passedMs += HOUR_MS / 4) {
        stage.leader.put(1, 1, passedMs);
        stage.clock.advance(HOUR_MS / 4);
      }
    };
    pass(DAY_MS / 2);
    stage.leader.stop();
    stage.clock.advance(20_000);
    stage.leader.start();
    pass(DAY_MS / 2);
    expect(shown.follower.shard().scansDone).toBeGreaterThan(20);
    expect(shown.said().at(-1)).toBe("2 of 2 shards live");
    expect(shown.said().length).toBeLessThanOrEqual(LINES_MAX);
  });
});

/** The machines of all shards and what they report; their leader answers each connect in the same way. */
function away(shards: number, answers: readonly ConnectionEnd[]): string[] {
  const stage = displayStage({ json: false, shardCount: () => shards });
  const { clock, display } = stage;
  const dice = new Dice(1);
  const machines = Array.from({ length: shards }, (_, shard) => live(2, { shard }));
  const told = machines.map(({ reports }) => reports.length);
  const startMs = clock.nowMs() - (machines[0]?.nowMs ?? 0);
  const tell = (machine: Driven, shard: number) => {
    for (const report of machine.reports.splice(told[shard] ?? 0)) {
      if (report.kind === "log") display.reported({ ...report, shard }, () => []);
    }
    const { state, nowMs } = machine;
    const shown = { state: stateWord(state), activity: activityOf(state, nowMs) };
    display.reported({ kind: "snapshot", snapshot: snapshotOf({ shard, ...shown }) }, () => []);
  };
  machines.forEach(tell);
  display.ready(0);
  clock.advance(60_000);
  const due = machines.map(() => clock.nowMs() - startMs);
  const endMs = clock.nowMs() - startMs + DAY_MS;
  for (let tries = 0; ; tries++) {
    const nowMs = Math.min(...due);
    if (nowMs >= endMs) return stage.said();
    const shard = due.indexOf(nowMs);
    const machine = machines[shard] as Driven;
    clock.advance(nowMs + startMs - clock.nowMs());
    machine.nowMs = nowMs;
    machine.chance = dice.below(1_000) / 1_000;
    if (machine.at !== "streaming") machine.take({ kind: "tick" }).granted();
    machine.ended(answers[tries % answers.length]);
    tell(machine, shard);
    due[shard] = Math.max(nowMs + 1, wakeAtMs(machine.state) ?? 0);
  }
}

describe("a day without the leader, with 255 shards", () => {
  const refused = { kind: "lost", reason: "no connection: ECONNREFUSED" } as const;
  const silent = { kind: "stalled", reason: "no answer within 10 s" } as const;

  test.each([
    ["that refuses each connect", [refused]],
    ["that refuses some and does not answer others", [refused, silent, silent]],
  ])("%s is told of in at most 20 lines", (_what, answers) => {
    const said = away(255, answers);
    expect(said.length).toBeLessThanOrEqual(LINES_MAX);
    expect(
      said.some((line) => /^warning: shards 0.*: no connection: ECONNREFUSED/.test(line)),
    ).toBe(true);
  });
});
