// What asks a leader has an end and hears the stop signal, whatever the leader does.

import { describe, expect, test } from "bun:test";
import { probeProtocol } from "../../src/audit/leader/probe.ts";
import { scanLeader } from "../../src/audit/leader/receiver.ts";
import { pauseUnlessStopped, Stopped, throwIfStopped } from "../../src/audit/stopped.ts";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { encodeCaughtUp, encodeHeartbeat, encodeShardInfo } from "../../src/wire/messages.ts";
import { batchFrame, scriptedSlot } from "../support/leader-scripts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { type Script, ScriptedLeader } from "../support/scripted-leader.ts";

const INFO = { ...slotLayout(8, 16), shardCount: 1, shardPrefixBits: 0, slotCount: 100 };
const MINUTE_MS = 60_000;

function stage(script: Script) {
  const clock = new ManualClock();
  const net = new MemoryNet(clock);
  const { port } = new ScriptedLeader(net, clock, () => script);
  return { clock, net, leader: { host: "127.0.0.1", port } };
}

/** How a promise ended, once timers and promises have run for so long. */
async function endOf(work: Promise<unknown>, clock: ManualClock, ms: number): Promise<unknown> {
  let end: unknown = "it still waits";
  work.then(
    () => (end = "fine"),
    (thrown: unknown) => (end = thrown),
  );
  await clock.advanceAsync(ms, 500);
  return end;
}

describe("a probe", () => {
  test("that is stopped before it begins asks nobody for long", async () => {
    const { clock, net, leader } = stage(function* (peer) {
      yield* peer.untilEnd();
    });
    const work = probeProtocol(net, clock, leader, AbortSignal.abort());
    expect(await endOf(work, clock, 1)).toBeInstanceOf(Stopped);
    expect([net.open, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("ends where each connect fails at once", async () => {
    const { clock, net } = stage(function* () {});
    net.failsAtOnce = true;
    const leader = { host: "::1", port: 9 };
    const work = probeProtocol(net, clock, leader, new AbortController().signal);
    expect(await endOf(work, clock, 1)).toMatchObject({
      code: "leader-unreachable",
      message: "Cannot reach leader [::1]:9: ENETUNREACH",
    });
  });
});

describe("a scan", () => {
  const scan = ({ clock, net, leader }: ReturnType<typeof stage>) =>
    scanLeader(
      net,
      clock,
      {
        leader,
        shard: 0,
        protocol: 2,
        bytesPerSecond: null,
        timeoutMs: null,
        stop: new AbortController().signal,
      },
      { begin: () => {}, event: () => {} },
    );

  test("ends where each connect fails at once", async () => {
    const at = stage(function* () {});
    at.net.failsAtOnce = true;
    const work = scan({ ...at, leader: { host: "127.0.0.1", port: 9 } });
    expect(await endOf(work, at.clock, 1_000)).toMatchObject({ code: "leader-unreachable" });
  });

  const words: [string, Uint8Array][] = [
    ["heartbeats", encodeHeartbeat()],
    ["empty batches", batchFrame(0, INFO, [])],
  ];
  for (const [what, word] of words) {
    test(`that gets ${what} and no slot is given up after a minute`, async () => {
      const at = stage(function* (peer) {
        yield* peer.request();
        peer.send(encodeShardInfo(INFO));
        for (;;) {
          peer.send(word);
          yield* peer.pause(5_000);
        }
      });
      expect(await endOf(scan(at), at.clock, 2 * MINUTE_MS)).toMatchObject({
        code: "leader-unreachable",
        message: expect.stringContaining("no slot came for 6"),
      });
      expect(at.net.open).toEqual([]);
    });
  }
});

describe("a scan whose slots lie far apart", () => {
  const FAR = 50_000_000;
  const WIDE = { ...INFO, slotCount: FAR + 10 };
  const SLOTS = [3, FAR, FAR + 1];
  const META = packMeta(STATUS_OCCUPIED, 1);
  const key = new Uint8Array(8);

  /** What the receiver is asked, in order; its walk takes a second each time it is asked for. */
  function scanned(stop: AbortSignal) {
    const at = stage(function* (peer) {
      yield* peer.request();
      peer.send(encodeShardInfo(WIDE));
      peer.send(
        batchFrame(
          0,
          WIDE,
          SLOTS.map((slot) => scriptedSlot(slot, META, INFO, key, key)),
        ),
      );
      peer.send(encodeCaughtUp({ shardId: 0, totalScanned: BigInt(SLOTS.length) }));
      yield* peer.untilEnd();
    });
    const told: number[] = [];
    let reached = 0;
    const options = { leader: at.leader, shard: 0, protocol: 2, bytesPerSecond: null } as const;
    const work = scanLeader(
      at.net,
      at.clock,
      { ...options, timeoutMs: null, stop },
      {
        begin: () => {},
        event: ({ slot }) => void told.push(slot),
        reach: async (slot) => {
          reached = slot;
          await pauseUnlessStopped(at.clock, 1_000, stop);
          throwIfStopped(stop);
        },
      },
    );
    return { at, work, told, reached: () => reached };
  }

  test("has its receiver walk there in steps, and is stopped in the middle of them", async () => {
    const stop = new AbortController();
    const { at, work, told, reached } = scanned(stop.signal);
    const end = endOf(work, at.clock, 20_000);
    at.clock.after(10_000, () => stop.abort());
    expect(await end).toBeInstanceOf(Stopped);
    expect(told).toEqual([3]);
    expect(reached()).toBeGreaterThan(100_000);
    expect(reached()).toBeLessThan(FAR / 10);
    expect(at.net.open).toEqual([]);
  });

  test("hands on what lies behind in its order, once it is there", async () => {
    const { at, work, told, reached } = scanned(new AbortController().signal);
    // However long that takes: the leader is not what is slow.
    await endOf(work, at.clock, 3_200_000);
    expect(told).toEqual(SLOTS);
    expect(reached()).toBeGreaterThan(FAR - 20_000);
  });
});
