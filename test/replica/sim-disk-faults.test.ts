// Every disk call of a follower's life fails once, in simulated time: with EIO, with ENOSPC, and for writes after half of the bytes.
// The shard ends with 15 or 14, tries nothing again, has never called durable what is not, and the next start heals what is left. For
// want of room only data ends it: a cursor, a sidecar or a state file is said, and the follower goes on.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { basename } from "node:path";
import { ArmdbError } from "../../src/errors.ts";
import type { ShardMessage } from "../../src/replica/shard-messages.ts";
import { wordOf } from "../support/disk-log.ts";
import type { DiskCall, DiskFault, RecordingDisk } from "../support/recording-disk.ts";
import { SIM_DIR, type SimFollower } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const SLOTS = 40;
const HEADER_BYTES = 4096;
const DATA = `${SIM_DIR}/shard_000/fixed.data`;

interface Life {
  readonly stage: SimStage;
  /** How the last process of it ended; null: in good order. */
  readonly ended: ArmdbError | null | undefined;
  readonly log: readonly string[];
  /** What met the fault, or null when there were fewer calls. */
  readonly met: DiskCall | null;
  /** Times at which a report called everything durable while it was not. */
  readonly lies: readonly string[];
}

/** A life over two processes: made, followed, stopped, started again, followed, stopped. The call of that number fails. */
function live(failAt: number, fault: DiskFault | null): Life {
  const stage = new SimStage({ generation: 3, slots: SLOTS });
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  let met: DiskCall | null = null;
  stage.disk.faults = (call, index) => {
    if (index !== failAt || fault === null || call.operation === "close") return null;
    met = call;
    return fault;
  };
  const lies: string[] = [];
  const observe = (report: ShardMessage) => {
    const saysDurable =
      report.kind === "ready" ||
      (report.kind === "snapshot" &&
        report.snapshot.ready &&
        report.snapshot.oldestUnsyncedAtMs === null);
    if (saysDurable && !isDurable(stage.disk))
      lies.push(`${report.kind} at ${stage.clock.nowMs()}`);
  };
  const log: string[] = [];
  let ended: Life["ended"] = null;
  for (const seed of [2, 3]) {
    ended = tryFollow(stage, { observe, log }, (follower) => {
      stage.clock.advance(1_000);
      for (let write = 0; write < 30 && follower.ended === undefined; write++) {
        stage.leader.put(0, (write * 7) % SLOTS, seed);
        if (write % 5 === 0) stage.leader.remove(0, write);
        stage.clock.advance(60);
      }
    });
    if (ended !== null) break;
  }
  return { stage, ended, log, met, lies };
}

/** One process, from its start to a stop in good order; how it ended. */
function tryFollow(
  stage: SimStage,
  to: { readonly observe?: (report: ShardMessage) => void; readonly log?: string[] },
  run: (follower: SimFollower) => void,
): Life["ended"] {
  let follower: SimFollower;
  try {
    follower = stage.follow({ syncMs: () => 5, ...(to.observe ? { observe: to.observe } : {}) });
  } catch (thrown) {
    // What `replicate` says before it starts a shard.
    if (thrown instanceof ArmdbError) return thrown;
    throw thrown;
  }
  run(follower);
  follower.supervisor.stop();
  stage.until("the end", () => follower.ended !== undefined, 10_000);
  to.log?.push(...follower.log);
  return follower.ended;
}

/** Every slot as the system has it would survive a power cut. */
function isDurable(disk: RecordingDisk): boolean {
  const [bytes, durable] = [disk.bytes(DATA), disk.durableBytes(DATA)];
  if (bytes === null || durable === null) return false;
  return Buffer.compare(bytes.subarray(HEADER_BYTES), durable.subarray(HEADER_BYTES)) === 0;
}

/** Something was said of it. */
function isSaid({ met, log }: Life): boolean {
  return met !== null && log.some((text) => text.includes(met.path));
}

/** A cursor or a sidecar, or the directory that is to keep its new name. */
function isBesideData({ met, stage }: Life, failAt: number): boolean {
  if (met === null) return false;
  const isSync = met.operation === "sync directory" && met.path.endsWith("shard_000");
  const [before] = isSync ? stage.disk.calls.slice(failAt - 1) : [];
  const at = isSync ? (before?.operation === "rename" ? before.path : "") : met.path;
  return (
    /fixed(_repl\.cursor|\.versions)/.test(basename(at)) && !/^(open )?read/.test(met.operation)
  );
}

