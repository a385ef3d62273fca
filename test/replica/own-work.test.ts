// What a shard does with its own disk while no leader is waited for: status names it, and --timeout does not count it.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import { replicateOnce } from "../support/armdb.ts";
import { BAD_LEADER_INFO, RealScriptedLeader } from "../support/bad-leader.ts";
import { has } from "../support/needs.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage, type SimStageOptions } from "../support/sim-stage.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 60_000;
/** How long a sync takes. */
const SYNC_MS = 3_000;

/** Runs a follower to its first `ready`; what it was seen to do, in order, each time it changed. */
function worksUntilReady(stage: SimStage, once: boolean): (string | null)[] {
  const works: (string | null)[] = [];
  const follower = stage.follow({
    settings: { once },
    syncMs: () => SYNC_MS,
    observe: (report) => {
      if (report.kind !== "snapshot") return;
      const { ownWork, activity } = report.snapshot;
      if (ownWork !== null) expect(activity).toBe(ownWork);
      if (works.at(-1) !== ownWork) works.push(ownWork);
    },
  });
  stage.until("ready", () => follower.ready, 60_000);
  follower.supervisor.stop();
  stage.until("the end", () => follower.ended !== undefined, 60_000);
  expect(follower.ended).toBe(null);
  return works;
}

describe.each([1, 2, 3] as const)("with a leader of generation %d", (generation) => {
  const options: SimStageOptions = { generation, slots: 100 };

  test.each([false, true])("own work is told of in its order, --once %p", (once) => {
    const stage = new SimStage(options);
    for (let slot = 0; slot < 50; slot++) stage.leader.put(0, slot, 1);
    expect(worksUntilReady(stage, once)).toEqual([
      null,
      "creating its files",
      null,
      "syncing",
      null,
    ]);
    const again = worksUntilReady(stage, once);
    expect(again.slice(0, 2)).toEqual(["reading its own slots", null]);
    expect(again.slice(2).filter((work) => work !== "syncing" && work !== null)).toEqual([]);
  });
});

test("while its slots are read a shard shows what the state file knows of it, and that stays in there", () => {
  const stage = new SimStage({ slots: 100 });
  for (let seed = 0; seed < 3; seed++) stage.leader.put(0, 3, seed);
  const runUntil = (what: string, holds: (follower: SimFollower) => boolean) => {
    const follower = stage.follow();
    stage.until(what, () => holds(follower), 60_000);
    follower.supervisor.stop();
    stage.until("the end", () => follower.ended !== undefined, 60_000);
  };
  runUntil("ready", (follower) => follower.ready);
  // Restored from a backup: what is here is newer.
  stage.leader.stop();
  stage.leader.set(0, 3, 1, 1);
  stage.leader.start();
  runUntil("diverged", (follower) => follower.supervisor.snapshots[0]?.divergedSlots === 1);

  const shards = () => {
    const text = Buffer.from(stage.disk.bytes(`${SIM_DIR}/armdb.state.json`) ?? []).toString();
    const { shards } = JSON.parse(text) as { shards: object[] };
    // Each run counts for itself.
    return shards.map((shard) => ({ ...shard, counters: null }));
  };
  const before = shards();
  expect(before).toMatchObject([{ complete: true, divergedSlots: 1 }]);
  const shown: unknown[] = [];
  const follower = stage.follow({
    observe: (report) => {
      if (report.kind !== "snapshot" || report.snapshot.ownWork === null) return;
      const { complete, divergedSlots, ready, state } = report.snapshot;
      shown.push({ complete, divergedSlots, ready, state });
    },
  });
  stage.clock.settle();
  expect(shown).toEqual([{ complete: true, divergedSlots: 1, ready: false, state: "connecting" }]);
  expect(shards()).toEqual(before);
  follower.kill();
});

const HOLD_MS = 3_500;

/** Words before a program's own that hold up each of these calls, of one file where it is named. */
function heldUp(call: string, path: string | null): string[] {
  const of = path === null ? [] : ["-P", path];
  const inject = `inject=${call}:delay_enter=${HOLD_MS * 1_000}`;
  const strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf"];
  return [...strace, "-e", `trace=${call}`, "-e", inject, ...of];
}

describe.if(has("strace"))("--once --timeout 2s ends well although", () => {
  test.concurrent(
    "reading the own slots takes longer",
    async () => {
      using temp = new TempRoot("own-work");
      // Shards that have caught up before wait for a heartbeat, and this leader sends none.
      using leader = RealScriptedLeader.good({ ...BAD_LEADER_INFO, shardCount: 1 });
      const dir = temp.fresh();
      expect((await replicateOnce(leader.address, dir)).status).toBe(0);
      const launcher = heldUp("lseek", join(dir, "shard_000", SHARD_FILE));
      const run = await replicateOnce(leader.address, dir, ["--timeout", "2s"], { launcher });
      expect({ status: run.status, error: run.error }).toEqual({ status: 0, error: null });
      const reading = { shard: 0, state: "connecting", detail: "reading its own slots" };
      expect(run.lines).toContainEqual(expect.objectContaining(reading));
    },
    LIMIT_MS,
  );

  test.concurrent(
    "making the files and each sync take longer",
    async () => {
      using temp = new TempRoot("own-work");
      using leader = RealScriptedLeader.good();
      const launcher = heldUp("fallocate,fdatasync", null);
      const run = await replicateOnce(leader.address, temp.fresh(), ["--timeout", "2s"], {
        launcher,
      });
      expect({ status: run.status, error: run.error }).toEqual({ status: 0, error: null });
    },
    LIMIT_MS * 2,
  );
});

test(
  "a leader that is not there still ends it with 12",
  async () => {
    using temp = new TempRoot("own-work");
    const run = await replicateOnce("127.0.0.1:1", temp.fresh(), ["--timeout", "1s"]);
    expect([run.status, run.error?.["code"]]).toEqual([12, "leader-unreachable"]);
  },
  LIMIT_MS,
);
