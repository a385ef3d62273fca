// The gate (CONTRIBUTING.md, "Build and test"): `bun scripts/run-tests.ts [PATH ...]`. Checks, then every test side by side, a
// second try for a few, the look for left-overs, and the closing lines; the last one is what CI reads.
//
//   --changed [REF]   types, format, and the tests that import what changed since REF (default: since the last commit)
//   --slow            the tests that wait longer than the gate may (*.slow.test.ts), and nothing else
//   --timings         the gate, and test/timings.json anew: the order in which files start
//   --hold-cpu        more processor time than the gate may take is a failure, not a warning
//   --tests-only, --timeout MS, --limit MS   no checks; of a test; of a whole run: for the gate's own test

import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { buildOracle, oraclePaths } from "../test/oracle/build.ts";
import { Gate } from "./gate-count.ts";
import { changedTests, testsNamed, TIDY_TEST, timingWords, writeTimings } from "./test-choice.ts";

const CPU_SECONDS_MAX = 600;

const { values: flags, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    changed: { type: "boolean", default: false },
    slow: { type: "boolean", default: false },
    timings: { type: "boolean", default: false },
    "hold-cpu": { type: "boolean", default: false },
    "tests-only": { type: "boolean", default: false },
    timeout: { type: "string", default: "60000" },
    limit: { type: "string", default: String(25 * 60_000) },
  },
});
const isLoop = flags.changed;
const isWhole = !flags.changed && !flags.slow && paths.length === 0;

const gate = new Gate({ timeoutMs: Number(flags.timeout), limitMs: Number(flags.limit) });
const isReady = flags["tests-only"] || (await checks(gate));
if (isReady) await tests(gate);
await gate.end(flags["hold-cpu"] ? CPU_SECONDS_MAX : null, () => {
  if (flags.timings) writeTimings();
});

/** What comes before the tests; false when they cannot run. */
async function checks(gate: Gate): Promise<boolean> {
  if (!flags.slow) {
    gate.step("types (bun check)", [process.execPath, "check"]);
    gate.step("format (bun fmt --check)", [process.execPath, "fmt", "--check", "."]);
  }
  // The loop runs armdb from source: it needs no executable.
  const isBuilt = isLoop
    ? gate.step("inner loops (scripts/build-wasm)", ["sh", "scripts/build-wasm"])
    : gate.step("executable (scripts/build)", ["sh", "scripts/build"]);
  // A broken rule of the house is told before minutes of tests.
  if (!flags.slow && existsSync(TIDY_TEST)) await gate.run([`./${TIDY_TEST}`]);
  return isBuilt && (await findOracle(gate));
}

/** The whole gate builds the programs on the real crate; the loop takes them as they are. False when that failed. */
async function findOracle(gate: Gate): Promise<boolean> {
  if ((isWhole || flags.slow) && Bun.which("cargo") !== null) {
    console.log("building the oracle on the real crate (the first time takes two minutes) ...");
    const folder = await gate.attempt("oracle (cargo build)", buildOracle);
    if (folder === null) return false;
    gate.handOver("ARMDB_TEST_ORACLE", folder);
  } else if (oraclePaths() === null) {
    const how =
      Bun.which("cargo") === null
        ? "cargo is not installed"
        : "bun test/oracle/build.ts builds it, or the whole gate";
    console.log(`the tests on the real crate are skipped: no oracle (${how})`);
  }
  return true;
}

async function tests(gate: Gate): Promise<void> {
  if (!isLoop) gate.handOver("ARMDB_TEST_PROGRAM", "dist/armdb");
  if (flags.slow) {
    for (const file of testsNamed("slow")) await gate.run([`./${file}`]);
  } else if (isLoop) {
    for (const words of changedTests(paths[0])) await gate.run([...words, gate.parallel]);
  } else if (isWhole) {
    const apart = [TIDY_TEST, "**/*.alone.test.ts", "**/*.slow.test.ts"];
    const ignored = apart.map((pattern) => `--path-ignore-patterns=${pattern}`);
    await gate.run([gate.parallel, ...timingWords(flags.timings), ...ignored]);
    for (const file of testsNamed("alone")) await gate.run(["--max-concurrency=1", `./${file}`]);
  } else await gate.run(paths);
}
