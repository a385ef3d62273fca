// What a new directory costs a leader in connections. Those that are dialed ahead say nothing until they are needed, and those
// that are not are closed.

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/follow-stage.ts";
import { inState } from "../support/follower-states.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { ReplicaStage, TWO_SHARDS } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const QUIET_LIMIT_MS = 10_000;

describe.if(oracleAvailable())("the first connections of a new directory", () => {
  // One shard: refused with protocol 2, one with protocol 1, and one for a second shard that is not there. And the question that
  // vouches for all of them.
  test.concurrent.each([
    { version: "0.1.14", shards: 1, dialed: 4, used: 3 },
    { version: "0.1.14", shards: 3, dialed: 5, used: 5 },
    { version: "0.15.0", shards: 1, dialed: 3, used: 2 },
    { version: "0.15.0", shards: 3, dialed: 4, used: 4 },
  ] as const)(
    "$version, $shards shards: $used of $dialed are used, and a second start dials none ahead",
    async ({ version, shards, dialed, used }) => {
      await using stage = new ReplicaStage(version, { ...TWO_SHARDS, shards });
      const leader = await stage.leader();
      await leader.fill(0, 5_000, 1);
      await using proxy = await Proxy.start(leader.port);
      const { records } = proxy;
      const dir = stage.path("replica");
      const first = stage.follower(proxy, dir);
      await inState(first, "live", shards);
      const silent = () => records.filter((record) => record.bytesToLeader === 0);
      await eventually(silent, (left) => left.every((record) => record.ended));
      expect(silent().every((record) => record.ended)).toBe(true);
      expect(records).toHaveLength(dialed);
      expect(silent()).toHaveLength(dialed - used);
      expect((await first.stop()).status).toBe(0);

      const second = stage.follower(proxy, dir);
      await second.line({ type: "ready" });
      expect(records.length).toBeGreaterThan(dialed);
      // One that has just been dialed asks soon; one that was dialed ahead never would.
      const left = await eventually(silent, (now) => now.length === dialed - used, QUIET_LIMIT_MS);
      expect(left).toHaveLength(dialed - used);
    },
    LIMIT_MS,
  );
});
