// Runs a released executable as a user would: it says what it is, finds no damage in a sound database and the damage in a
// damaged one, serves a database, and follows it. So FFI, threads, sockets and checksums have worked on that target.

import { cpSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const LIMIT_MS = 60_000;
const FIXTURE = "test/fixtures/8x16-2-shards";
/** Inside the key of slot 3 of the fixture's first shard. */
const DAMAGE_AT = 4200;

export interface SmokePlan {
  /** The words before the program's own: a launcher and the executable. */
  readonly program: readonly string[];
  readonly version: string;
  readonly target: string;
  /** An empty directory. */
  readonly work: string;
}

/** Throws with what went wrong. */
export async function smoke(plan: SmokePlan): Promise<void> {
  const { program, work } = plan;
  mkdirSync(work, { recursive: true });
  const sound = join(work, "sound");
  const damaged = join(work, "damaged");
  for (const path of [sound, damaged]) {
    cpSync(join(FIXTURE, "leader-clean"), path, { recursive: true });
  }
  writeSync(openSync(join(damaged, "shard_000/fixed.data"), "r+"), "\xff\xff", DAMAGE_AT, "latin1");

  const facts = JSON.parse(await expectStatus(0, [...program, "version", "--json"]));
  if (facts.version !== plan.version || facts.target !== plan.target) {
    throw new Error(`it says that it is ${facts.version} for ${facts.target}`);
  }
  await expectStatus(0, [...program, "verify", sound]);
  await expectStatus(3, [...program, "verify", damaged]);
  await follow(program, sound, join(work, "replica"));
  await expectStatus(0, [...program, "compare", join(work, "replica"), sound]);
  rmSync(work, { recursive: true });
}

async function follow(program: readonly string[], from: string, into: string): Promise<void> {
  const words = [...program, "serve", from, "--listen", "127.0.0.1:0", "--json"];
  const leader = Bun.spawn(words, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: LIMIT_MS,
  });
  try {
    const at = await listeningAddress(leader.stdout);
    await expectStatus(0, [...program, "replicate", at, "--data", into, "--once"]);
  } finally {
    leader.kill("SIGTERM");
    await leader.exited;
  }
  if (leader.exitCode !== 0) throw new Error(`serve ended with ${leader.exitCode}`);
}

async function listeningAddress(stdout: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true });
    const at = /"at":"([^"]+)"/.exec(text)?.[1];
    if (at !== undefined) return at;
  }
  throw new Error(`serve did not listen: ${text}`);
}

async function expectStatus(wanted: number, words: readonly string[]): Promise<string> {
  const child = Bun.spawn([...words], {
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  if (child.exitCode === wanted) return stdout;
  const ended = child.exitCode ?? child.signalCode;
  throw new Error(`${words.slice(-4).join(" ")}: ended with ${ended}, not ${wanted}\n${stderr}`);
}