/** The state file tells nothing that matters: a running follower says so and goes on. */
function isOnlySaid(life: Life): boolean {
  const { met } = life;
  if (met === null || !isSaid(life)) return false;
  const name = basename(met.path);
  const looks = met.operation === "open read" || met.operation === "read";
  return name.startsWith("armdb.state.json") || met.path === SIM_DIR || looks;
}

/** Temporary files that are left. */
function tempsOf({ stage: { disk } }: Life): string[] {
  const names = [SIM_DIR, `${SIM_DIR}/shard_000`].flatMap((dir) => disk.list(dir));
  return names.filter((name) => name.endsWith(".tmp"));
}

/** The data file is left alone once it failed. */
function triedAgain(stage: SimStage, failAt: number): string[] {
  const later = stage.disk.calls.slice(failAt + 1).map(wordOf);
  return later.filter(
    (word) =>
      /^(write|fdatasync|fsync|truncate|preallocate)/.test(word) && word.endsWith("fixed.data"),
  );
}

/** Starts again on the same disk, without faults, and follows to the end. */
function expectHeals({ stage, met }: Life, where: string): void {
  const { disk } = stage;
  disk.faults = () => null;
  disk.killed();
  const ended = tryFollow(stage, {}, (follower) => {
    const over = () => follower.ready || follower.ended !== undefined;
    stage.until("ready", over, 60_000);
  });
  expect({ where, ended }).toEqual({ where, ended: null });
  // Even if the power goes now; only the name of the whole directory is its parent's affair.
  if (met?.operation !== "sync directory" || met.path !== "/") stage.disk = disk.powerCut(null);
  expect({ where, differences: stage.differences() }).toEqual({ where, differences: [] });
}

const FAULTS: readonly (readonly [string, DiskFault, "storage" | "no-space"])[] = [
  ["EIO", { errno: "EIO" }, "storage"],
  ["ENOSPC", { errno: "ENOSPC" }, "no-space"],
  ["ENOSPC after half of a write", { errno: "ENOSPC", afterHalf: true }, "no-space"],
];

describe("every disk call failing once", () => {
  const calls = live(-1, null);
  const total = calls.stage.disk.calls.length;

  test("a life without a fault ends well, and is long enough to tell", () => {
    expect(calls.ended).toBe(null);
    expect(calls.lies).toEqual([]);
    expect(total).toBeGreaterThan(150);
    calls.stage.expectEqual();
  });

  for (const [name, fault, code] of FAULTS) {
    test(`with ${name}`, () => {
      let met = 0;
      let beside = 0;
      for (let failAt = 0; failAt < total; failAt++) {
        const life = live(failAt, fault);
        if (life.met === null) continue;
        if (fault.afterHalf === true && life.met.operation !== "write") continue;
        met++;
        const where = `call ${failAt}, ${wordOf(life.met)}`;
        if (code === "no-space" && isBesideData(life, failAt)) {
          beside++;
          const { ended } = life;
          expect({ where, ended, said: isSaid(life), left: tempsOf(life) }).toEqual({
            ...{ where, ended: null, said: true, left: [] },
          });
        } else if (life.ended !== null || !isOnlySaid(life)) {
          const ended = life.ended?.code ?? null;
          const again = triedAgain(life.stage, failAt);
          expect({ where, ended, again }).toEqual({ where, ended: code, again: [] });
        }
        expect({ where, lies: life.lies }).toEqual({ where, lies: [] });
        expectHeals(life, where);
      }
      expect(met).toBeGreaterThan(fault.afterHalf === true ? 30 : 120);
      expect(beside > 5).toBe(code === "no-space");
    }, 120_000);
  }

  test("of one shard leaves the other shards alone", () => {
    const stage = new SimStage({ shards: 2 });
    for (const shard of [0, 1]) stage.leader.put(shard, 1, 1);
    const follower = stage.follow();
    stage.until("ready", () => follower.ready, 10_000);
    stage.disk.faults = (call) =>
      call.operation === "fdatasync" && call.path === DATA ? { errno: "EIO" } : null;
    for (const shard of [0, 1]) stage.leader.put(shard, 1, 2);
    stage.clock.advance(1_000);
    expect(follower.shard(0).state).toBe("failed");
    expect(follower.shard(0).lastError).toContain("EIO");
    stage.leader.put(1, 2, 3);
    stage.clock.advance(60_000);
    expect(stage.differences().filter((slot) => slot.startsWith("1:"))).toEqual([]);
    expect(follower.ended).toBe(undefined);
    follower.supervisor.stop();
    stage.clock.advance(1_000);
    expect(follower.ended?.code).toBe("storage");
  });
});
