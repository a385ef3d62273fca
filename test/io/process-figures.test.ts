// What a process says of itself where it has no descriptor left: a scrape at that limit must not end it.

import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { need } from "../support/needs.ts";

const PROGRAM = `
  import { openSync } from "node:fs";
  import { processFigures } from ${JSON.stringify(resolve(import.meta.dir, "../../src/io/process-figures.ts"))};
  const before = processFigures();
  try { for (;;) openSync("/dev/null", "r"); } catch (thrown) { if (thrown.code !== "EMFILE") throw thrown; }
  console.log(JSON.stringify([before, processFigures()]));
`;

test.if(need("linux", process.platform === "linux"))(
  "processFigures() leaves out the memory where no descriptor is left to read it",
  () => {
    const run = Bun.spawnSync([
      "sh",
      "-c",
      'ulimit -n 64; exec "$0" -e "$1"',
      process.execPath,
      PROGRAM,
    ]);
    expect(run.stderr.toString()).toBe("");
    const [before, after] = JSON.parse(run.stdout.toString()) as [unknown, unknown];
    const cpuSeconds = expect.any(Number);
    expect(before).toEqual({ residentBytes: expect.any(Number), cpuSeconds });
    expect(after).toEqual({ residentBytes: null, cpuSeconds });
  },
);
