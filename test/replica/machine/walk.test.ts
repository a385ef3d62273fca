// The machine of a shard walks: any input in any state that it comes to, also those that no performer would send. It
// never throws, and what holds of it holds all the same. A failure names the seed and the input.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ConnectionEnd, Input, SavedShard } from "../../../src/replica/machine/inputs.ts";
import {
  activityOf,
  isReady,
  owedShown,
  scanShown,
  stateWord,
} from "../../../src/replica/machine/shown.ts";
import { initialState, step, wakeAtMs } from "../../../src/replica/machine/step.ts";
import { versionMismatchText } from "../../../src/wire/messages.ts";
import { Dice } from "../../support/dice.ts";
import { DISK_ERROR, INFO, NOTHING_SAVED, SETTINGS } from "./driven.ts";
import { Watched } from "./properties.ts";

const RUNS = 2_000;
const INPUTS = 300;
const MACHINE = { initialState, step, wakeAtMs, stateWord, isReady };

/** As often as they are to come; what ends a shard is rolled for apart, or most walks would be short. */
const KINDS = [
  ...["tick", "tick", "tick", "granted", "granted", "opened", "shardInfo", "shardInfo"],
  ...["caughtUp", "caughtUp", "whole", "whole", "judged", "judged", "durable", "batch", "batch"],
  ...["heartbeat", "ended", "filesMade", "filesClosed", "held", "rescan", "struck", "heldUp"],
] as const;
const OF_LINKS: readonly string[] = [
  ...["opened", "shardInfo", "caughtUp", "whole", "heartbeat", "batch", "ended"],
];
const ENDS = ["closed-here", "lost", "stalled", "short", "violation", "leader-error"] as const;
const TEXTS = [
  ...["shard already streaming", "events dropped, rescan required", "invalid shard_id", "?"],
  ...[1, 2, 9].map((version) => versionMismatchText(version, 2)),
];
const OWING: SavedShard = { complete: true, diverged: 2, owed: { why: "loss", sinceMs: -9 } };

function endOf(dice: Dice): ConnectionEnd {
  const kind = dice.pick(ENDS);
  return kind === "leader-error" ? { kind, text: dice.pick(TEXTS) } : { kind, reason: kind };
}

function inputOf(dice: Dice, links: number, nowMs: number): Input {
  const kind = dice.oneIn(600) ? dice.pick(["stop", "diskFailed"]) : dice.pick(KINDS);
  // Mostly the newest connections, now and then one that never was.
  const link = dice.oneIn(3) ? links + 1 - dice.below(4) : links;
  const error = dice.oneIn(20) ? DISK_ERROR : null;
  const details: Record<string, object> = {
    start: { hasFiles: dice.oneIn(2), saved: dice.oneIn(3) ? OWING : NOTHING_SAVED },
    heldUp: { ms: 3_000 },
    granted: { request: link },
    held: { request: link, untilMs: 1e12, limit: 9 },
    shardInfo: { link, info: INFO, misfit: dice.oneIn(30) ? DISK_ERROR : null },
    batch: { link, events: 1 + dice.below(100), full: dice.oneIn(2) },
    ended: { link, end: endOf(dice) },
    filesMade: { error },
    filesClosed: { error },
    diskFailed: { error: DISK_ERROR },
    judged: { link, suspects: dice.below(3), diverged: dice.oneIn(4) ? dice.below(4) : 0 },
    struck: { diverged: dice.below(3) },
  };
  return { ...(details[kind] ?? { link }), kind, nowMs, chance: dice.below(100) / 100 } as Input;
}

/** Names a connection that is not there. */
function isUnknown({ main, beside }: Watched["state"], input: Input): boolean {
  return (
    OF_LINKS.includes(input.kind) &&
    "link" in input &&
    ![main, beside].some((known) => "link" in known && known.link === input.link)
  );
}

class Walk {
  readonly watched: Watched;
  readonly seen = new Set<string>();
  #nowMs = 0;
  readonly #dice: Dice;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    const dice = this.#dice;
    this.watched = new Watched(MACHINE, {
      ...SETTINGS,
      once: dice.oneIn(3),
      protocol: dice.oneIn(2) ? 1 : 2,
      resyncMs: dice.oneIn(4) ? null : 20_000,
      acceptLeader: dice.oneIn(2),
      runEventsSuspect: 300,
    });
  }

  step(): void {
    const { watched } = this;
    const before = watched.state;
    const dice = this.#dice;
    if (dice.oneIn(2)) this.#nowMs = Math.max(this.#nowMs, wakeAtMs(before) ?? 0);
    else this.#nowMs += dice.pick([0, 0, 1, 150, 1_000, dice.below(70_000)]);
    const input =
      before.main.at === "new" && dice.oneIn(2)
        ? ({
            ...inputOf(dice, 0, this.#nowMs),
            kind: "start",
            saved: OWING,
            hasFiles: dice.oneIn(2),
          } as Input)
        : inputOf(dice, before.links, this.#nowMs);
    const actions = watched.take(input);
    if (isUnknown(before, input) && (watched.state !== before || actions.length > 0)) {
      throw new Error(`${input.kind} of an unknown connection changes something`);
    }
    activityOf(watched.state, this.#nowMs);
    owedShown(watched.state, this.#nowMs);
    scanShown(watched.state, this.#nowMs);
    this.seen.add(`${watched.state.main.at} ${watched.state.beside.at}`);
  }
}

describe("a walk", () => {
  test("holds whatever comes, in whatever order", () => {
    const seen = new Set<string>();
    const walk = fc.property(fc.integer(), (seed) => {
      const one = new Walk(seed);
      for (let input = 0; input < INPUTS; input++) {
        try {
          one.step();
        } catch (thrown) {
          throw new Error(`seed ${seed}, input ${input}: ${thrown}`, { cause: thrown });
        }
      }
      for (const states of one.seen) seen.add(states);
      expect(structuredClone(one.watched.state)).toEqual(one.watched.state);
    });
    fc.assert(walk, { numRuns: RUNS, endOnFailure: true, includeErrorInReport: true });
    // Every state of both connections was met.
    expect([...seen].toSorted()).toEqual([
      ...["asking none", "confirming none", "dialing none", "making none", "new none", "over none"],
      ...["resting none", "scanning none", "streaming asking", "streaming confirming"],
      ...["streaming dialing", "streaming none", "streaming resting", "streaming scanning"],
    ]);
  }, 120_000);
});
