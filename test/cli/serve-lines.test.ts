// The lines of `armdb serve` about its followers, in simulated time.

import { expect, test } from "bun:test";
import { FollowerLines } from "../../src/cli/commands/serve-lines.ts";
import type { FollowerReport } from "../../src/serve/report.ts";
import { ManualClock } from "../support/manual-clock.ts";

function stage() {
  const said: string[] = [];
  const clock = new ManualClock();
  const say = (text: string) => void said.push(text);
  const messages = { info: say, warn: say, error: say };
  return { said, clock, lines: new FollowerLines(messages, "DIR", clock) };
}

/** A follower that is refused, each time on a new connection. */
const refused = (port: number, shard = 0): FollowerReport => ({
  ...{ from: `10.0.0.5:${port}`, shard, state: "refused", reason: "shard already streaming" },
});

test("a follower that is refused ten times a second is a line in ten seconds", () => {
  const { said, clock, lines } = stage();
  for (let port = 1000; port < 1300; port++) {
    lines.follower(refused(port));
    clock.advance(100);
  }
  lines.end();
  expect(said).toEqual([
    "10.0.0.5:1000 refused: shard already streaming",
    "10.0.0.5:1099 refused: shard already streaming (and 98 more)",
    "10.0.0.5:1199 refused: shard already streaming (and 99 more)",
    "10.0.0.5:1299 refused: shard already streaming (and 99 more)",
  ]);
});

test("other shards, hosts and words are said at once", () => {
  const { said, lines } = stage();
  lines.follower(refused(1000));
  lines.follower(refused(1001, 1));
  lines.follower({ ...refused(1000), from: "10.0.0.6:1000" });
  lines.follower({ from: "10.0.0.5:1000", shard: 0, state: "scanning", protocol: 2, slots: 1 });
  lines.follower({ from: "10.0.0.5:1000", shard: 0, state: "ended", reason: "closed" });
  lines.follower({ from: "10.0.0.5:1002", shard: null, state: "ended", reason: "closed" });
  expect(said).toHaveLength(6);
  expect(said.slice(-3)).toEqual([
    "10.0.0.5:1000 shard 0: catching up, 1 slot (protocol 2)",
    "10.0.0.5:1000 shard 0: ended, closed",
    "10.0.0.5:1002: ended, closed",
  ]);
});
