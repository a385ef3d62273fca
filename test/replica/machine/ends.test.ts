// What the end of the main connection leads to: the pause, the protocol, the debts, or the end of the shard.

import { describe, expect, test } from "bun:test";
import {
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  ERROR_INVALID_SHARD,
  versionMismatchText,
} from "../../../src/wire/messages.ts";
import { type Driven, live, LOST, polling, STALLED, started } from "./driven.ts";

const MISFIT = { code: "incompatible", message: "shard count is 2 here and 4 there" } as const;
const VIOLATION = { kind: "violation", reason: "The peer sent a second ShardInfo" } as const;

/** Pauses until so many next requests, each connection ended in that way. */
function pausesMs(machine: Driven, count: number, end: (machine: Driven) => unknown): number[] {
  return Array.from({ length: count }, () => {
    end(machine);
    const fromMs = machine.nowMs;
    const { main } = machine.state;
    if (main.at !== "resting") throw new Error(`it is ${main.at}`);
    machine.wait(main.untilMs - machine.nowMs);
    expect(machine.at).toBe("asking");
    return machine.nowMs - fromMs;
  });
}

const DOUBLING = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];

describe("a connection that ends", () => {
  test("is tried again after 1 s doubling to 30 s, a tenth each way", () => {
    for (const [chance, share] of [
      [0, 0.9],
      [0.5, 1],
      [1, 1.1],
    ] as const) {
      const machine = started();
      machine.chance = chance;
      const pauses = pausesMs(machine, 7, () => machine.granted().ended());
      expect(pauses).toEqual(DOUBLING.map((pauseMs) => pauseMs * share));
      expect(machine.state.counts).toEqual({ connections: 0, reconnects: 7, scans: 0 });
    }
  });

  test("meets shorter pauses only after 60 s of stream: no whole scan is progress", () => {
    const machine = started({ protocol: 1 });
    const whole = (ms: number) => () => machine.streaming().wait(ms).ended();
    expect(pausesMs(machine, 6, whole(59_999))).toEqual(DOUBLING.slice(0, 6));
    expect(pausesMs(machine, 2, whole(60_000))).toEqual([1_000, 1_000]);
  });

  test("meets four short pauses where the leader asks for another, then the backoff", () => {
    for (const text of [ERROR_ALREADY_STREAMING, ERROR_EVENTS_DROPPED]) {
      const machine = started();
      const pauses = pausesMs(machine, 6, () => machine.scanning().error(text));
      expect(pauses).toEqual([150, 300, 600, 1_200, 1_000, 2_000]);
      expect(machine.state.counts.reconnects).toBe(6);
    }
  });

  test("is no reconnect where we closed it for a scan", () => {
    const machine = live(2).take({ kind: "rescan" });
    expect(machine.done).toEqual(["close 1"]);
    expect(machine.word).toBe("connecting");
    expect(machine.wait(149).at).toBe("resting");
    expect(machine.wait(1).done).toEqual(["ask 2 2"]);
    expect(machine.state.counts.reconnects).toBe(0);
  });

  test("widens the window when events were dropped, up to 256, unless the rate is limited", () => {
    const dropTwice = (machine: Driven) => {
      machine.scanning().error(ERROR_EVENTS_DROPPED).wait(150);
      machine.scanning().error(ERROR_EVENTS_DROPPED).wait(300);
      return machine.scanning().error(ERROR_EVENTS_DROPPED).state.leader.windowAcks;
    };
    expect(dropTwice(started())).toBe(256);
    expect(dropTwice(started({ windowAcks: 300 }))).toBe(300);
    expect(dropTwice(started({ windowAcks: 0 }))).toBe(0);
    expect(dropTwice(started({ isRateLimited: true }))).toBe(64);
  });

  test("owes a loss when events were dropped behind CaughtUp, and what was cut in a scan", () => {
    expect(started().scanning().error(ERROR_EVENTS_DROPPED).state.owed?.why).toBe("cut");
    expect(started().confirming().error(ERROR_EVENTS_DROPPED).state.owed?.why).toBe("loss");
    expect(live(2).error(ERROR_EVENTS_DROPPED).state.owed?.why).toBe("loss");
    expect(started().scanning().ended().state.owed?.why).toBe("cut");
    expect(started().confirming().ended().state.owed?.why).toBe("cut");
    expect(started().dialing().ended().state.owed).toBe(null);
    expect(live(2).ended().state.owed).toBe(null);
  });

  test("shows as stalled until the next end or ShardInfo", () => {
    const machine = live(2).ended(STALLED);
    expect(machine.word).toBe("stalled");
    expect(machine.wait(1_000).granted().word).toBe("stalled");
    expect(machine.ended().word).toBe("waiting");
    machine.wait(2_000).granted().ended(STALLED).wait(4_000).dialing();
    expect([machine.word, machine.shardInfo().word]).toEqual(["stalled", "scanning"]);
  });

  test("leaves a gap where it had a stream that we did not end", () => {
    expect(live(2).ended().state.leader.hasGap).toBe(true);
    expect(started().confirming().ended().state.leader.hasGap).toBe(true);
    expect(started().scanning().ended().state.leader.hasGap).toBe(false);
    expect(polling().ended().state.leader.hasGap).toBe(true);
    expect(live(2).take({ kind: "rescan" }).state.leader.hasGap).toBe(false);
    expect(started({ followedBefore: true }).state.leader.hasGap).toBe(true);
  });

  test("says its reason once, however often it is met", () => {
    const machine = started();
    pausesMs(machine, 3, () => machine.granted().ended());
    const logged = machine.reports.filter(({ kind }) => kind === "log");
    expect(logged).toEqual([
      {
        kind: "log",
        level: "warn",
        text: LOST.kind === "lost" ? LOST.reason : "",
        reasonOf: "main",
      },
    ]);
  });
});

