// What a new directory costs a leader in connections: none is dialed before it is needed.

import { describe, expect, test } from "bun:test";
import { inState } from "../support/follower-states.ts";
import { oracleAvailable } from "../support/oracle.ts";
import { Proxy } from "../support/proxy.ts";
import { ReplicaStage, TWO_SHARDS } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;

describe.if(oracleAvailable())("the first connections of a new directory", () => {
  // One a shard, one more that is refused with protocol 2, and two by which the leader's process vouches for all of them.
  test.concurrent.each([
    { version: "0.1.14", shards: 1, dialed: 4 },
    { version: "0.1.14", shards: 3, dialed: 6 },
    { version: "0.15.0", shards: 1, dialed: 3 },
    { version: "0.15.0", shards: 3, dialed: 5 },
  ] as const)(
    "$version, $shards shards: $dialed, and all of them are used",
    async ({ version, shards, dialed }) => {
      await using stage = new ReplicaStage(version, { ...TWO_SHARDS, shards });
      const leader = await stage.leader();
      await leader.fill(0, 5_000, 1);
      await using proxy = await Proxy.start(leader.port);
      const dir = stage.path("replica");
      const first = stage.follower(proxy, dir);
      await inState(first, "live", shards);
      expect((await first.stop()).status).toBe(0);
      expect(proxy.records.map(({ bytesToLeader }) => bytesToLeader > 0)).toEqual(
        Array<boolean>(dialed).fill(true),
      );
    },
    LIMIT_MS,
  );
});
