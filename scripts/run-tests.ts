// Runs the gate in order and prints the closing line that CI reads. `bun scripts/run-tests.ts [PATH ...]`; paths limit the
// tests, never the checks. Tests drive dist/armdb, so it is built first; the programs of test/oracle are built where cargo is.

import { resolve } from "node:path";
import { buildOracle, oracleAvailable } from "../test/support/oracle.ts";

const paths = process.argv.slice(2);
let passed = 0;
let failed = 0;

/** Runs a step that counts as one test. */
function step(name: string, command: readonly string[]): void {
  const started = performance.now();
  const { success } = Bun.spawnSync([...command], { stdio: ["ignore", "inherit", "inherit"] });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${success ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (success) passed++;
  else failed++;
}

step("types (bun check)", [process.execPath, "check"]);
step("format (bun fmt --check)", [process.execPath, "fmt", "--check", "src", "test", "scripts"]);
step("executable (scripts/build)", ["sh", "scripts/build"]);

if (oracleAvailable()) {
  console.log("building the oracle on the real crate (the first time takes two minutes) ...");
  await buildOracle();
} else {
  console.log("cargo is not installed: the tests against the real crate are skipped");
}

const tests = Bun.spawn([process.execPath, "test", "--timeout", "60000", ...paths], {
  stdio: ["ignore", "inherit", "pipe"],
  env: {
    ...process.env,
    ARMDB_TEST_PROGRAM: resolve("dist/armdb"),
  },
});
let tail = "";
const decoder = new TextDecoder();
for await (const chunk of tests.stderr) {
  process.stderr.write(chunk);
  tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
}
const status = await tests.exited;

/** Counts of Bun's closing lines, ` 8 pass`. */
function count(word: string): number {
  const last = [...tail.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))].at(-1);
  return Number(last?.[1] ?? 0);
}

passed += count("pass");
failed += count("fail");
const skipped = count("skip");
// A crash of the runner, or no test at all, must not look like success.
if (status !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 ? 0 : 1);
