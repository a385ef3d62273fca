// armdb compare DIR LEADER, on a net in memory: our own leader over the recorded directories, and leaders that misbehave.

import { describe, expect, test } from "bun:test";
import { createCompareCommand } from "../../src/cli/commands/compare.ts";
import {
  type FollowerCompare,
  FollowerMute,
  SOCKET_FILE,
} from "../../src/audit/compare/request.ts";
import {
  decodeSlot,
  packMeta,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { ServedDirectory } from "../../src/serve/served-database.ts";
import {
  encodeCaughtUp,
  encodeErrorFrame,
  encodeShardInfo,
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  type ProtocolVersion,
  type ShardInfo,
} from "../../src/wire/messages.ts";
import { Stage } from "../serve/stage.ts";
import {
  BAD_INPUTS,
  badScript,
  batchFrame,
  goodScript,
  type GoodLeader,
  handshake,
  type ScriptedSlot,
} from "../support/leader-scripts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { type Script, ScriptedLeader } from "../support/scripted-leader.ts";
import { contentsOf, drive, FixtureCopy, FIXTURES, runWords } from "./repair-support.ts";

/** No follower runs anywhere. */
const nobody: FollowerCompare = { compare: () => Promise.resolve(null) };
const command = createCompareCommand(() => nobody);

/** A leader by script, over a fixture's slots. */
class Leader {
  readonly clock = new ManualClock();
  readonly net = new MemoryNet(this.clock);
  readonly scripted: ScriptedLeader;
  readonly info: ShardInfo;

  constructor(source: FixtureCopy, protocol: ProtocolVersion, script?: (leader: Leader) => Script) {
    const served = ServedDirectory.open(realDisk, source.path);
    const { shardCount, shardPrefixBits } = served;
    const slotCount = served.slotCount(0);
    served.close();
    this.info = { ...source.layout, shardCount, shardPrefixBits, slotCount };
    const good: GoodLeader = {
      info: this.info,
      protocol,
      slots: (shard) => slotsOf(source, shard),
    };
    const chosen = script?.(this) ?? goodScript(good);
    // The first connection asks for the protocol; a script of a bad leader is for the scans after it.
    const probe: Script = function* (peer) {
      yield* handshake(peer, good);
    };
    this.scripted = new ScriptedLeader(this.net, this.clock, (connection) =>
      connection === 0 ? probe : chosen,
    );
  }

  async compare(here: FixtureCopy, ...words: string[]) {
    const all = [here.path, this.scripted.address, "--json", ...words];
    const { clock, net } = this;
    const result = await drive(clock, runWords(command, all, { clock, net }));
    this.scripted.stop();
    clock.settle();
    expect(clock.pendingTimers).toBe(0);
    expect(net.open).toEqual([]);
    return result;
  }
}

function slotsOf(source: FixtureCopy, shard: number): ScriptedSlot[] {
  return [...source.slotsOf(shard, STATUS_OCCUPIED), ...source.slotsOf(shard, STATUS_DELETED)]
    .sort((left, right) => left - right)
    .map((slot) => {
      const image = source.slotBytes(shard, slot);
      return { slot, meta: decodeSlot(image, source.layout).meta, image };
    });
}

const NAME = "8x16-2-shards";

describe("compare with our own leader", () => {
  for (const name of FIXTURES) {
    test(`the crate's follower has its leader's contents: ${name}`, async () => {
      using here = new FixtureCopy(name, "follower-clean");
      using there = new FixtureCopy(name, "leader-clean");
      const before = contentsOf(here.path);
      const served = ServedDirectory.open(realDisk, there.path);
      const { clock, net, server } = new Stage(served);
      const words = [here.path, `127.0.0.1:${server.port}`, "--json", "--yes"];
      const { status, document } = await drive(clock, runWords(command, words, { clock, net }));
      served.close();
      expect({ status, differences: document["differences"] }).toEqual({
        status: 0,
        differences: [],
      });
      expect(contentsOf(here.path)).toEqual(before);
    });
  }

  test("differences stand after both rounds and are told", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using there = new FixtureCopy(NAME, "leader-clean");
    const [missing = 0, older = 0] = here.slotsOf(0, STATUS_OCCUPIED);
    const [extra = 0] = here.slotsOf(1, STATUS_OCCUPIED);
    here.setMeta(0, missing, STATUS_FREE, 0);
    there.rewrite(0, older, 500, 7);
    there.setMeta(1, extra, STATUS_FREE, 0);
    const served = ServedDirectory.open(realDisk, there.path);
    const { clock, net, server } = new Stage(served);
    const words = [here.path, `127.0.0.1:${server.port}`, "--json", "--yes"];
    const { status, document } = await drive(clock, runWords(command, words, { clock, net }));
    served.close();
    expect(status).toBe(4);
    expect(document["differences"]).toMatchObject([
      { shard: 0, slot: missing, kind: "missing", here: { status: "free" } },
      { shard: 0, slot: older, kind: "older", there: { status: "occupied", version: 500 } },
      { shard: 1, slot: extra, kind: "extra", there: { status: "free", version: 0 } },
    ]);
  });
});

