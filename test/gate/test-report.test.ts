// The gate reads what bun's runner really prints: what failed is counted once, and an error outside of a test is not lost.

import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  type Failure,
  judgeSecondTry,
  type Outcome,
  secondTryFiles,
  TestReport,
} from "../../scripts/test-report.ts";
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

const NEEDS = resolve(import.meta.dir, "../support/needs.ts");
const PASSES = 'test("passes", () => {});\n';

test("tests that pass, fail and are skipped are counted, and those that fail named", async () => {
  const fails = 'test("fails", () => expect(1).toBe(2));\n';
  const outcome = await outcomeOf(`${PASSES}${fails}test["skip"]("is skipped", () => {});`);
  expect(outcome).toMatchObject({ passed: 1, failed: 1, skipped: 1, errors: 0, unhandled: [] });
  expect(outcome.failures).toEqual([
    { file: expect.stringMatching(/sample-\d+\.test\.ts$/), name: "fails" },
  ]);
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

test("failures that the runner says again at its end belong to their first file alone", () => {
  const report = new TestReport();
  const lines = ["a.test.ts:", "(fail) x > y [5.10ms]", "b.test.ts:", "(pass) z"];
  for (const line of [...lines, "1 tests failed:", "(fail) x > y [5.10ms]", " 1 pass", " 1 fail"])
    report.add(line);
  expect(report.outcome(1).failures).toEqual([{ file: "a.test.ts", name: "x > y" }]);
});

test("skipped tests are counted by what their file says is missing", async () => {
  const outcome = await outcomeOf(`import { need } from "${NEEDS}";
test.if(need("zsh", false))("one", () => {});
test.if(need("zsh", false))("two", () => {});`);
  expect(outcome.skipped).toBe(2);
  expect([...outcome.skippedFor]).toEqual([["zsh", 2]]);
});

const GOOD: Outcome = {
  passed: 5,
  failed: 0,
  errors: 0,
  skipped: 0,
  skippedFor: new Map(),
  failures: [],
  unhandled: [],
};
const failure = (file: string, name = "t"): Failure => ({ file, name });

describe("secondTryFiles()", () => {
  const after = (failures: readonly Failure[], more: Partial<Outcome> = {}) =>
    secondTryFiles({ ...GOOD, failed: failures.length, failures, ...more });

  test("names the files of failures, each once, up to three", () => {
    expect(after([failure("a", "1"), failure("a", "2"), failure("b")])).toEqual(["a", "b"]);
    expect(after(["a", "b", "c"].map((file) => failure(file)))).toHaveLength(3);
    expect(after(["a", "b", "c", "d"].map((file) => failure(file)))).toEqual([]);
  });

  test("names none where something else went wrong, or failures were not told", () => {
    expect(after([failure("a")], { errors: 1 })).toEqual([]);
    expect(after([failure("a")], { failed: 2 })).toEqual([]);
    expect(after([])).toEqual([]);
  });
});

describe("judgeSecondTry()", () => {
  const [one, two] = [failure("a", "one"), failure("a", "two")];

  test("takes what passes now as retried, and keeps what fails again or only now", () => {
    expect(judgeSecondTry([one, two], GOOD)).toEqual({ retried: [one, two], failed: [] });
    const again = { ...GOOD, failed: 2, failures: [two, failure("a", "three")] };
    expect(judgeSecondTry([one, two], again)).toEqual({
      retried: [one],
      failed: [two, failure("a", "three")],
    });
  });

  test("excuses nothing when the second run has errors", () => {
    expect(judgeSecondTry([one], { ...GOOD, errors: 1 })).toEqual({ retried: [], failed: [one] });
  });
});
