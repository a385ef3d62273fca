// What our threads ask of the kernel about their turns, what is left as it was, and where nothing is asked.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { viewOf } from "../../src/bytes.ts";
import { getScheduling } from "../../src/io/libc.ts";
import {
  ATTRIBUTES_BYTES,
  FLAGS_OFFSET,
  GIVE_WAY_NICE,
  giveWay,
  NICE_OFFSET,
  POLICY_OFFSET,
  shortenTimeSlice,
  SLICE_LONG_NS,
  SLICE_OFFSET,
  SLICE_SHORT_NS,
  type ThreadScheduling,
} from "../../src/io/scheduling.ts";
import { Armdb } from "../support/armdb.ts";
import { BAD_LEADER_INFO, RealScriptedLeader } from "../support/bad-leader.ts";
import { TempRoot } from "../support/temp.ts";
import { need } from "../support/needs.ts";

const POLICY_FIFO = 1;

/** A kernel that remembers what it was told. */
class FakeScheduling implements ThreadScheduling {
  text = "Name:\tWorker\nSeccomp:\t0\nSeccomp_filters:\t0\n";
  policy = 0;
  nice = 0;
  answer = 0;
  readonly taken: DataView[] = [];

  status(): string {
    return this.text;
  }

  get(attributes: Uint8Array): number {
    const view = viewOf(attributes);
    view.setUint32(0, attributes.length, true);
    view.setUint32(POLICY_OFFSET, this.policy, true);
    view.setInt32(NICE_OFFSET, this.nice, true);
    return this.answer;
  }

  set(attributes: Uint8Array): number {
    this.taken.push(viewOf(attributes.slice()));
    return this.answer;
  }
}

describe("shortenTimeSlice()", () => {
  test("asks for the short slice, for this thread alone, and keeps the nice value", () => {
    const scheduling = new FakeScheduling();
    scheduling.nice = 7;
    expect(shortenTimeSlice(scheduling)).toBe(true);
    const [taken] = scheduling.taken;
    expect(scheduling.taken).toHaveLength(1);
    expect(taken?.getBigUint64(SLICE_OFFSET, true)).toBe(SLICE_SHORT_NS);
    expect(taken?.getBigUint64(FLAGS_OFFSET, true)).toBe(1n);
    expect(taken?.getInt32(NICE_OFFSET, true)).toBe(7);
  });

  test("leaves a thread alone that somebody gave another policy", () => {
    const scheduling = new FakeScheduling();
    scheduling.policy = POLICY_FIFO;
    expect(shortenTimeSlice(scheduling)).toBe(false);
    expect(scheduling.taken).toBeEmpty();
  });

  for (const mode of [1, 2]) {
    test(`asks for nothing under a filter of system calls (Seccomp: ${mode}), which could end the process`, () => {
      const scheduling = new FakeScheduling();
      scheduling.text = scheduling.text.replace("Seccomp:\t0", `Seccomp:\t${mode}`);
      expect(shortenTimeSlice(scheduling)).toBe(false);
      expect(scheduling.taken).toBeEmpty();
    });
  }

  test("asks for nothing where it cannot be seen whether there is a filter", () => {
    const scheduling = new FakeScheduling();
    scheduling.status = () => {
      throw new Error("ENOENT");
    };
    expect(shortenTimeSlice(scheduling)).toBe(false);
    expect(scheduling.taken).toBeEmpty();
  });

  test("goes on with the usual slice where the kernel refuses", () => {
    const scheduling = new FakeScheduling();
    scheduling.answer = -1;
    expect(shortenTimeSlice(scheduling)).toBe(false);
  });

  // In a process of its own: the thread that runs the tests stays as it is.
  test.if(need("time slices of Linux 6.12", kernelHasSlices()))(
    "is what the kernel says afterwards, with nice kept",
    async () => {
      const program = `
      import { getScheduling } from "./src/io/libc.ts";
      import { shortenTimeSlice } from "./src/io/scheduling.ts";
      const done = shortenTimeSlice();
      const view = new DataView(new ArrayBuffer(${ATTRIBUTES_BYTES}));
      getScheduling(new Uint8Array(view.buffer));
      console.log(done, view.getBigUint64(${SLICE_OFFSET}, true), view.getInt32(${NICE_OFFSET}, true));`;
      const child = Bun.spawn(["nice", "-n", "5", process.execPath, "-e", program], {
        stdin: "ignore",
      });
      expect((await new Response(child.stdout).text()).trim()).toBe(`true ${SLICE_SHORT_NS}n 5`);
      expect(await child.exited).toBe(0);
    },
  );

  test.if(need("time slices of Linux 6.12", kernelHasSlices()))(
    "is done by a follower's shard, and by no other thread",
    async () => {
      using root = new TempRoot("slice");
      // Nobody listens on port 1: the shard's thread waits and tries again.
      await using follower = Armdb.replicate("127.0.0.1:1", root.fresh());
      await follower.line({ type: "shard", shard: 0, state: "waiting" });
      expect(
        threadsOf(follower.pid).filter((thread) => sliceOf(thread) === SLICE_SHORT_NS),
      ).toHaveLength(1);
      expect(sliceOf(follower.pid)).not.toBe(SLICE_SHORT_NS);
    },
  );
});

