// Peers that are no leader, or a wrong one: replicate --once says what came, ends with the exit code of cli.md, and leaves DIR
// as it was; where DIR was not there, it is not made.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { replicateOnce } from "../support/armdb.ts";
import { BAD_LEADER_INFO, dataTreeOf, RealScriptedLeader } from "../support/bad-leader.ts";
import { BAD_INPUTS, type BadInput } from "../support/leader-scripts.ts";
import type { Script } from "../support/scripted-leader.ts";
import { TempRoot, treeOf } from "../support/temp.ts";
import { Turnstile } from "../support/turnstile.ts";

/** Most of these wait for a timeout; starting all at once would make that wait too short. */
const AT_ONCE = 9;
const TEST_LIMIT_MS = 90_000;

interface Refusal {
  readonly exit: 12 | 13;
  /** What the message has to say. */
  readonly says: RegExp;
}

/** Before ShardInfo: 13. After it, and for an Error in its place: tried again, until --timeout ends it with 12. */
const REFUSALS: Readonly<Record<Exclude<BadInput, "wrong-geometry">, Refusal>> = {
  "not-an-armdb-port": { exit: 13, says: /does not speak .* unknown type 83/ },
  "shard-info-short": { exit: 13, says: /does not speak .* a ShardInfo of 4 bytes/ },
  "zero-shards": { exit: 13, says: /does not speak .* a ShardInfo with 0 shards/ },
  "batch-before-info": { exit: 13, says: /does not speak .* a SlotBatch before ShardInfo/ },
  "length-4-gib": { exit: 12, says: /announced a SlotBatch of 4294967295 bytes/ },
  "unknown-type": { exit: 12, says: /a frame of unknown type 77/ },
  "truncated-frame": { exit: 12, says: /the (leader closed the )?connection( broke)?/ },
  "count-lies": { exit: 12, says: /a SlotBatch .*count/ },
  "status-3": { exit: 12, says: /a SlotBatch .*status/ },
  "slot-far-out": { exit: 12, says: /slot 4294967280.* far out of a shard of 100 slots/ },
  "other-shard": { exit: 12, says: /a SlotBatch .*other.shard/ },
  "error-with-escapes": { exit: 12, says: /the leader says: go away/ },
  silence: { exit: 12, says: /accepted and said nothing for 5 s/ },
};

const isListed = (bad: BadInput): bad is keyof typeof REFUSALS => bad !== "wrong-geometry";

