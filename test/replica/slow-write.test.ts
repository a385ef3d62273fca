// A write that takes long holds up the reading of the stream: it is counted, and where it costs a generation 1 leader's stream, scans
// bring what the stream no longer can.

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../src/io/clock.ts";
import { wordOf } from "../support/disk-log.ts";
import { inState } from "../support/follower-states.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { SimStage } from "../support/sim-stage.ts";
import { has, need } from "../support/needs.ts";

const LIMIT_MS = 150_000;
const shape = { shards: 1, prefixBits: 0, key: 32, value: 1000, growStep: 30_000 };

/** A live follower whose clock is ahead of the stage's by what a call of its disk has taken. */
function heldFollower(stage: SimStage) {
  const held = { ms: 0 };
  const clock: Clock = {
    nowMs: () => stage.clock.nowMs() + held.ms,
    wallMs: () => stage.clock.wallMs() + held.ms,
    after: (delayMs, run) => stage.clock.after(delayMs, run),
  };
  const follower = stage.follow({ clock });
  stage.until("live", () => follower.states().at(-1) === "live", 10_000);
  return { follower, held };
}

describe("a write over 100 ms", () => {
  test("is counted, with how long it took; a shorter one is not", () => {
    const stage = new SimStage();
    stage.leader.put(0, 1, 1);
    const { follower, held } = heldFollower(stage);
    expect(follower.shard().slowWrites).toBe(0);
    for (const [ms, slow, slowest] of [
      [90, 0, 90],
      [150, 1, 150],
      [3_000, 2, 3_000],
      [10, 2, 3_000],
    ] as const) {
      stage.disk.faults = (call) => {
        if (wordOf(call) === "write slots fixed.data") held.ms += ms;
        return null;
      };
      stage.leader.put(0, 1, ms);
      stage.clock.advance(2_000);
      const { slowWrites, slowestWriteMs } = follower.shard();
      expect([slowWrites, slowestWriteMs]).toEqual([slow, slowest]);
    }
  });
});

test("a write that held the shard up is said to have done so, and a pause is not", () => {
  const stage = new SimStage();
  stage.leader.put(0, 1, 1);
  const { follower, held } = heldFollower(stage);
  stage.disk.faults = (call) => {
    if (wordOf(call) === "write slots fixed.data") held.ms += 36_000;
    return null;
  };
  stage.leader.put(0, 1, 2);
  stage.clock.advance(5_000);
  held.ms += 20_000;
  stage.clock.advance(5_000);
  expect(follower.log.filter((text) => text.includes("held up"))).toEqual([
    "held up for 36 s (a write to its file took so long)",
    "held up for 20 s (stopped or starved)",
  ]);
});

const traceable =
  has("strace") &&
  need(
    "right to trace",
    Bun.spawnSync(["strace", "-f", "-P", "/", "-e", "trace=pwrite64", "true"]).exitCode === 0,
  );

describe.if(oracleAvailable() && traceable)("a write of 4 s under load", () => {
  test(
    "costs no record of a 0.1.14 leader, whether its stream survives or not",
    async () => {
      await using stage = new ReplicaStage("0.1.14", shape);
      const leader = await stage.leader();
      await leader.fill(0, 1_000, 1);
      const dir = stage.path("replica");
      const log = stage.path("strace");
      const launcher = ["strace", "-D", "-f", "-qq", "-o", log, "--seccomp-bpf"].concat([
        "-e",
        "trace=pwrite64",
        "-e",
        "inject=pwrite64:delay_enter=4000000:when=20",
      ]);
      const follower = stage.follower(leader, dir, ["--poll", "1s", "--resync", "3s"], {
        launcher,
      });
      await inState(follower, "live", 1);
      await leader.rate(8_000, 6, 2, 20_000);
      await stage.converged(follower, dir, await leader.digest(), 20_000);
      expect(await readFile(log, "utf8")).toContain("(DELAYED)");
    },
    LIMIT_MS,
  );
});