describe("giveWay()", () => {
  for (const [nice, after] of [
    [0, 3],
    [5, 8],
    [17, 19],
    [-5, -2],
  ] as const) {
    test(`makes a nice value of ${nice} one of ${after}, with a long slice, for this thread alone`, () => {
      const scheduling = new FakeScheduling();
      scheduling.nice = nice;
      expect(giveWay(scheduling)).toBe(true);
      const [taken] = scheduling.taken;
      expect(scheduling.taken).toHaveLength(1);
      expect(taken?.getInt32(NICE_OFFSET, true)).toBe(after);
      expect(taken?.getBigUint64(SLICE_OFFSET, true)).toBe(SLICE_LONG_NS);
      expect(taken?.getBigUint64(FLAGS_OFFSET, true)).toBe(1n);
    });
  }

  test("leaves a thread alone that somebody gave another policy, and one under a filter of system calls", () => {
    const scheduling = new FakeScheduling();
    scheduling.policy = POLICY_FIFO;
    expect(giveWay(scheduling)).toBe(false);
    scheduling.policy = 0;
    scheduling.text = scheduling.text.replace("Seccomp:\t0", "Seccomp:\t2");
    expect(giveWay(scheduling)).toBe(false);
    expect(scheduling.taken).toBeEmpty();
  });

  for (const { sync, threads } of [
    { sync: "group", threads: BAD_LEADER_INFO.shardCount },
    { sync: "batch", threads: 0 },
  ]) {
    test.if(need("Linux without a filter of system calls", kernelTakesChanges()))(
      `is done by flush threads, and by none that follows, with --sync ${sync}: ${threads} threads of two shards`,
      async () => {
        using root = new TempRoot("give-way");
        using leader = RealScriptedLeader.good();
        await using follower = Armdb.replicate(leader.address, root.fresh(), ["--sync", sync]);
        await follower.ready();
        // The tests themselves may run at a nice value.
        const usual = niceOf(follower.pid) ?? Number.NaN;
        const workers = threadsOf(follower.pid).filter((thread) => isWorker(follower.pid, thread));
        const lower = workers.filter((thread) => niceOf(thread) === usual + GIVE_WAY_NICE);
        expect(lower).toHaveLength(threads);
        const others = workers.filter((thread) => niceOf(thread) === usual);
        // A thread that follows and one that syncs for each shard.
        expect(others).toHaveLength(2 * BAD_LEADER_INFO.shardCount - threads);
      },
    );
  }
});

function threadsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/** One of ours: the runtime's own come and go, and have other names. */
function isWorker(pid: number, thread: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/comm`, "latin1").trim() === "Worker";
  } catch {
    return false;
  }
}

/** How a thread is scheduled; null when it is gone. */
function schedulingOf(thread: number): DataView | null {
  const attributes = new Uint8Array(ATTRIBUTES_BYTES);
  return getScheduling(attributes, thread) === 0 ? viewOf(attributes) : null;
}

/** The time slice of a thread, ns. */
function sliceOf(thread: number): bigint | undefined {
  return schedulingOf(thread)?.getBigUint64(SLICE_OFFSET, true);
}

function niceOf(thread: number): number | undefined {
  return schedulingOf(thread)?.getInt32(NICE_OFFSET, true);
}

/** Linux with no filter of system calls over the tests. */
function kernelTakesChanges(): boolean {
  if (process.platform !== "linux") return false;
  return /^Seccomp:\s*0$/m.test(readFileSync("/proc/self/status", "latin1"));
}

function kernelHasSlices(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return kernelTakesChanges() && (major > 6 || (major === 6 && minor >= 12));
}
