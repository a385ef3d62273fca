// Our leader's bytes against those that the real leader (0.1.14) sent from the same directory.

import { describe, expect, test } from "bun:test";
import { realDisk } from "../../src/io/real-disk.ts";
import { NO_LIVE_EVENTS } from "../../src/serve/live-source.ts";
import { ServedDirectory } from "../../src/serve/served-database.ts";
import { LeaderServer } from "../../src/serve/server.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { FIXTURES, fixtureDirectory, fixtureRecording } from "./fixtures.ts";
import { TestFollower } from "./test-follower.ts";

for (const name of FIXTURES) {
  describe(name, () => {
    for (const flags of [0, 1] as const) {
      test(`protocol 1 with flags ${flags} is byte for byte what the real leader sent`, () => {
        const clock = new ManualClock();
        const net = new MemoryNet(clock);
        const database = ServedDirectory.open(realDisk, fixtureDirectory(name, "leader-dirty"));
        const server = LeaderServer.start(
          { net, clock, database, live: NO_LIVE_EVENTS, report: () => {} },
          "127.0.0.1",
          0,
        );
        for (let shard = 0; shard < database.shardCount; shard++) {
          const follower = new TestFollower(net, clock, server.port, { shard, protocol: 1, flags });
          clock.settle();
          const file = `shard${shard}-catchup${flags === 1 ? "-empty" : ""}.bin`;
          expect(Buffer.from(follower.bytes).toString("hex")).toBe(
            Buffer.from(fixtureRecording(name, file)).toString("hex"),
          );
        }
        database.close();
      });
    }
  });
}
