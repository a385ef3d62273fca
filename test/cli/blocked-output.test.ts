// A program that runs on, and whose stdout or stderr nobody reads: it follows, answers and stops as ever. And readers that go
// away, signals while a command waits for its reader, hangups.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readdirSync, readlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Armdb, replicateOnce } from "../support/armdb.ts";
import { programEnv, programWords } from "../support/program.ts";
import { fixtureDirectory } from "../serve/fixtures.ts";
import { need } from "../support/needs.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 30_000;
const onLinux = test.if(need("linux", process.platform === "linux"));

let root: TempRoot;
beforeAll(() => {
  root = new TempRoot("blocked-output");
});
afterAll(() => root[Symbol.dispose]());

/** A pipe that holds all it can. `end` is what a program writes to; it waits there, as in any pipe. */
class FullPipe {
  readonly end: number;
  readonly #keeper: number;
  readonly #path: string;

  constructor(name: string) {
    const path = join(root.path, name);
    this.#path = path;
    expect(Bun.spawnSync(["mkfifo", path]).success).toBe(true);
    this.#keeper = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.end = openSync(path, constants.O_WRONLY);
    const block = Buffer.alloc(4096, "x");
    try {
      for (;;) writeSync(this.#keeper, block);
    } catch (thrown) {
      expect((thrown as NodeJS.ErrnoException).code).toBe("EAGAIN");
    }
  }

  /** Resolves once the program has opened the pipe for itself: it has begun to speak. */
  async open(pid: number): Promise<void> {
    const isOpen = () =>
      readdirSync(`/proc/${pid}/fd`).filter((fd) => linkOf(pid, fd) === this.#path).length > 1;
    while (!isOpen()) await Bun.sleep(5);
  }

  [Symbol.dispose](): void {
    closeSync(this.end);
    closeSync(this.#keeper);
  }
}

function linkOf(pid: number, fd: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return null;
  }
}

type Streams = { readonly stdout?: number | "pipe"; readonly stderr?: number | "pipe" };

function start(words: readonly string[], { stdout = "pipe", stderr = "pipe" }: Streams = {}) {
  return Bun.spawn([...programWords(), ...words], {
    ...{ env: programEnv(), stdin: "ignore", stdout, stderr, killSignal: "SIGKILL" },
    timeout: LIMIT_MS,
  });
}

async function ask(words: readonly string[]): Promise<Record<string, unknown>> {
  const said = await new Response(start(words).stdout as ReadableStream).text();
  // Of a directory that is not there yet nothing is said on stdout.
  return said === "" ? {} : JSON.parse(said);
}

/** A leader without new events, over a copy of a fixture; and its address. */
async function serving(): Promise<{ leader: Armdb; address: string }> {
  const dir = await root.copyOf(fixtureDirectory("8x16-2-shards", "leader-clean"));
  const leader = Armdb.start(["serve", dir, "--listen", "127.0.0.1:0", "--json"]);
  const { at } = await leader.line({ type: "listening" });
  return { leader, address: String(at) };
}

async function untilVerdict(dir: string, wanted: string): Promise<void> {
  while ((await ask(["status", dir, "--json"]))["verdict"] !== wanted) await Bun.sleep(20);
}

describe("a full pipe as", () => {
  onLinux.each([
    ["stdout", ["--json"], "SIGTERM"],
    ["stderr", [], "SIGTERM"],
    ["stderr", ["-v"], "SIGHUP"],
  ] as const)(
    "%s of a follower %j: it goes live, answers, and stops on %s",
    async (name, more, signal) => {
      const { leader, address } = await serving();
      await using _ = leader;
      using pipe = new FullPipe(`${name}-${signal}`);
      const dir = root.fresh("replica");
      const words = ["replicate", address, "--data", dir, ...more];
      const follower = start(words, { [name]: pipe.end });
      await untilVerdict(dir, "live");
      const beganAtMs = performance.now();
      follower.kill(signal);
      expect(await follower.exited).toBe(0);
      expect(performance.now() - beganAtMs).toBeLessThan(5_000);
      expect((await ask(["verify", dir, "--json"]))["verdict"]).toBe("ok");
    },
    LIMIT_MS,
  );

  onLinux("both streams of a follower: the second signal ends it at once", async () => {
    using pipe = new FullPipe("both");
    const words = ["replicate", "127.0.0.1:1", "--data", root.fresh("replica"), "--json"];
    const follower = start(words, { stdout: pipe.end, stderr: pipe.end });
    await pipe.open(follower.pid);
    follower.kill("SIGTERM");
    follower.kill("SIGINT");
    expect([0, 130, 143]).toContain(await follower.exited);
  });

  onLinux("stderr of serve: it serves, and stops on a hangup with 0", async () => {
    using pipe = new FullPipe("serve");
    const dir = await root.copyOf(fixtureDirectory("8x16-2-shards", "leader-clean"));
    const leader = start(["serve", dir, "--listen", "127.0.0.1:0", "--json"], { stderr: pipe.end });
    const reader = (leader.stdout as ReadableStream<Uint8Array>).getReader();
    const { at } = JSON.parse(new TextDecoder().decode((await reader.read()).value));
    const copy = await replicateOnce(at, root.fresh("replica"));
    expect(copy.status).toBe(0);
    leader.kill("SIGHUP");
    expect(await leader.exited).toBe(0);
  });

  onLinux("stdout of a command that ends by itself: a signal ends the wait", async () => {
    using pipe = new FullPipe("help");
    const help = start(["help"], { stdout: pipe.end });
    await pipe.open(help.pid);
    // One that comes while nothing waits yet may only be noted.
    while (help.exitCode === null && help.signalCode === null) {
      help.kill("SIGINT");
      await Bun.sleep(20);
    }
    await help.exited;
    expect(help.signalCode ?? help.exitCode).toBeOneOf(["SIGINT", 130]);
  });
});

describe("a reader that goes away", () => {
  onLinux("from --json of a follower stops it in good order, with 0", async () => {
    const { leader, address } = await serving();
    await using _ = leader;
    const dir = root.fresh("replica");
    const follower = start(["replicate", address, "--data", dir, "--json"]);
    const reader = (follower.stdout as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await untilVerdict(dir, "live");
    await reader.cancel();
    expect(await follower.exited).toBe(0);
    expect((await ask(["verify", dir, "--json"]))["verdict"]).toBe("ok");
  });
});

onLinux("under nohup a hangup is not heard", async () => {
  const { leader, address } = await serving();
  await using _ = leader;
  const dir = root.fresh("replica");
  const words = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", ...programWords()];
  const follower = Bun.spawn([...words, "replicate", address, "--data", dir], {
    ...{ env: programEnv(), stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    ...{ timeout: LIMIT_MS, killSignal: "SIGKILL" },
  });
  await untilVerdict(dir, "live");
  follower.kill("SIGHUP");
  await untilVerdict(dir, "live");
  follower.kill("SIGTERM");
  expect(await follower.exited).toBe(0);
});
