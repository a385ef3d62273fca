// The followers that the benchmark runs against one leader: the crate's own, one that reads and stores nothing, and ours.
// They take turns at one leader process: it scans for each of them, and only its stream goes to the first.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { OracleLeader, oracleDigest, oracleOnce } from "../../test/support/oracle.ts";

export const VERSION = "0.1.14";

/** The oracle's program; buildOracle has made it. */
export function oracleProgram(): string {
  return "test/oracle/target/release/oracle-0-1-14";
}

export interface Shape {
  readonly shards: number;
  readonly prefixBits: number;
  readonly key: number;
  readonly value: number;
  readonly growStep: number;
}

/** A leader with records in it; goes with its directory when it is disposed of. */
export interface Load extends AsyncDisposable {
  readonly shape: Shape;
  readonly slots: number;
  readonly dir: string;
  readonly leader: OracleLeader;
  readonly digest: string;
}

export type Contestant =
  "crate" | "null" | "ours" | "ours, --sync group" | "ours, --window 256" | "ours, again";

export interface Run {
  readonly ms: number;
  /** Peak memory, MiB; NaN where it was not taken. */
  readonly rssMiB: number;
  /** Processor time, s; NaN where it was not taken. */
  readonly cpuSeconds: number;
}

const DEADLINE_MS = 600_000;

/** Starts a leader and fills it. */
export async function prepareLoad(
  root: string,
  key: number,
  value: number,
  shards: number,
  slots: number,
): Promise<Load> {
  const growStep = Math.ceil((slots / shards) * 1.02) + 1000;
  const shape = { shards, prefixBits: 0, key, value, growStep };
  const dir = join(root, `leader-${key}x${value}-${shards}`);
  const leader = await OracleLeader.start({ version: VERSION, dir, ...shape });
  await leader.fill(0, slots, 1, DEADLINE_MS);
  const { digest } = await leader.digest(DEADLINE_MS);
  const dispose = async () => {
    await leader.kill();
    rmSync(dir, { recursive: true, force: true });
  };
  return { shape, slots, dir, leader, digest, [Symbol.asyncDispose]: dispose };
}

/** One catch-up of one contestant, through a network of `roundTripMs` where that is above 0. Checks the copy. */
export async function catchUp(
  load: Load,
  who: Contestant,
  root: string,
  roundTripMs = 0,
): Promise<Run> {
  const replica = join(root, "replica");
  const { leader } = load;
  await using proxy = roundTripMs > 0 ? startProxy(leader.address, roundTripMs) : null;
  const address = proxy === null ? leader.address : await proxy.address;
  // What the run before left to be written would be paid for by this one.
  Bun.spawnSync(["sync"]);
  try {
    const run = await runOne(load, who, address, replica);
    if (who.startsWith("ours")) {
      const copy = await oracleDigest(replica, load.shape, VERSION, { deadlineMs: DEADLINE_MS });
      if (copy.digest !== load.digest) throw new Error(`${who}: the copy differs from the leader`);
    }
    return run;
  } finally {
    rmSync(replica, { recursive: true, force: true });
  }
}

async function runOne(load: Load, who: Contestant, address: string, replica: string): Promise<Run> {
  const { shards, prefixBits, key, value, growStep } = load.shape;
  if (who === "null") {
    const words = ["nullfollower", "--leader", address, "--shards", String(shards)];
    const { ms } = (await oracleOnce(VERSION, words, DEADLINE_MS)) as { ms: number };
    return { ms, rssMiB: Number.NaN, cpuSeconds: Number.NaN };
  }
  if (who === "crate") {
    const words = [
      ...["bench-follower", "--leader", address, "--dir", replica],
      ...["--shards", String(shards), "--prefix-bits", String(prefixBits)],
      ...["--key", String(key), "--value", String(value), "--grow-step", String(growStep)],
      ...["--expect", String(load.slots), "--timeout-seconds", "600"],
    ];
    const answer = (await oracleOnce(VERSION, words, DEADLINE_MS)) as {
      ms: number;
      peakRssKib: number;
    };
    return { ms: answer.ms, rssMiB: answer.peakRssKib / 1024, cpuSeconds: Number.NaN };
  }
  const sync = who === "ours, --sync group" ? "group" : "off";
  const window = who === "ours, --window 256" ? ["--window", "256"] : [];
  const first = await ours(address, replica, ["--sync", sync, ...window]);
  // A second run over what is there: every event is compared and none is written.
  if (who !== "ours, again") return first;
  const again = await ours(address, replica, ["--sync", sync]);
  if (again.applied !== 0) throw new Error(`a re-scan of an equal copy applied ${again.applied}`);
  return again;
}

/** `dist/armdb replicate --once`; ms from the first connect to the last shard's CaughtUp. */
async function ours(
  address: string,
  replica: string,
  words: readonly string[],
): Promise<Run & { readonly applied: number }> {
  const command = [
    "dist/armdb",
    "replicate",
    address,
    "--data",
    replica,
    "--once",
    "--json",
    "-q",
    ...words,
  ];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0)
    throw new Error(`armdb replicate ended with ${child.exitCode}: ${text}`);
  const caughtUp = text
    .split("\n")
    .filter((line) => line.includes('"type":"caught-up"'))
    .map((line) => JSON.parse(line) as { ms: number; applied: string });
  const usage = child.resourceUsage();
  return {
    ms: Math.max(...caughtUp.map(({ ms }) => ms)),
    applied: caughtUp.reduce((sum, { applied }) => sum + Number(applied), 0),
    rssMiB: (usage?.maxRSS ?? Number.NaN) / 1024 / 1024,
    cpuSeconds: Number(usage?.cpuTime.total ?? Number.NaN) / 1e6,
  };
}

/** The oracle's delaying proxy in front of a leader. */
export function startProxy(leader: string, roundTripMs: number) {
  const words = ["delayproxy", "--leader", leader, "--rtt-ms", String(roundTripMs)];
  const child = Bun.spawn([oracleProgram(), ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const address = (async () => {
    for await (const chunk of child.stdout) {
      return (JSON.parse(new TextDecoder().decode(chunk)) as { listening: string }).listening;
    }
    throw new Error("the delaying proxy said nothing");
  })();
  return {
    address,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
