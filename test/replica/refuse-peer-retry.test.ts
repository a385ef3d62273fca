// What a follower does about a wrong peer besides ending: without --once it keeps trying and says why; nothing that such a peer
// says reaches a terminal raw; and only what brings the scan forward counts as progress for --timeout.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { encodeHeartbeat, encodeShardInfo } from "../../src/wire/messages.ts";
import { Armdb, replicateOnce, runArmdb } from "../support/armdb.ts";
import { BAD_LEADER_INFO, dataTreeOf, RealScriptedLeader } from "../support/bad-leader.ts";
import { type BadInput, heartbeatScript } from "../support/leader-scripts.ts";
import type { Script } from "../support/scripted-leader.ts";
import { TempRoot, treeOf } from "../support/temp.ts";

const TEST_LIMIT_MS = 45_000;

describe("replicate with a wrong peer", () => {
  let temp: TempRoot;
  beforeAll(() => {
    temp = new TempRoot("refuse-peer-retry");
  });
  afterAll(() => temp[Symbol.dispose]());

  const kept: readonly (readonly [BadInput, RegExp])[] = [
    ["not-an-armdb-port", /unknown type 83/],
    ["zero-shards", /0 shards/],
    ["unknown-type", /unknown type 77/],
    ["status-3", /status/],
    ["error-with-escapes", /the leader says: go away/],
  ];
  for (const [bad, says] of kept) {
    test.concurrent(
      `without --once tries ${bad} again, says why, makes nothing, and stops in good order`,
      async () => {
        using leader = RealScriptedLeader.bad(bad);
        const dir = temp.fresh("new");
        await using follower = Armdb.replicate(leader.address, dir);
        const waiting = await follower.line({ type: "shard", shard: 0, state: "waiting" });
        expect(waiting["detail"]).toMatch(says);
        const from = follower.mark;
        await follower.line({ type: "shard", shard: 0, state: "connecting" }, from);
        await follower.line({ type: "shard", shard: 0, state: "waiting" }, from);
        expect((await follower.stop()).status).toBe(0);
        expect(treeOf(dir)).toBeNull();
      },
      TEST_LIMIT_MS,
    );
  }

  const manners: readonly (readonly string[])[] = [
    [],
    ["--json"],
    ["--verbose"],
    ["--verbose", "--color", "always"],
    ["--log-format", "json", "--verbose"],
    ["--json", "--verbose"],
  ];
  for (const manner of manners) {
    test.concurrent(
      `an Error text with escape codes is harmless in the output of ${manner.join(" ") || "plain runs"}`,
      async () => {
        using leader = RealScriptedLeader.bad("error-with-escapes");
        const dir = temp.fresh("new");
        const words = ["replicate", leader.address, "--data", dir, "--once", "--timeout", "2s"];
        const run = await runArmdb([...words, ...manner]);
        expect(run.status).toBe(12);
        const said = run.stdout + run.stderr;
        expect(said).toContain("go away");
        // Colours of ours are no text of the peer's: no other sequence may be there.
        const shown = said.replaceAll(/\u001b\[\d*m/g, "");
        const raw = [...shown.replaceAll("\n", "")].filter((character) => UNSAFE.test(character));
        expect(raw.map((character) => character.codePointAt(0)?.toString(16))).toEqual([]);
        expect(said).not.toContain("\u001b[2J");
        // Nor does it begin a line of its own.
        expect(shown).not.toMatch(/^root:/m);
      },
      TEST_LIMIT_MS,
    );
  }

  const noProgress: readonly (readonly [string, Script])[] = [
    ["heartbeats alone", heartbeatScript(BAD_LEADER_INFO, 300)],
    [
      "a ShardInfo and the end, again and again",
      function* (peer) {
        yield* peer.request();
        peer.send(encodeShardInfo(BAD_LEADER_INFO));
        peer.send(encodeHeartbeat());
        yield* peer.pause(20);
        peer.close();
      },
    ],
  ];
  for (const [name, script] of noProgress) {
    test.concurrent(
      `${name} are no progress: --once ends with 12 after --timeout`,
      async () => {
        using leader = new RealScriptedLeader(script);
        const dir = temp.fresh("new");
        const words = ["--timeout", "2500ms"];
        const run = await replicateOnce(leader.address, dir, words, { limitMs: 12_000 });
        expect(run.status).toBe(12);
        // Reconnects come after 1 s and 2 s more: counted as progress they would have gone on to a third. One is dialed ahead.
        expect(leader.connections).toBeLessThanOrEqual(2 * BAD_LEADER_INFO.shardCount + 1);
        expect(dataTreeOf(dir)).toBeNull();
      },
      TEST_LIMIT_MS,
    );
  }
});

/** Controls, and what turns the direction of text around. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
