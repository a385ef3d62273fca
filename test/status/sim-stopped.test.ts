// A follower that has stopped, in simulated time: its directory says field by field what it said while it ran, wherever that was saved;
// and so does the next run, until its threads have spoken.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NOT_SAVED } from "../../src/status/field-rows.ts";
import { SHARD_FIELDS } from "../../src/status/fields.ts";
import { FOLLOWER_FIELDS } from "../../src/status/follower-fields.ts";
import { stoppedStatus } from "../../src/status/status-offline.ts";
import type { StatusSource } from "../../src/status/status-source.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { verdictStatus } from "../../src/status/verdict.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";
import { sourceOf } from "./lag-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const SETTINGS = { resyncMs: 60_000, pollMs: 60_000 };

/** Two shards, four slots of the second one diverged. */
function diverged(): { stage: SimStage; follower: SimFollower; source: StatusSource } {
  const stage = new SimStage({ generation: 1, shards: 2 });
  for (let slot = 0; slot < 20; slot++) {
    for (const version of [1, 2]) stage.leader.put(slot % 2, slot, version);
  }
  const follower = stage.follow({ settings: SETTINGS });
  const source = sourceOf(stage, follower);
  stage.until("caught up", () => follower.ready, 20_000);
  stage.leader.stop();
  for (const slot of [3, 5, 7]) stage.leader.set(1, slot, 1, 1);
  stage.leader.forget(1, 9);
  stage.leader.start();
  stage.until("diverged", () => follower.states(1).at(-1) === "diverged", 200_000);
  return { stage, follower, source };
}

function stop(stage: SimStage, follower: SimFollower): void {
  follower.supervisor.stop();
  stage.until("stopped", () => follower.ended !== undefined, 10_000);
}

function savedNames(fields: Readonly<Record<string, { readonly stopped: unknown }>>): string[] {
  return Object.keys(fields).filter((name) => fields[name]?.stopped !== NOT_SAVED);
}

/** What says that none runs, and not what was saved. */
const OTHERWISE = ["running", "verdict", "ready", "atMs", "shards", "state", "asOfMs", "holder"];

function pick(values: object, names: readonly string[]): Record<string, unknown> {
  const kept = names.filter((name) => !OTHERWISE.includes(name));
  return Object.fromEntries(kept.map((name) => [name, values[name as keyof typeof values]]));
}

/** What the files say when the wall clock says this. */
function statusOf({ disk, clock }: SimStage, wallMs: number): Promise<StatusDocument> {
  return stoppedStatus({ disk, clock, stop: new AbortController().signal }, SIM_DIR, wallMs);
}

/** What is to be the same on both sides of a stop. */
function lasting(document: StatusDocument) {
  const top = pick(document, savedNames(FOLLOWER_FIELDS));
  return { ...top, shards: document.shards.map((one) => pick(one, savedNames(SHARD_FIELDS))) };
}

describe("a follower that has stopped", () => {
  test("says field by field what it said before, wherever that was saved", async () => {
    const { stage, follower, source } = diverged();
    stage.leader.stop();
    stage.clock.advance(30_000);
    stop(stage, follower);
    const before = source.document();
    const after = await statusOf(stage, stage.clock.wallMs());
    expect(lasting(after)).toEqual(lasting(before));
    expect(savedNames(SHARD_FIELDS).length).toBeGreaterThan(12);
    expect(after.shards.map(({ diverged: listed }) => listed.length)).toEqual([0, 4]);
    expect(after.shards.every(({ lagMs }) => lagMs !== null && lagMs >= 30_000)).toBe(true);
  });

  test("stays diverged, exit 4, with what it saved and when", async () => {
    const { stage, follower } = diverged();
    stop(stage, follower);
    const savedAtMs = Math.round(stage.clock.wallMs());
    stage.clock.advance(60_000);
    const document = await statusOf(stage, stage.clock.wallMs());
    expect([document.verdict, verdictStatus(document.verdict)]).toEqual(["diverged", 4]);
    expect(document.savedAtMs).toBe(savedAtMs);
    expect(document.shards.map(({ asOfMs }) => asOfMs)).toEqual([savedAtMs, savedAtMs]);
  });

  test("knows no time that has not come yet", async () => {
    const { stage, follower } = diverged();
    stop(stage, follower);
    const document = await statusOf(stage, stage.clock.wallMs() - 7_200_000);
    expect(document.savedAtMs).toBeNull();
    for (const shard of document.shards) {
      expect(shard).toMatchObject({ lastFullScanMsAgo: null, lagMs: null, asOfMs: null });
      expect(shard).toMatchObject({ complete: true, caughtUp: true });
    }
  });
});

test("a restart says what was saved before its threads have spoken", async () => {
  const { stage, follower } = diverged();
  stage.leader.stop();
  stop(stage, follower);
  const before = await statusOf(stage, stage.clock.wallMs());
  const again = stage.follow({ settings: SETTINGS });
  const document = sourceOf(stage, again).document();
  expect(document.verdict).toBe("diverged");
  expect(document.shards.map(({ state, activity }) => [state, activity])).toEqual([
    ["connecting", "starting"],
    ["diverged", "starting"],
  ]);
  const times = ["lastFullScanMsAgo", "lagMs", "lastFrameMsAgo"];
  const kept = ["divergedSlots", "diverged", "complete", ...times];
  expect(document.shards.map((shard) => pick(shard, kept))).toEqual(
    before.shards.map((shard) => pick(shard, kept)),
  );
  // A run counts from 0.
  expect(before.shards.every(({ scansTotal }) => (scansTotal ?? 0) > 0)).toBe(true);
  expect(document.shards.map(({ scansTotal }) => scansTotal)).toEqual([null, null]);
  stage.clock.advance(100);
  const after = sourceOf(stage, again).document();
  expect(after.verdict).toBe("diverged");
  expect(after.shards.map(({ scansTotal }) => scansTotal)).toEqual([0, 0]);
  expect(after.shards.every(({ lastFrameMsAgo }) => (lastFrameMsAgo ?? 0) > 0)).toBe(true);
});
