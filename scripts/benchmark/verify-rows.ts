// The rows about verify: against a Rust thread that does the same checks, with the files in the page cache, and against a plain
// read of the files when they are not.

import { join } from "node:path";
import { realDisk } from "../../src/io/real-disk.ts";
import { oracleOnce } from "../../test/support/oracle.ts";
import { type Load, prepareLoad, VERSION } from "./contestants.ts";
import { atLeast, interleaved, median, type Row, spread } from "./figures.ts";
import type { Measured } from "./results.ts";

const DEADLINE_MS = 120_000;
const SHARDS = ["shard_000", "shard_001"] as const;
const WARM = ["rust", "rust, crc only", "one", "two"] as const;
const COLD = ["cold read", "cold one", "cold two"] as const;
type Name = (typeof WARM)[number] | (typeof COLD)[number];

const CASES = [
  { key: 8, value: 64, oneGoal: 0.5, twoGoal: 1, bytes: 800e6, quickBytes: 480e6 },
  { key: 32, value: 1000, oneGoal: 0.8, twoGoal: 1.5, bytes: 3_200e6, quickBytes: 2_400e6 },
] as const;
/** Cold, the disk decides, or the checks where it is faster than they are. */
const COLD_GOAL = 0.9;

/**
 * verify of two shards; the Rust thread reads both in turn. Of enough bytes that the start of the threads and their first
 * rounds through code that is not compiled yet do not decide.
 */
export async function verifyRows(root: string, rounds: number, quick: boolean): Promise<Measured> {
  const rows: Row[] = [];
  const names: readonly Name[] = quick ? WARM : [...WARM, ...COLD];
  for (const { key, value, oneGoal, twoGoal, bytes, quickBytes } of CASES) {
    const slots = Math.floor((quick ? quickBytes : bytes) / (Math.ceil((8 + key + value) / 8) * 8));
    await using load = await prepareLoad(root, key, value, 2, slots);
    await load.leader.close(DEADLINE_MS);
    // What is still to be written would share the first runs' time.
    Bun.spawnSync(["sync"]);
    await run(load, "rust");
    const runs = await interleaved(names, rounds, (name) => run(load, name));
    const times = (name: Name) => runs.get(name) ?? [];
    const detail = names.map((name) => `${name} ${spread(times(name), 0)} ms`).join(", ");
    const ratio = (base: Name, name: Name) => median(times(base)) / median(times(name));
    const what = `verify, ${key}x${value}`;
    const rust = `${what}, against one Rust thread`;
    const hold = (title: string, figure: number, goal: number) =>
      rows.push(atLeast(title, figure, goal, "of its rate", detail));
    hold(`${rust}, one worker`, ratio("rust", "one"), oneGoal);
    hold(`${rust}, two workers`, ratio("rust", "two"), twoGoal);
    if (quick) continue;
    const slower = Math.max(ratio("cold read", "cold two"), ratio("two", "cold two"));
    const cold = `${what}, cold, two workers, against the slower of a plain read and the warm run`;
    hold(cold, slower, COLD_GOAL);
  }
  return { rows };
}

/** ms of one run. */
async function run(load: Load, name: Name): Promise<number> {
  const files = SHARDS.map((shard) => join(load.dir, shard, "fixed.data"));
  if (name.startsWith("cold")) for (const file of files) dropFromCache(file);
  switch (name) {
    case "rust":
    case "rust, crc only":
      return await rust(load, files, name === "rust");
    case "one":
    case "cold one":
      return ours(load.dir, 1);
    case "two":
    case "cold two":
      return ours(load.dir, 2);
    case "cold read":
      return plainRead(files);
  }
}

/** One thread over both shards, as the crate's own functions compute it; with `all` also routing and doubled keys. */
async function rust(load: Load, files: readonly string[], all: boolean): Promise<number> {
  const { key, value, shards } = load.shape;
  let ms = 0;
  for (const [shard, file] of files.entries()) {
    const words = ["bench-verify", file, "--key", String(key), "--value", String(value)];
    if (all) words.push("--shards", String(shards), "--shard", String(shard));
    ms += ((await oracleOnce(VERSION, words, DEADLINE_MS)) as { ms: number }).ms;
  }
  return ms;
}

function ours(dir: string, jobs: number): number {
  const command = ["dist/armdb", "verify", dir, "--json", "-q", "--jobs", String(jobs)];
  const { stdout } = Bun.spawnSync(command);
  return (JSON.parse(stdout.toString()) as { ms: number }).ms;
}

function plainRead(files: readonly string[]): number {
  const startedMs = performance.now();
  for (const file of files) Bun.spawnSync(["dd", `if=${file}`, "of=/dev/null", "bs=1M"]);
  return performance.now() - startedMs;
}

function dropFromCache(path: string): void {
  const file = realDisk.open(path, "read");
  file.sync();
  file.dropCache();
  file.close();
}
