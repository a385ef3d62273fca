// The rows about following live: from put to written as seen from outside in the replica's file, and processor time against
// the crate's follower under the same load. The null follower, which writes nothing but the slot that is watched, shows how
// much of the time is the leader's.

import { mkdirSync, rmSync, statfsSync } from "node:fs";
import { basename, join } from "node:path";
import { OracleFollower, OracleLeader, oracleOnce } from "../../test/support/oracle.ts";
import { oracleProgram, VERSION } from "./contestants.ts";
import { atMost, interleaved, median, type Row, spread } from "./figures.ts";
import { cpuSecondsOf } from "./process-time.ts";
import type { Measured } from "./results.ts";

const SHAPE = { shards: 2, prefixBits: 0, key: 8, value: 64, growStep: 1_000_000 };
const KEYS = 1_000_000;
const LIVE_DEADLINE_MS = 60_000;
/** Before anything is counted. */
const SETTLE_SECONDS = 3;
/** Until the code of a follower that sees a thousand batches a second is compiled for good; it then runs for weeks. */
const SETTLE_SLOW_SECONDS = 35;
/** Processor time is counted when the watching process, which takes some 4 % of a core, has ended. */
const CPU_SECONDS = 5;
/** The load goes on while the watching process starts and ends. */
const MARGIN_SECONDS = 1;
const MARK_INTERVAL_MS = 5;
/** Where files are in memory, on Linux. */
const MEMORY_DIRECTORY = "/dev/shm";
/** A million records of 8x64, and room. */
const LEADER_BYTES = 512 * 1024 * 1024;

interface LiveRun {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of one core. */
  readonly cpuShare: number;
  /** What the leader came to: the crate puts from one thread, and a busy machine gives it less of a core. */
  readonly putsPerSecond: number;
}

type Who = "crate" | "null" | "off" | "group";
const ORDER: readonly Who[] = ["crate", "null", "off", "group"];

/** Puts at this pace while `who` follows; watches for `seconds`, then counts its processor time. */
async function live(
  root: string,
  who: Who,
  putsPerSecond: number,
  seconds: number,
): Promise<LiveRun> {
  const replica = join(root, "live-replica");
  const leaderDir = leaderDirectory(root);
  // Each run begins with an empty leader: what the rates bring is new keys first, more and more changes later.
  rmSync(leaderDir, { recursive: true, force: true });
  await using leader = await OracleLeader.start({
    version: VERSION,
    dir: leaderDir,
    ...SHAPE,
  });
  // The marked key exists before the followers start, so that its slot can be found in their files.
  const { marked } = await leader.rateMarked(1_000, 0.1, 1, KEYS, 1);
  mkdirSync(replica);
  try {
    await using follower = await startFollower(who, leader.address, replica, marked);
    const isSlow = putsPerSecond <= 1_000 && (who === "off" || who === "group");
    const settleSeconds = isSlow ? SETTLE_SLOW_SECONDS : SETTLE_SECONDS;
    const loadSeconds = settleSeconds + seconds + CPU_SECONDS + MARGIN_SECONDS;
    const load = leader.rateMarked(putsPerSecond, loadSeconds, 7, KEYS, MARK_INTERVAL_MS);
    await Bun.sleep(settleSeconds * 1000);
    const watched = await watch(follower.files, marked, seconds);
    const cpuShare = await cpuShareOf(follower.pid);
    const { puts, ms } = await load;
    return { ...watched, cpuShare, putsPerSecond: (puts * 1000) / ms };
  } finally {
    rmSync(replica, { recursive: true, force: true });
    rmSync(leaderDir, { recursive: true, force: true });
  }
}

/**
 * In memory where there is such a place: the crate's put itself syncs, every 1,024 puts and 50 ms. On the disk that the
 * follower writes to it comes to 25 to 70 thousand puts a second over a million keys, here to more than 100.
 */
function leaderDirectory(root: string): string {
  const name = "live-leader";
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DIRECTORY);
    const isRoomy = bavail * bsize >= LEADER_BYTES;
    return isRoomy ? join(MEMORY_DIRECTORY, `${basename(root)}-${name}`) : join(root, name);
  } catch {
    return join(root, name);
  }
}

/** Watches the marked slot in whichever file has it; Infinity when nothing was written there in all the time. */
async function watch(
  files: readonly string[],
  marked: string,
  seconds: number,
): Promise<{ p50Ms: number; p99Ms: number }> {
  for (const file of files) {
    const words = [
      ...["watch", "--file", file, "--key", String(SHAPE.key), "--value", String(SHAPE.value)],
      ...["--marked", marked, "--seconds", String(seconds)],
    ];
    try {
      const answer = (await oracleOnce(VERSION, words, LIVE_DEADLINE_MS)) as {
        samples: number;
        p50us: number;
        p99us: number;
      };
      // A follower that never wrote it is not a fast one.
      if (answer.samples === 0) return { p50Ms: Infinity, p99Ms: Infinity };
      return { p50Ms: answer.p50us / 1000, p99Ms: answer.p99us / 1000 };
    } catch (thrown) {
      if (!String(thrown).includes("not in this file")) throw thrown;
    }
  }
  throw new Error("no shard of the replica has the marked key");
}

