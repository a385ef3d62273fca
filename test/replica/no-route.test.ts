// A machine without a route to the leader: each connect fails before the call that made it has returned. In a network namespace
// of its own; skipped where none can be made. Nobody hangs, the reason is told, a signal is heard, and the follower comes back.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Armdb } from "../support/armdb.ts";
import { FixtureCopy } from "../audit/repair-support.ts";
import { NetworkSpace, networkSpaces } from "../support/network-space.ts";
import { TempRoot } from "../support/temp.ts";

const LEADER = "127.0.0.1:7400";
const LIMIT_MS = 120_000;
const SOON_MS = 2_000;
const BACK_MS = 35_000;
/** What doctor promises, and two seconds for a busy machine to start it. */
const END_MS = 12_000;

describe.if(networkSpaces())("without a route to the leader", () => {
  const temp = new TempRoot("no-route");
  const copy = new FixtureCopy("8x16-2-shards", "leader-clean");
  let space: NetworkSpace;
  beforeEach(async () => {
    space = await NetworkSpace.make();
  });
  afterEach(async () => await space[Symbol.asyncDispose]());
  afterAll(() => {
    temp[Symbol.dispose]();
    copy[Symbol.dispose]();
  });

  const start = (words: readonly string[], limitMs = LIMIT_MS) =>
    Armdb.start([...words, "--json"], { launcher: space.inside, limitMs });
  const follow = () => start(["replicate", LEADER, "--data", temp.fresh("replica")]);
  const serve = async () => {
    const leader = start(["serve", copy.path, "--listen", LEADER]);
    await leader.line({ type: "listening" });
    return leader;
  };
  const waitsForRoute = (follower: Armdb, from: number, limitMs: number) =>
    follower.line(
      ({ state, detail }) =>
        state === "waiting" && String(detail).startsWith("no connection: ENETUNREACH; again in "),
      from,
      limitMs,
    );

  test(
    "a follower says so, and is live soon after there is one",
    async () => {
      await using follower = follow();
      // Measured from its first word, so that a busy machine may start it slowly.
      while (!follower.stderr.includes("Following")) await Bun.sleep(10);
      await waitsForRoute(follower, 0, SOON_MS);
      space.loopback("up");
      await using leader = await serve();
      await follower.line({ type: "shard", state: "live" }, 0, BACK_MS);
      expect((await follower.stop()).status).toBe(0);
      expect((await leader.stop()).status).toBe(0);
    },
    LIMIT_MS,
  );

  test(
    "a follower that loses leader and route is live again when both are back",
    async () => {
      space.loopback("up");
      const first = await serve();
      await using follower = follow();
      await follower.ready();
      const from = follower.mark;
      await first.kill();
      space.ip("addr", "del", "127.0.0.1/8", "dev", "lo");
      await waitsForRoute(follower, from, BACK_MS);
      space.ip("addr", "add", "127.0.0.1/8", "dev", "lo");
      await using leader = await serve();
      await follower.line({ type: "shard", state: "live" }, follower.mark, BACK_MS);
      expect((await follower.stop()).status).toBe(0);
      expect((await leader.stop()).status).toBe(0);
    },
    LIMIT_MS,
  );

  const asking = {
    doctor: (leader: string) => ["doctor", leader],
    compare: (leader: string) => ["compare", copy.path, leader],
  };
  for (const [name, words] of Object.entries(asking)) {
    test(
      `${name} ends, with 12`,
      async () => {
        const run = await start(words(LEADER), END_MS).ended();
        expect([run.status, run.signal]).toEqual([12, null]);
        expect(run.stdout + run.stderr).toContain(`Cannot reach leader ${LEADER}: ENETUNREACH`);
      },
      LIMIT_MS,
    );

    test(
      `${name} hears a signal while nobody answers`,
      async () => {
        // The address stays, and what is sent to it is lost.
        space.loopback("up");
        space.loopback("down");
        const waiting = start(words(LEADER), END_MS);
        await untilConnecting(space);
        const run = await waiting.stop();
        expect([run.status, run.signal]).toEqual([143, null]);
      },
      LIMIT_MS,
    );
  }
});

/** A connect is under way: state 02, SYN_SENT, to port 7400. */
async function untilConnecting(space: NetworkSpace): Promise<void> {
  const isThere = () =>
    Bun.spawnSync([...space.inside, "cat", "/proc/self/net/tcp"])
      .stdout.toString()
      .includes(":1CE8 02 ");
  while (!isThere()) await Bun.sleep(20);
}
