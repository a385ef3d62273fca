// `sh scripts/release` as it is called. What it builds, compares, signs, tries out and sums is its own check: scripts/gate runs it.

import { expect, test } from "bun:test";
import { resolve } from "node:path";

const PROJECT = resolve(import.meta.dir, "../..");

test("release refuses a target that it does not know", async () => {
  const words = ["scripts/releasing/release.ts", "--draft", "--target", "linux-riscv64"];
  const child = Bun.spawn([process.execPath, ...words], {
    cwd: PROJECT,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  expect(await child.stderr.text()).toContain('there is no target "linux-riscv64"');
  expect(await child.exited).toBe(1);
});