interface LiveFollower extends AsyncDisposable {
  readonly pid: number;
  /** Where the marked slot may be. */
  readonly files: readonly string[];
}

/** Starts it and waits until it has caught up. */
async function startFollower(
  who: Who,
  leader: string,
  replica: string,
  marked: string,
): Promise<LiveFollower> {
  const shardFiles = ["shard_000", "shard_001"].map((shard) => join(replica, shard, "fixed.data"));
  switch (who) {
    case "crate": {
      const follower = await OracleFollower.start({
        version: VERSION,
        dir: replica,
        leader,
        ...SHAPE,
      });
      while ((await follower.status()).caughtUp < SHAPE.shards) await Bun.sleep(20);
      return {
        pid: follower.pid,
        files: shardFiles,
        [Symbol.asyncDispose]: () => follower.close().then(() => {}),
      };
    }
    case "null": {
      const file = join(replica, "marked.data");
      const words = [
        ...["nullfollower", "--leader", leader, "--shards", String(SHAPE.shards)],
        ...["--live-file", file, "--marked", marked, "--value", String(SHAPE.value)],
      ];
      return { ...(await spawnUntil([oracleProgram(), ...words], '"slots"')), files: [file] };
    }
    case "off":
    case "group": {
      const words = ["replicate", leader, "--data", replica, "--json", "-q", "--sync", who];
      const started = await spawnUntil(["dist/armdb", ...words], '"type":"ready"');
      return { ...started, files: shardFiles };
    }
  }
}

/** Starts a program and waits until it has said this. */
async function spawnUntil(
  command: readonly string[],
  said: string,
): Promise<Omit<LiveFollower, "files">> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes(said);) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${command.join(" ")} ended: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  // The pipe must not fill.
  void (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/** Share of one core that a process has over the next seconds. */
async function cpuShareOf(pid: number): Promise<number> {
  const cpuBefore = cpuSecondsOf(pid);
  const startedMs = performance.now();
  await Bun.sleep(CPU_SECONDS * 1000);
  return ((cpuSecondsOf(pid) - cpuBefore) * 1000) / (performance.now() - startedMs);
}

/** Processor time at 20 k puts a second: the one live row that is a ratio and can be had in a few seconds. */
export async function liveQuickRows(root: string, rounds: number): Promise<Measured> {
  const names: readonly Who[] = ["crate", "off"];
  const runs = await interleaved(names, rounds, (who) => live(root, who, 20_000, 5));
  const shares = (who: Who) => (runs.get(who) ?? []).map((run) => run.cpuShare * 100);
  const detail = names.map((who) => `${who} ${spread(shares(who), 1)} % of a core`).join(", ");
  const figure = median(shares("off")) / median(shares("crate"));
  const what = "live, 20 k puts a second, 2 shards: processor, against the crate's follower";
  return { rows: [atMost(what, figure, 0.8, "of it", detail)] };
}

/** Latency and processor time at 1 k, 20 k and 100 k puts a second. */
export async function liveRows(root: string, rounds: number, seconds: number): Promise<Measured> {
  const rows: Row[] = [];
  const cpuGoals = new Map([
    [20_000, 0.8],
    [100_000, 0.65],
  ]);
  for (const putsPerSecond of [1_000, 20_000, 100_000]) {
    const all = await interleaved(ORDER, rounds, (who) => live(root, who, putsPerSecond, seconds));
    const runs = (who: Who) => all.get(who) ?? [];
    const of = (who: Who, figure: keyof LiveRun) => median(runs(who).map((run) => run[figure]));
    const share = (who: Who) => `${who} ${(of(who, "cpuShare") * 100).toFixed(1)} % of a core`;
    const at = `live, ${putsPerSecond / 1000} k puts a second, 2 shards`;
    const seen = (figure: "p50Ms" | "p99Ms") =>
      ORDER.map((who) => {
        const values = runs(who).map((run) => run[figure]);
        return `${who} ${spread(values, 2)} ms`;
      }).join(", ");
    rows.push(
      atMost(`${at}: p50 from put to written`, of("off", "p50Ms"), 0.8, "ms", seen("p50Ms")),
    );
    rows.push(
      atMost(`${at}: p99 from put to written`, of("off", "p99Ms"), 1.8, "ms", seen("p99Ms")),
    );
    rows.push(
      atMost(`${at}: p99 with the default sync`, of("group", "p99Ms"), 2.5, "ms", seen("p99Ms")),
    );
    const goal = cpuGoals.get(putsPerSecond);
    const paces = ORDER.map((who) => `${who} ${(of(who, "putsPerSecond") / 1000).toFixed(1)} k`);
    const shares = `${share("crate")}, ${share("off")}, ${share("group")}`;
    const detail = `${shares}; puts a second beside them: ${paces.join(", ")}`;
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