describe("compare with a leader by script", () => {
  test("protocol 1 needs --yes, asked before any stream is taken", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using there = new FixtureCopy(NAME, "leader-clean");
    const refused = new Leader(there, 1);
    const { status, error } = await refused.compare(here);
    expect(status).toBe(2);
    expect(error?.details.hint).toContain("--yes");
    expect(refused.scripted.requests.map((request) => request.protocolVersion)).toEqual([0]);
    const allowed = new Leader(there, 1);
    expect((await allowed.compare(here, "--yes")).status).toBe(0);
    // Each scan is vouched for by two questions, one held since before it, which take no stream.
    const versions = allowed.scripted.requests.map((request) => request.protocolVersion);
    expect(versions).toEqual([0, 0, 1, 0, 0, 1, 0]);
  });

  test("a round is one connection a shard, and only shards in question have a second one", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using there = new FixtureCopy(NAME, "leader-clean");
    there.rewrite(1, there.slotsOf(1, STATUS_OCCUPIED)[0] ?? 0, 500, 7);
    const leader = new Leader(there, 2);
    expect((await leader.compare(here)).status).toBe(4);
    const scans = leader.scripted.requests.filter((request) => request.protocolVersion !== 0);
    expect(scans.map((request) => request.shardId)).toEqual([0, 1, 1]);
  });

  test("a write that arrives between the rounds is no difference", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using there = new FixtureCopy(NAME, "leader-clean");
    const slot = there.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0;
    there.rewrite(0, slot, 500, 7);
    const leader = new Leader(there, 2, ({ info }) => {
      const good: GoodLeader = { info, protocol: 2, slots: (shard) => slotsOf(there, shard) };
      const script = goodScript(good);
      return function* (peer) {
        // Connections 1 and 2 are the first round; the follower's write lands before the third.
        if (leader.scripted.peers.length === 4) here.rewrite(0, slot, 500, 7);
        yield* script(peer);
      };
    });
    expect((await leader.compare(here, "--rounds", "3")).status).toBe(0);
  });

  test("`shard already streaming` is tried again soon, then exit 5 with the reason", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    const busy = new Leader(here, 2, () => {
      return function* (peer) {
        yield* peer.request();
        peer.send(encodeErrorFrame(ERROR_ALREADY_STREAMING));
        peer.close();
      };
    });
    const { status, document } = await busy.compare(here, "--shard", "0");
    expect(status).toBe(5);
    expect(document["verdict"]).toBe("unknown");
    expect(JSON.stringify(document["shards"])).toContain("shard already streaming");
    expect(busy.scripted.peers.length).toBeGreaterThan(3);
  });

  test("a scan that ends early, or behind which the leader shows no life, is not believed", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using there = new FixtureCopy(NAME, "leader-clean");
    const cut = (total: bigint, close: boolean, answers = true) =>
      new Leader(there, 2, ({ info }) => {
        let scans = 0;
        return function* (peer) {
          const { shardId, protocolVersion } = yield* peer.request();
          if (protocolVersion === 0) {
            const text = "protocol version mismatch: leader 2, follower 0";
            // A leader that stops accepts nobody any more; the question before all scans is another one.
            if (answers || scans === 0) peer.send(encodeErrorFrame(text));
            return peer.close();
          }
          scans++;
          peer.send(encodeShardInfo(info));
          peer.send(batchFrame(shardId, info, slotsOf(there, shardId).slice(0, 3)));
          peer.send(encodeCaughtUp({ shardId, totalScanned: total }));
          if (close) {
            // A moment later, as a leader that is stopping does.
            yield* peer.pause(100);
            peer.close();
          } else yield* peer.untilEnd();
        };
      });
    expect((await cut(60n, false).compare(here)).status).toBe(12);
    expect((await cut(3n, true).compare(here)).status).toBe(12);
    // Its end is held back, by a tunnel say: an open link proves nothing.
    expect((await cut(3n, false, false).compare(here)).status).toBe(12);
    expect((await cut(3n, false).compare(here)).status).toBe(4);
  });

  test("events dropped after CaughtUp do not undo a whole scan", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using there = new FixtureCopy(NAME, "leader-clean");
    const leader = new Leader(there, 2, ({ info }) => {
      return function* (peer) {
        const { shardId } = yield* peer.request();
        const slots = slotsOf(there, shardId);
        peer.send(encodeShardInfo(info));
        peer.send(batchFrame(shardId, info, slots));
        peer.send(encodeCaughtUp({ shardId, totalScanned: BigInt(slots.length) }));
        peer.send(encodeErrorFrame(ERROR_EVENTS_DROPPED));
        peer.close();
      };
    });
    expect((await leader.compare(here)).status).toBe(0);
  });

  test("slots out of order are refused", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    const leader = new Leader(here, 2, ({ info }) => {
      return function* (peer) {
        const { shardId } = yield* peer.request();
        peer.send(encodeShardInfo(info));
        peer.send(batchFrame(shardId, info, slotsOf(here, shardId).slice(0, 2).reverse()));
        yield* peer.untilEnd();
      };
    });
    const { status, error } = await leader.compare(here);
    expect(status).toBe(13);
    expect(error?.message).toContain("out of order");
  });

  test("another geometry is exit 13, nobody there is exit 12", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    using other = new FixtureCopy("4x3-3-shards-padded", "leader-clean");
    const { status, error } = await new Leader(other, 2).compare(here);
    expect(status).toBe(13);
    expect(error?.message).toContain("key length is 8 here and 4 there");
    const clock = new ManualClock();
    const words = [here.path, "127.0.0.1:1"];
    const run = runWords(command, words, { clock, net: new MemoryNet(clock) });
    expect((await drive(clock, run)).status).toBe(12);
  });

  for (const bad of BAD_INPUTS) {
    test(`bad input ends with an exit status and a closed link: ${bad}`, async () => {
      using here = new FixtureCopy(NAME, "follower-clean");
      const before = contentsOf(here.path);
      const leader = new Leader(here, 2, ({ info }) => badScript(bad, info));
      const { status } = await leader.compare(here, "--rounds", "1");
      // slot_size is a field that 0.1.x leaders write wrong: nobody looks at it.
      const expected =
        bad === "error-with-escapes" || bad === "wrong-geometry" ? [5, 12] : [12, 13];
      expect(expected).toContain(status);
      expect(contentsOf(here.path)).toEqual(before);
    });
  }
});

