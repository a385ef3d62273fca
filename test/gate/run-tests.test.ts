// The gate in a small tree of its own: what fails, fails once, hangs once or for ever, throws after its test, or leaves something
// behind, each is told apart and named.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { need } from "../support/needs.ts";
import { TempRoot } from "../support/temp.ts";

const RUN_TESTS = resolve(import.meta.dir, "../../scripts/run-tests.ts");
const TEST_LIMIT_MS = 1_500;
const RUN_LIMIT_MS = 8_000;

const root = new TempRoot("gate");
afterAll(() => root[Symbol.dispose]());

interface GateRun {
  readonly status: number;
  readonly stdout: string;
  /** The last line. */
  readonly counts: string;
}

/** Runs the gate's tests in a tree with these files; `MARK` in them is a path outside of the tree, where nothing is yet. */
async function gateOf(files: Readonly<Record<string, string>>): Promise<GateRun> {
  const [tree, temporary] = [root.fresh("tree"), root.fresh("tmp")];
  mkdirSync(join(tree, "test"), { recursive: true });
  mkdirSync(temporary);
  const mark = root.fresh("mark");
  for (const [name, text] of Object.entries(files)) {
    const imports =
      'import { expect, test } from "bun:test";\nimport { existsSync, writeFileSync } from "node:fs";\n';
    writeFileSync(join(tree, `test/${name}.test.ts`), imports + text.replaceAll("MARK", mark));
  }
  for (const words of [
    ["init", "-q"],
    ["add", "-A"],
  ])
    Bun.spawnSync(["git", ...words], { cwd: tree });
  const limits = ["--timeout", String(TEST_LIMIT_MS), "--limit", String(RUN_LIMIT_MS)];
  const child = Bun.spawn([process.execPath, RUN_TESTS, "--tests-only", ...limits], {
    cwd: tree,
    env: { ...process.env, TMPDIR: temporary, CI: "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const stdout = await child.stdout.text();
  const counts = stdout.trimEnd().split("\n").at(-1) ?? "";
  return { status: await child.exited, stdout, counts };
}

const PASSES = 'test("passes", () => {});\n';
/** A test that does `then` the first time it runs, and passes afterwards. */
function once(name: string, then: string): string {
  const mark = `"MARK-${name}"`;
  const lines = [`if (existsSync(${mark})) return;`, `writeFileSync(${mark}, "");`, then];
  return `test("${name}", async () => { ${lines.join(" ")} });\n`;
}

const HANGS = "await new Promise(() => {});";
const FAILS = "expect(1).toBe(2);";

describe("the gate", () => {
  test.concurrent("passes where all tests do, and counts the look for left-overs", async () => {
    const run = await gateOf({ good: PASSES });
    expect(run).toMatchObject({ status: 0, counts: "2 passed, 0 failed" });
    expect(run.stdout).toMatch(
      /^skipped: 0\ntime: \d+ s wall, \d+ s CPU, \d+ cores, load [\d.]+ /m,
    );
  });

  test.concurrent("fails with a test that fails (a), and names it", async () => {
    const run = await gateOf({ good: PASSES, bad: `test("is wrong", () => { ${FAILS} });` });
    expect(run).toMatchObject({ status: 1, counts: "2 passed, 1 failed" });
    expect(run.stdout).toContain("failed: test/bad.test.ts: is wrong\n");
  });

  test.concurrent("takes a test that failed (b) or hung (c) once, and says so", async () => {
    const run = await gateOf({ flaky: once("fails once", FAILS), slow: once("hangs once", HANGS) });
    expect(run).toMatchObject({ status: 0, counts: "3 passed, 0 failed" });
    expect(run.stdout).toContain("retried: test/flaky.test.ts: fails once\n");
    expect(run.stdout).toContain("retried: test/slow.test.ts: hangs once\n");
  });

  test.concurrent(
    "fails with a test that hangs for ever (d), beside one that hung once",
    async () => {
      const run = await gateOf({
        ever: `test("hangs for ever", async () => { ${HANGS} });`,
        once: once("hangs once", HANGS),
      });
      expect(run).toMatchObject({ status: 1, counts: "2 passed, 1 failed" });
      expect(run.stdout).toContain("failed: test/ever.test.ts: hangs for ever\n");
      expect(run.stdout).toContain("retried: test/once.test.ts: hangs once\n");
    },
  );

  test.concurrent(
    "ends, and names the file, where a test never gives its thread back (d)",
    async () => {
      const run = await gateOf({ good: PASSES, spins: 'test("spins", () => { for (;;); });' });
      expect(run.status).toBe(1);
      expect(run.stdout).toContain("did not end: test/spins.test.ts\n");
    },
    RUN_LIMIT_MS + 20_000,
  );

  test.concurrent("fails with an error after the end of its test (e)", async () => {
    const run = await gateOf({
      late: `import { afterAll } from "bun:test";
test("passes", () => void setTimeout(() => void Promise.reject(new Error("too late")), 0));
afterAll(() => Bun.sleep(50));`,
    });
    expect(run.status).toBe(1);
    expect(run.stdout).toContain("too late");
    expect(run.stdout).toContain("test/late.test.ts");
  });

  test.concurrent("fails with more tests retried than are allowed", async () => {
    const names = ["one", "two", "three"];
    const run = await gateOf({ flaky: names.map((name) => once(name, FAILS)).join("") });
    expect(run).toMatchObject({ status: 1, counts: "4 passed, 1 failed" });
    expect(run.stdout).toContain("failed: 3 tests needed a second try, 2 are allowed\n");
  });

  test.concurrent("gives no second try where more than three files failed", async () => {
    const names = ["one", "two", "three", "four"];
    const files = names.map((name) => [name, once(name, FAILS)] as const);
    const run = await gateOf(Object.fromEntries(files));
    expect(run).toMatchObject({ status: 1, counts: "1 passed, 4 failed" });
    expect(run.stdout).not.toContain("retried:");
  });
});

describe("the gate fails, and names what was left", () => {
  const isLinux = process.platform === "linux";
  const left = async (text: string) =>
    await gateOf({ leaves: `test("leaves", () => { ${text} });` });

  test.concurrentIf(need("linux", isLinux))("a child that outlives its test (f)", async () => {
    const pidFile = root.fresh("pid");
    const child = `Bun.spawn(["sh", "-c", "echo $$ >${pidFile}; exec sleep 300"], { detached: true }).unref();
  while (!existsSync("${pidFile}")) Bun.sleepSync(5);`;
    const run = await left(child);
    expect(run).toMatchObject({ status: 1, counts: "1 passed, 1 failed" });
    const pid = readFileSync(pidFile, "utf8").trim();
    expect(run.stdout).toContain(`  process ${pid} lives on: sleep 300`);
    // Nobody may have taken its status yet: then its words are gone, and its entry is not.
    const words = `/proc/${pid}/cmdline`;
    expect(existsSync(words) ? readFileSync(words, "utf8") : "").toBe("");
  });

  test.concurrent("a name in TMPDIR (g)", async () => {
    const run = await left('writeFileSync(`${process.env["TMPDIR"]}/forgotten`, "");');
    expect(run).toMatchObject({ status: 1, counts: "1 passed, 1 failed" });
    expect(run.stdout).toContain("  left in TMPDIR: forgotten\n");
  });

  test.concurrent("a file in the tree (h)", async () => {
    const run = await left('writeFileSync("nohup.out", "");');
    expect(run).toMatchObject({ status: 1, counts: "1 passed, 1 failed" });
    expect(run.stdout).toContain("  changed in the tree: ?? nohup.out\n");
  });
});

test("the gate that is told to stop ends what it started, and leaves nothing", async () => {
  const tree = root.fresh("tree");
  mkdirSync(join(tree, "test"), { recursive: true });
  const started = root.fresh("started");
  const text = `import { test } from "bun:test";
test("waits", async () => { await Bun.write("${started}", String(process.pid)); await Bun.sleep(60_000); });`;
  writeFileSync(join(tree, "test/waits.test.ts"), text);
  const temporary = root.fresh("tmp");
  mkdirSync(temporary);
  const child = Bun.spawn([process.execPath, RUN_TESTS, "--tests-only"], {
    cwd: tree,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "ignore", "ignore"],
  });
  while (!existsSync(started) || readFileSync(started, "utf8") === "") await Bun.sleep(10);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(143);
  const pid = Number(readFileSync(started, "utf8"));
  expect(() => process.kill(pid, 0)).toThrow();
  expect(readdirSync(temporary)).toEqual([]);
});