describe("a leader that changes its protocol", () => {
  const names = (leader: number, machine: Driven) =>
    machine.error(versionMismatchText(leader, leader === 1 ? 2 : 1));

  test("is asked at once with the version that it names, up and down", () => {
    expect(names(1, started({ protocol: 2 }).dialing()).done).toEqual(["tell 1 over", "ask 2 1"]);
    expect(names(2, started({ protocol: 1 }).dialing()).done).toEqual(["tell 1 over", "ask 2 2"]);
  });

  test("is remembered with a ShardInfo that fits, and not before", () => {
    const machine = names(1, started({ protocol: 2 }).dialing()).dialing();
    expect(machine.state.leader.protocol).toBe(2);
    expect(machine.shardInfo().done).toContain("save");
    expect(machine.state.leader.protocol).toBe(1);
  });

  test("meets the backoff when it names the other a second time in a row", () => {
    const machine = names(1, started({ protocol: 2 }).dialing()).dialing();
    expect(names(2, machine).at).toBe("resting");
    expect(machine.wait(1_000).done).toEqual(["ask 3 2"]);
  });

  test("does not set the rate with such a text behind its ShardInfo", () => {
    const machine = started({ protocol: 2 }).scanning();
    expect(names(1, machine).at).toBe("resting");
    expect(machine.state.leader.named).toBe(null);
  });
});

describe("a leader that does not fit", () => {
  const unfit: readonly (readonly [string, (machine: Driven) => Driven])[] = [
    ["another version", (machine) => machine.error(versionMismatchText(9, 2))],
    ["no such shard", (machine) => machine.error(ERROR_INVALID_SHARD)],
    ["another database", (machine) => machine.shardInfo(machine.link, MISFIT)],
  ];

  test.each(unfit)("ends the shard at the first contact: %s", (_, end) => {
    const machine = end(started().dialing());
    expect(machine.done.filter((action) => !action.startsWith("close "))).toEqual([
      "tell 1 over",
      "closeFiles",
    ]);
    expect(machine.take({ kind: "filesClosed", error: null }).done).toEqual(["end incompatible"]);
  });

  test.each(unfit)("ends it later only when each connection of 5 minutes said so: %s", (_, end) => {
    const machine = end(live(2).ended().wait(1_000).dialing());
    const sinceMs = machine.nowMs;
    expect(machine.word).toBe("waiting");
    while (machine.at !== "over") {
      expect(machine.nowMs - sinceMs).toBeLessThan(5 * 60_000 + 33_000);
      end(machine.wait(33_000).dialing());
    }
    expect(machine.nowMs - sinceMs).toBeGreaterThanOrEqual(5 * 60_000);
  });

  test("begins those minutes anew with any other end", () => {
    const machine = live(2).ended().wait(1_000).dialing().error(ERROR_INVALID_SHARD);
    for (let minute = 0; minute < 12; minute++) {
      machine.wait(60_000).granted();
      if (minute % 4 === 3) machine.ended();
      else machine.error(ERROR_INVALID_SHARD);
    }
    expect(machine.at).toBe("resting");
  });

  test("ends the shard with --once, and so does what is no leader at all", () => {
    const once = started({ once: true }).dialing().ended(VIOLATION);
    expect([once.word, once.state.ending?.error?.code]).toEqual(["failed", "incompatible"]);
    expect(once.done).toEqual(["tell 1 over", "closeFiles"]);
    expect(started().dialing().ended(VIOLATION).word).toBe("waiting");
    expect(started({ once: true }).scanning().ended(VIOLATION).word).toBe("waiting");
  });
});
