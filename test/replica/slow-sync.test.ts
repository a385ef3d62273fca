// A disk whose every fdatasync takes 5 s, injected by strace, under 8000 writes of 1 KB a second from a real leader of generation 1,
// which drops a follower that reads too slowly, and its stream for good with it. The connection has to live.

import { describe, expect, test } from "bun:test";
import { inState, stepsOf } from "../support/follower-states.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { has, need } from "../support/needs.ts";

const LIMIT_MS = 150_000;
const SYNC_DELAY_US = 5_000_000;
/** `-D`: strace is the follower's child, so that the process started here is the follower. */
const SLOW_SYNC = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf"].concat([
  "-e",
  "trace=fdatasync",
  "-e",
  `inject=fdatasync:delay_enter=${SYNC_DELAY_US}`,
]);
const shape = { shards: 1, prefixBits: 0, key: 32, value: 1000, growStep: 60_000 };

const traceable =
  has("strace") &&
  need(
    "right to trace",
    Bun.spawnSync(["strace", "-f", "--seccomp-bpf", "-e", "trace=fdatasync", "true"]).exitCode ===
      0,
  );

describe.if(oracleAvailable() && traceable)("an fdatasync of 5 s", () => {
  test(
    "does not cost a 0.1.14 leader's connection at 8000 writes of 1 KB a second",
    async () => {
      await using stage = new ReplicaStage("0.1.14", shape);
      const leader = await stage.leader();
      await leader.fill(0, 1_000, 1);
      const dir = stage.path("replica");
      const follower = stage.follower(leader, dir, [], { launcher: SLOW_SYNC });
      await follower.line({ type: "caught-up" });
      const caughtUpAtMs = performance.now();
      await follower.ready();
      // The delay is really there: durable comes 5 s after caught up.
      expect(performance.now() - caughtUpAtMs).toBeGreaterThan(3_000);
      await inState(follower, "live", 1, 60_000);
      const from = follower.mark;
      const { puts, ms } = await leader.rate(8_000, 15, 2, 40_000);
      // The machine really wrote at that pace, give or take.
      expect(puts / (ms / 1000)).toBeGreaterThan(5_000);
      const wanted = await leader.digest();
      await stage.converged(follower, dir, wanted, 20_000);
      // Any reconnect is a change of state.
      expect(stepsOf(follower, 0, from)).toEqual([]);
    },
    LIMIT_MS,
  );
});
