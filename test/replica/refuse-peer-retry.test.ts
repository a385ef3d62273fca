// What a follower does about a wrong peer besides ending: without --once it keeps trying and says why; nothing that such a peer
// says reaches a terminal raw; and only what brings the scan forward counts as progress for --timeout.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { encodeHeartbeat, encodeShardInfo, type ShardInfo } from "../../src/wire/messages.ts";
import { Armdb, replicateOnce, runArmdb } from "../support/armdb.ts";
import { BAD_LEADER_INFO, dataTreeOf, RealScriptedLeader } from "../support/bad-leader.ts";
import {
  type BadInput,
  batchFrame,
  heartbeatScript,
  scriptedSlot,
} from "../support/leader-scripts.ts";
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
        // Reconnects come after 1 s and 2 s more: counted as progress they would have gone on to a third. Each may have one that vouches.
        expect(leader.connections).toBeLessThanOrEqual(2 * 2 * BAD_LEADER_INFO.shardCount);
        expect(dataTreeOf(dir)).toBeNull();
      },
      TEST_LIMIT_MS,
    );
  }
});

describe("replicate --once at a leader whose scan gets nowhere", () => {
  let temp: TempRoot;
  beforeAll(() => {
    temp = new TempRoot("refuse-scan");
  });
  afterAll(() => temp[Symbol.dispose]());

  const info = { ...BAD_LEADER_INFO, shardCount: 1 };
  /** What it sends each time, by how often it has. */
  const scans: readonly (readonly [string, (time: number) => Uint8Array, RegExp])[] = [
    [
      "sends the same batch again and again",
      () => batchOf(info, 1, 2, 3),
      /a scan out of order: slot 1 after slot 3/,
    ],
    ["sends empty batches", () => batchOf(info), /catching up/],
    ["sends heartbeats alone", () => encodeHeartbeat(), /creating its files/],
    [
      "sends more than there is",
      (time) => batchOf(info, ...Array.from({ length: 10 }, (_, slot) => 10 * time + slot)),
      /110 events in a scan of 100 slots/,
    ],
  ];
  for (const [what, send, reason] of scans) {
    test.concurrent(
      `which ${what}: 12 after --timeout, with the reason`,
      async () => {
        using leader = new RealScriptedLeader(function* (peer) {
          yield* peer.request();
          peer.send(encodeShardInfo(info));
          for (let time = 0; peer.ended === null; time++) {
            peer.send(send(time));
            yield* peer.pause(20);
          }
        });
        const words = ["--timeout", "2500ms"];
        const dir = temp.fresh("new");
        const run = await replicateOnce(leader.address, dir, words, { limitMs: 30_000 });
        expect(run.status).toBe(12);
        expect(run.error?.["message"]).toMatch(reason);
      },
      TEST_LIMIT_MS,
    );
  }
});

function batchOf(info: ShardInfo, ...slots: readonly number[]): Uint8Array {
  const layout = slotLayout(info.keyLen, info.valueLen);
  const made = slots.map((slot) => {
    const key = new Uint8Array(info.keyLen);
    key[0] = slot;
    const meta = packMeta(STATUS_OCCUPIED, 1);
    return scriptedSlot(slot, meta, layout, key, new Uint8Array(info.valueLen));
  });
  return batchFrame(0, layout, made);
}

/** Controls, and what turns the direction of text around. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