describe("compare where a follower runs", () => {
  test("the follower is asked when the lock is held and its socket is there", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    const lock = realDisk.open(`${here.path}/db.lock`, "create");
    expect(lock.lock("exclusive")).toBe(true);
    realDisk.open(`${here.path}/${SOCKET_FILE}`, "create").close();
    const asked: unknown[] = [];
    const follower: FollowerCompare = {
      compare: (path, request) => {
        asked.push([path, request]);
        return Promise.resolve({
          verdict: "differs",
          healed: true,
          shards: [{ shard: 0, compared: 9, whole: true, differs: 1, unknown: null }],
          truncated: false,
          stopped: false,
          differences: () => [
            { shard: 0, slot: 4, kind: "older", here: packMeta(1, 2), there: packMeta(1, 3) },
          ],
        });
      },
    };
    const words = [here.path, "db1:7400", "--json", "--rounds", "3", "--wait", "1s"];
    const { status, document } = await runWords(
      createCompareCommand(() => follower),
      words,
    );
    lock.close();
    expect(status).toBe(4);
    expect(document).toMatchObject({ healed: true, differences: [{ slot: 4, kind: "older" }] });
    const leader = { host: "db1", port: 7400 };
    const request = { leader, rounds: 3, waitMs: 1000, shard: null };
    expect(asked).toEqual([[`${here.path}/${SOCKET_FILE}`, request]]);
  });

  test("one that does not answer is said as status says it, exit 5", async () => {
    using here = new FixtureCopy(NAME, "follower-clean");
    const lock = realDisk.open(`${here.path}/db.lock`, "create");
    expect(lock.lock("exclusive")).toBe(true);
    realDisk.open(`${here.path}/${SOCKET_FILE}`, "create").close();
    const follower: FollowerCompare = {
      compare: () => Promise.reject(new FollowerMute("no answer within 5 s")),
    };
    const words = [here.path, "db1:7400", "--json"];
    const { status, error } = await runWords(
      createCompareCommand(() => follower),
      words,
    );
    lock.close();
    expect(status).toBe(5);
    expect(error?.message).toBe(
      `The follower, process ${process.pid}, on "${here.path}" compares nothing: no answer within 5 s`,
    );
    expect(error?.details.hint).toContain("kill -9");
  });
});
