// `sh scripts/demo` as the README's first command: ends well without a terminal, shows what it promises, leaves nothing in the
// tree but the executable.

import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const PROJECT = resolve(import.meta.dir, "../..");

test("sh scripts/demo shows a replica that ends with the leader's contents", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "armdb-demo-test-"));
  try {
    const before = readdirSync(PROJECT).sort();
    const demo = Bun.spawn(["sh", "scripts/demo"], {
      cwd: PROJECT,
      env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/", TMPDIR: temporary },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr] = await Promise.all([demo.stdout.text(), demo.stderr.text()]);
    await demo.exited;
    expect({ status: demo.exitCode, stderr }).toEqual({ status: 0, stderr });
    expect(stdout).toContain("leader and replica hold the same");
    expect(stdout).toMatch(/same: [\d,]+ slots compared/);
    expect(stdout).toContain("Next, try:");
    expect(readdirSync(PROJECT).sort()).toEqual([...new Set([...before, "build", "dist"])].sort());
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}, 70_000);
