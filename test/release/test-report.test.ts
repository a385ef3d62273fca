// The gate reads what bun's runner really prints: what failed is counted once, and an error outside of a test is not lost.

import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type Outcome, TestReport } from "../../scripts/test-report.ts";
import { TempRoot } from "../support/temp.ts";

const root = new TempRoot("test-report");
afterAll(() => root[Symbol.dispose]());

/** Runs a test file with this text. */
async function outcomeOf(text: string): Promise<Outcome> {
  const file = `${root.fresh("sample")}.test.ts`;
  writeFileSync(file, `import { test, expect } from "bun:test";\n${text}`);
  const child = Bun.spawn([process.execPath, "test", file], {
    cwd: root.path,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const report = new TestReport();
  for (const line of (await new Response(child.stderr).text()).split("\n")) report.add(line);
  return report.outcome(await child.exited);
}

const PASSES = 'test("passes", () => {});\n';

test("tests that pass, fail and are skipped are counted, and those that fail named", async () => {
  const fails = 'test("fails", () => expect(1).toBe(2));\n';
  const outcome = await outcomeOf(`${PASSES}${fails}test["skip"]("is skipped", () => {});`);
  expect(outcome).toMatchObject({ passed: 1, failed: 1, skipped: 1, errors: 0, unhandled: [] });
  expect(outcome.files.size).toBe(1);
  expect(outcome.names).toHaveLength(1);
  expect(outcome.names[0]).toStartWith("fails");
});

test("an error that no test caught is one, with its text and its file", async () => {
  const outcome = await outcomeOf(`import { afterAll } from "bun:test";
test("passes", () => void setTimeout(() => { throw new Error("nobody waits for this"); }, 0));
afterAll(() => new Promise((done) => setTimeout(done, 1)));`);
  expect(outcome).toMatchObject({ passed: 1, failed: 0, errors: 1 });
  expect(outcome.unhandled).toHaveLength(1);
  expect(outcome.unhandled[0]).toMatch(/^# Unhandled error.*\(\S*sample-\d+\.test\.ts\)\n/);
  expect(outcome.unhandled[0]).toContain("nobody waits for this");
});

test("a file that cannot be loaded is an error, whatever else is counted", async () => {
  const { passed, failed, errors } = await outcomeOf('import "./nowhere.ts";');
  expect(passed).toBe(0);
  expect(failed + errors).toBeGreaterThan(0);
});

test("a runner that ends badly without a word is an error", () => {
  expect(new TestReport().outcome(1)).toMatchObject({ passed: 0, failed: 0, errors: 1 });
  expect(new TestReport().outcome(0)).toMatchObject({ errors: 0 });
});