describe("replicate --once refuses a peer that sends", () => {
  let temp: TempRoot;
  let replica = "";
  const turnstile = new Turnstile(AT_ONCE);

  beforeAll(async () => {
    temp = new TempRoot("refuse-peer");
    replica = temp.fresh("replica");
    using leader = RealScriptedLeader.good();
    const made = await replicateOnce(leader.address, replica);
    expect(made.status).toBe(0);
  });
  afterAll(() => temp[Symbol.dispose]());

  /** Holds one run against what it has to be, into a new DIR or a copy of the replica. */
  async function expectRefusal(address: string, dir: string, refusal: Refusal): Promise<void> {
    const before = dataTreeOf(dir);
    // Long enough for the 5 s of a handshake where that is what has to be said.
    const timeout = refusal.says.source.includes("5 s") ? "8s" : "3s";
    const words = ["--timeout", timeout];
    const run = await turnstile.pass(() => replicateOnce(address, dir, words));
    expect(run.error).toMatchObject({
      schema: 1,
      type: "error",
      code: refusal.exit === 13 ? "incompatible" : "leader-unreachable",
      exit: refusal.exit,
      message: expect.stringMatching(refusal.says),
      hint: expect.stringContaining("armdb doctor"),
    });
    expect(run.status).toBe(refusal.exit);
    expect(run.stderr).not.toMatch(/^\s+at .+:\d+/m);
    expect(dataTreeOf(dir)).toEqual(before);
  }

  for (const bad of BAD_INPUTS.filter(isListed)) {
    test.concurrent(
      `${bad}, into a new directory: exit ${REFUSALS[bad].exit}, and it is not made`,
      async () => {
        using leader = RealScriptedLeader.bad(bad);
        const dir = temp.fresh("new");
        await expectRefusal(leader.address, dir, REFUSALS[bad]);
        expect(treeOf(dir)).toBeNull();
      },
      TEST_LIMIT_MS,
    );

    test.concurrent(
      `${bad}, into a replica: exit ${REFUSALS[bad].exit}, and it stays as it was`,
      async () => {
        using leader = RealScriptedLeader.bad(bad);
        const dir = await temp.copyOf(replica);
        await expectRefusal(leader.address, dir, REFUSALS[bad]);
      },
      TEST_LIMIT_MS,
    );
  }

  test.concurrent(
    "the answer of an HTTP server: exit 13",
    async () => {
      const server = createServer((_request, response) => response.end("hello"));
      await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
      try {
        const { port } = server.address() as AddressInfo;
        const dir = temp.fresh("new");
        const says = /does not speak .* unknown type 72/;
        await expectRefusal(`127.0.0.1:${port}`, dir, { exit: 13, says });
        expect(treeOf(dir)).toBeNull();
      } finally {
        server.close();
      }
    },
    TEST_LIMIT_MS,
  );

  const raw: readonly (readonly [string, readonly number[], RegExp])[] = [
    ["a length of 4 GiB first", [2, 255, 255, 255, 255], /ShardInfo of 4294967295 bytes/],
    ["an unknown type first", [9, 0, 0, 0, 0], /unknown type 9/],
    ["a follower's frame first", [5, 0, 0, 0, 0], /an? Ack, which only followers send/],
  ];
  for (const [name, bytes, says] of raw) {
    test.concurrent(
      `${name}: exit 13`,
      async () => {
        const script: Script = function* (peer) {
          yield* peer.request();
          peer.send(Uint8Array.from(bytes));
          yield* peer.untilEnd();
        };
        using leader = new RealScriptedLeader(script);
        const dir = temp.fresh("new");
        await expectRefusal(leader.address, dir, { exit: 13, says });
        expect(treeOf(dir)).toBeNull();
      },
      TEST_LIMIT_MS,
    );
  }

  const geometries = [
    [{ keyLen: 16 }, /key length is 8 here and 16 at the leader/],
    [{ valueLen: 64 }, /value length is 16 here and 64 at the leader/],
    [{ shardCount: 4 }, /shard count is 2 here and 4 at the leader/],
    [{ shardPrefixBits: 12 }, /shard prefix bits is 0 here and 12 at the leader/],
  ] as const;
  for (const [change, says] of geometries) {
    test.concurrent(
      `another geometry, ${JSON.stringify(change)}, into a replica: exit 13, and it stays as it was`,
      async () => {
        using leader = RealScriptedLeader.good({ ...BAD_LEADER_INFO, ...change });
        const dir = await temp.copyOf(replica);
        const before = dataTreeOf(dir);
        const run = await replicateOnce(leader.address, dir);
        expect(run.error).toMatchObject({
          code: "incompatible",
          exit: 13,
          message: expect.stringMatching(says),
          hint: expect.stringContaining("another directory"),
        });
        expect(run.status).toBe(13);
        expect(dataTreeOf(dir)).toEqual(before);
      },
      TEST_LIMIT_MS,
    );
  }

  test.concurrent(
    "nothing, as nobody listens: exit 12",
    async () => {
      const gone = RealScriptedLeader.good();
      const { address } = gone;
      gone[Symbol.dispose]();
      const dir = temp.fresh("new");
      const says = /no connection: /;
      await expectRefusal(address, dir, { exit: 12, says });
      expect(treeOf(dir)).toBeNull();
    },
    TEST_LIMIT_MS,
  );
});
