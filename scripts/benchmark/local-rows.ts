// The rows that need no leader or only a listener: verify against a Rust thread that does the same checks, and start-up.

import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { oracleOnce } from "../../test/support/oracle.ts";
import { prepareLoad, VERSION } from "./contestants.ts";
import { atLeast, atMost, interleaved, median, type Row, spread } from "./figures.ts";

const DEADLINE_MS = 120_000;

/** verify of two shards with one worker and with two, page cache warm; the Rust thread reads both shards in turn. */
export async function verifyRows(root: string, rounds: number, bytes: number): Promise<Row[]> {
  const goals = [
    [8, 64, 0.5, 1.0],
    [32, 1000, 0.8, 1.5],
  ] as const;
  const rows: Row[] = [];
  for (const [key, value, oneGoal, twoGoal] of goals) {
    const slots = Math.floor(bytes / (Math.ceil((8 + key + value) / 8) * 8));
    const load = await prepareLoad(root, key, value, 2, slots);
    const rust = async () => {
      let ms = 0;
      for (const shard of ["shard_000", "shard_001"]) {
        const file = join(load.dir, shard, "fixed.data");
        const words = ["bench-verify", file, "--key", String(key), "--value", String(value)];
        ms += ((await oracleOnce(VERSION, words, DEADLINE_MS)) as { ms: number }).ms;
      }
      return ms;
    };
    const ours = async (jobs: number) => {
      const child = Bun.spawnSync([
        "dist/armdb",
        "verify",
        load.dir,
        "--json",
        "-q",
        "--jobs",
        String(jobs),
      ]);
      return (JSON.parse(child.stdout.toString()) as { ms: number }).ms;
    };
    await rust();
    const runs = await interleaved(["rust", "one", "two"], rounds, (name) =>
      name === "rust" ? rust() : ours(name === "one" ? 1 : 2),
    );
    rmSync(load.dir, { recursive: true, force: true });
    const times = (name: "rust" | "one" | "two") => runs.get(name) ?? [];
    const detail = (["rust", "one", "two"] as const)
      .map((name) => `${name} ${spread(times(name), 0)} ms`)
      .join(", ");
    const ratio = (name: "one" | "two") => median(times("rust")) / median(times(name));
    const what = `verify, ${key}x${value}, against one Rust thread`;
    rows.push(atLeast(`${what}, one worker`, ratio("one"), oneGoal, "of its rate", detail));
    rows.push(atLeast(`${what}, two workers`, ratio("two"), twoGoal, "of its rate", detail));
  }
  return rows;
}

/** Time from exec to the first line on a terminal, and to the first connection made. */
export async function startRows(root: string, runs: number): Promise<Row[]> {
  const firstLines: number[] = [];
  const connects: number[] = [];
  for (let run = 0; run < runs; run++) {
    const { firstLineMs, connectMs } = await startOnce(join(root, "start-replica"));
    firstLines.push(firstLineMs);
    connects.push(connectMs);
  }
  return [
    atMost(
      "dist/armdb: first line after exec",
      median(firstLines),
      50,
      "ms",
      `${spread(firstLines, 0)} ms`,
    ),
    atMost(
      "dist/armdb: first connection after exec",
      median(connects),
      60,
      "ms",
      `${spread(connects, 0)} ms`,
    ),
  ];
}

async function startOnce(replica: string): Promise<{ firstLineMs: number; connectMs: number }> {
  const connected = Promise.withResolvers<number>();
  const server = createServer((socket) => {
    connected.resolve(performance.now());
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const startedMs = performance.now();
  const command = ["dist/armdb", "replicate", `127.0.0.1:${port}`, "--data", replica];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  await child.stderr.getReader().read();
  const firstLineMs = performance.now() - startedMs;
  const connectMs = (await connected.promise) - startedMs;
  child.kill("SIGKILL");
  await child.exited;
  server.close();
  rmSync(replica, { recursive: true, force: true });
  return { firstLineMs, connectMs };
}
