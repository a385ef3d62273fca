// The rows about following live: from put to written as seen from outside in the replica's file, and processor time against
// the crate's follower under the same load.

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { OracleFollower, OracleLeader, oracleOnce } from "../../test/support/oracle.ts";
import { VERSION } from "./contestants.ts";
import { atMost, median, type Row } from "./figures.ts";
import type { Measured } from "./results.ts";

const SHAPE = { shards: 2, prefixBits: 0, key: 8, value: 64, growStep: 1_000_000 };
const KEYS = 1_000_000;
const LIVE_DEADLINE_MS = 60_000;

interface LiveRun {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of one core. */
  readonly cpuShare: number;
}

type Who = "crate" | "off" | "group";

/** Puts at this pace for `seconds` while `who` follows. */
async function live(
  root: string,
  who: Who,
  putsPerSecond: number,
  seconds: number,
): Promise<LiveRun> {
  const replica = join(root, "live-replica");
  await using leader = await OracleLeader.start({
    version: VERSION,
    dir: join(root, "live-leader"),
    ...SHAPE,
  });
  // The marked key exists before the followers start, so that its slot can be found in their files.
  const marked = await leader.rateMarked(1_000, 0.1, 1, KEYS, 1);
  await using follower = await startFollower(who, leader.address, replica);
  const before = cpuSecondsOf(follower.pid);
  const load = leader.rateMarked(putsPerSecond, seconds + 1, 7, KEYS, 5);
  const watched = await watch(replica, marked, seconds);
  await load;
  const cpuShare = (cpuSecondsOf(follower.pid) - before) / (seconds + 1);
  await follower.stop();
  rmSync(replica, { recursive: true, force: true });
  return { ...watched, cpuShare };
}

/** Watches the marked slot in whichever shard has it. */
async function watch(
  replica: string,
  marked: string,
  seconds: number,
): Promise<{ p50Ms: number; p99Ms: number }> {
  for (const shard of ["shard_000", "shard_001"]) {
    const file = join(replica, shard, "fixed.data");
    const words = [
      "watch",
      "--file",
      file,
      "--key",
      "8",
      "--value",
      "64",
      "--marked",
      marked,
      "--seconds",
      String(seconds),
    ];
    try {
      const answer = (await oracleOnce(VERSION, words, LIVE_DEADLINE_MS)) as {
        p50us: number;
        p99us: number;
      };
      return { p50Ms: answer.p50us / 1000, p99Ms: answer.p99us / 1000 };
    } catch (thrown) {
      if (!String(thrown).includes("not in this file")) throw thrown;
    }
  }
  throw new Error("no shard of the replica has the marked key");
}

async function startFollower(who: Who, leader: string, replica: string) {
  if (who === "crate") {
    const follower = await OracleFollower.start({
      version: VERSION,
      dir: replica,
      leader,
      ...SHAPE,
    });
    while ((await follower.status()).caughtUp < SHAPE.shards) await Bun.sleep(20);
    return {
      pid: follower.pid,
      stop: () => follower.close(),
      [Symbol.asyncDispose]: () => follower.kill(),
    };
  }
  const command = [
    "dist/armdb",
    "replicate",
    leader,
    "--data",
    replica,
    "--json",
    "-q",
    "--sync",
    who,
  ];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes('"type":"ready"');) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`armdb replicate ended: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  // The pipe must not fill.
  void (async () => {
    while (!(await reader.read()).done);
  })();
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
  return { pid: child.pid, stop, [Symbol.asyncDispose]: stop };
}

/** Processor time of a process so far, s; the ticks of `stat` are too coarse for a few percent of a core. */
function cpuSecondsOf(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e9;
}

/** Latency and processor time at 1 k, 20 k and 100 k puts a second. */
export async function liveRows(root: string, rounds: number, seconds: number): Promise<Measured> {
  const rows: Row[] = [];
  const cpuGoals = new Map([
    [20_000, 0.8],
    [100_000, 0.65],
  ]);
  for (const putsPerSecond of [1_000, 20_000, 100_000]) {
    const runs: Record<Who, LiveRun[]> = { crate: [], off: [], group: [] };
    const order: Who[] = ["crate", "off", "group"];
    for (let round = 0; round < rounds; round++) {
      for (let index = 0; index < order.length; index++) {
        const who = order[(index + round) % order.length] as Who;
        runs[who].push(await live(root, who, putsPerSecond, seconds));
      }
    }
    const of = (who: Who, figure: keyof LiveRun) => median(runs[who].map((run) => run[figure]));
    const share = (who: Who) => `${who} ${(of(who, "cpuShare") * 100).toFixed(1)} % of a core`;
    const at = `live, ${putsPerSecond / 1000} k puts a second, 2 shards`;
    const seen = (who: Who) =>
      `${who} p50 ${of(who, "p50Ms").toFixed(2)}, p99 ${of(who, "p99Ms").toFixed(2)} ms`;
    rows.push(
      atMost(
        `${at}: p50 from put to written`,
        of("off", "p50Ms"),
        0.8,
        "ms",
        `${seen("off")}, ${seen("crate")}`,
      ),
    );
    rows.push(
      atMost(
        `${at}: p99 from put to written`,
        of("off", "p99Ms"),
        1.8,
        "ms",
        `${seen("off")}, ${seen("crate")}`,
      ),
    );
    rows.push(
      atMost(`${at}: p99 with the default sync`, of("group", "p99Ms"), 2.5, "ms", seen("group")),
    );
    const goal = cpuGoals.get(putsPerSecond);
    const detail = `${share("crate")}, ${share("off")}, ${share("group")}`;
    if (goal === undefined)
      rows.push(atMost(`${at}: processor`, of("off", "cpuShare") * 100, 6, "% of a core", detail));
    else
      rows.push(
        atMost(
          `${at}: processor, against the crate's follower`,
          of("off", "cpuShare") / of("crate", "cpuShare"),
          goal,
          "of it",
          detail,
        ),
      );
  }
  return { rows };
}
