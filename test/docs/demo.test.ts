// `sh scripts/demo` as the README's first command: ends well without a terminal, shows what it promises, leaves nothing
// running. It runs what the gate has built, as other tests execute that at the same time.

import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { has, need } from "../support/needs.ts";
import { TempRoot } from "../support/temp.ts";

const PROJECT = resolve(import.meta.dir, "../..");
const LIMIT_MS = 60_000;
const ARMDB = process.env["ARMDB_TEST_PROGRAM"];

test.if(need("executable (ARMDB_TEST_PROGRAM)", ARMDB !== undefined) && has("sh"))(
  "sh scripts/demo shows a replica that ends with the leader's contents",
  async () => {
    using root = new TempRoot("demo");
    const temporary = root.fresh("tmp");
    mkdirSync(temporary);
    const { PATH = "", HOME = "/" } = process.env;
    const demo = Bun.spawn(["sh", "scripts/demo"], {
      cwd: PROJECT,
      env: { PATH, HOME, TMPDIR: temporary, ARMDB: ARMDB ?? "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      // A group of its own: its leader and its follower end with it, whatever happens.
      detached: true,
    });
    const limit = setTimeout(() => endGroup(demo.pid), LIMIT_MS);
    try {
      const [stdout, stderr] = await Promise.all([demo.stdout.text(), demo.stderr.text()]);
      await demo.exited;
      expect({ status: demo.exitCode, stdout, stderr }).toMatchObject({ status: 0 });
      expect(stdout).toContain("leader and replica hold the same");
      expect(stdout).toMatch(/same: [\d,]+ slots compared/);
      expect(stdout).toContain("Next, try:");
    } finally {
      clearTimeout(limit);
      endGroup(demo.pid);
    }
  },
  LIMIT_MS + 10_000,
);

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of it is left, as it should be.
  }
}
