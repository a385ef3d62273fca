// Each exit code of cli.md, reached through the program, with what, where and `Try:` for people and the object for
// scripts. Those of a running follower are reached in its own tests too.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programEnv, programWords, runProgram, TerminalProgram } from "../support/program.ts";
import { need } from "../support/needs.ts";

const FIXTURE = "test/fixtures/8x16-2-shards";
const NOBODY = "127.0.0.1:1";

let root = "";
let sound = "";
let damaged = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "armdb-exit-"));
  sound = join(root, "sound");
  damaged = join(root, "damaged");
  for (const path of [sound, damaged]) {
    cpSync(join(FIXTURE, "follower-clean"), path, { recursive: true });
  }
  // Inside the key of slot 3.
  writeSync(openSync(join(damaged, "shard_000", "fixed.data"), "r+"), "\xff\xff", 4200, "latin1");
});
afterAll(() => rmSync(root, { recursive: true }));

/** The last line of stderr as the object that --json asks for. */
function lastObject(stderr: string): Record<string, unknown> {
  return JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
}

interface Refusal {
  readonly words: () => readonly string[];
  readonly status: number;
  readonly code: string;
  readonly env?: Record<string, string>;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  "1: no JIT, so no system calls": {
    words: () => ["verify", sound],
    env: { BUN_JSC_useJIT: "0" },
    status: 1,
    code: "unexpected",
  },
  "2: a typo": { words: () => ["verfiy", sound], status: 2, code: "usage" },
  "2: a missing argument": { words: () => ["verify"], status: 2, code: "usage" },
  "2: a window out of its bounds": {
    words: () => ["replicate", NOBODY, "--data", join(root, "new"), "--window", "3641"],
    status: 2,
    code: "usage",
  },
  "2: a value that is not accepted": {
    words: () => ["verify", sound, "--limit-rate", "fast"],
    status: 2,
    code: "usage",
  },
  "10: nothing there": {
    words: () => ["verify", join(root, "nothing")],
    status: 10,
    code: "no-database",
  },
  "10: a directory without a database": {
    words: () => ["inspect", root],
    status: 10,
    code: "no-database",
  },
  "12: nobody listens": {
    words: () => ["compare", sound, NOBODY],
    status: 12,
    code: "leader-unreachable",
  },
  "12: no progress with --once": {
    words: () => ["replicate", NOBODY, "--data", join(root, "new"), "--once", "--timeout", "300ms"],
    status: 12,
    code: "leader-unreachable",
  },
  "15: a report that cannot be written": {
    words: () => ["verify", sound, "--report", "/proc/armdb-report"],
    status: 15,
    code: "storage",
  },
};

describe("a refusal explains itself", () => {
  test.each(Object.entries(REFUSALS))("%s", async (_name, { words, status, code, env = {} }) => {
    const people = await runProgram(words(), { env });
    expect(people.stderr).toMatch(/^armdb: .+$/m);
    expect(people.stderr).toMatch(/^ {2}Try: .+$/m);
    expect(people.status).toBe(status);
    const scripts = await runProgram([...words(), "--json"], { env });
    expect(lastObject(scripts.stderr)).toMatchObject({
      schema: 1,
      type: "error",
      code,
      exit: status,
      message: expect.any(String),
      hint: expect.any(String),
    });
    expect(scripts.status).toBe(status);
  });
});

describe("a result has its status", () => {
  test("0: all is well", async () => {
    expect((await runProgram(["verify", sound])).status).toBe(0);
  });

  test("3: damage", async () => {
    const { status, stdout } = await runProgram(["verify", damaged, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "damaged" });
    expect(status).toBe(3);
  });

  test("4: another copy differs", async () => {
    const { status, stdout } = await runProgram(["compare", sound, damaged, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "differs" });
    expect(status).toBe(4);
  });
});

test("5: nobody follows, so nobody can say that all is well", async () => {
  const { status, stdout } = await runProgram(["status", sound, "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ verdict: "stopped", running: false });
  expect(status).toBe(5);
});

test("11: another process has the lock", async () => {
  const path = join(root, "locked");
  cpSync(sound, path, { recursive: true });
  writeFileSync(join(path, "db.lock"), "");
  const holder = Bun.spawn(
    // One process: of two the second would live on.
    ["sh", "-c", 'exec 9<"$0"; flock -x 9; echo held; exec sleep 60', join(path, "db.lock")],
    { stdout: "pipe" },
  );
  try {
    await holder.stdout.getReader().read();
    for (const words of [
      ["serve", path, "--listen", "127.0.0.1:0"],
      ["replicate", NOBODY, "--data", path, "--once"],
    ]) {
      const { status, stderr } = await runProgram([...words, "--json"]);
      expect(lastObject(stderr)).toMatchObject({ code: "locked", exit: 11 });
      expect(status).toBe(11);
    }
    const doctor = await runProgram(["doctor", "--data", path, "--json"]);
    expect(doctor.status).toBe(11);
  } finally {
    holder.kill();
    await holder.exited;
  }
});

test("13: what listens there is no leader", async () => {
  const web = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n") },
  });
  try {
    const leader = `127.0.0.1:${web.port}`;
    const data = join(root, "never");
    for (const words of [
      ["doctor", leader],
      ["compare", sound, leader],
      ["replicate", leader, "--data", data, "--once"],
    ]) {
      expect((await runProgram(words)).status).toBe(13);
    }
  } finally {
    web.stop(true);
  }
});

test.if(need("linux", process.platform === "linux"))(
  "14: no space for what is printed",
  async () => {
    const words = [...programWords(), "verify", sound];
    const child = Bun.spawn(["sh", "-c", '"$@" > /dev/full', "sh", ...words], {
      env: programEnv(),
      stderr: "pipe",
    });
    expect(await child.stderr.text()).toContain("ENOSPC");
    expect(await child.exited).toBe(14);
  },
);

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)(
  "%s ends a follower with --once with %d, and says so at once",
  async (signal, status) => {
    const data = join(root, `stopped-${signal}`);
    mkdirSync(data);
    const program = new TerminalProgram(["replicate", NOBODY, "--data", data, "--once"]);
    await program.until(NOBODY);
    program.kill(signal);
    expect(await program.ended()).toBe(status);
    expect(program.plain).toContain("Stopping cleanly.");
  },
);
