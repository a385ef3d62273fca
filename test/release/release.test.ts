// `sh scripts/release` for this machine's target and for one that cannot run here: built twice with the same bytes, checked,
// signed, tried out, and summed. The other targets differ by a row of the table.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { signatureFault } from "../../scripts/releasing/mach-o-signature.ts";
import {
  RELEASE_TARGETS,
  releaseFileName,
  targetFault,
} from "../../scripts/releasing/release-targets.ts";

const PROJECT = resolve(import.meta.dir, "../..");
const LIMIT_MS = 300_000;
const FOREIGN = "darwin-x64";
const isMusl = readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));
const host = `${process.platform}-${process.arch}${isMusl ? "-musl" : ""}`;
const { version } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
  version: string;
};

function target(name: string) {
  const found = RELEASE_TARGETS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no target ${name}`);
  return found;
}

async function release(...words: string[]) {
  const child = Bun.spawn([process.execPath, "scripts/releasing/release.ts", ...words], {
    cwd: PROJECT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, stdout, stderr };
}

test("release refuses a target that it does not know", async () => {
  const { status, stderr } = await release("--draft", "--target", "linux-riscv64");
  expect({ status, stderr }).toMatchObject({ status: 1 });
  expect(stderr).toContain('there is no target "linux-riscv64"');
});

describe.if(process.platform === "linux")("release", () => {
  let into = "";
  let made: Awaited<ReturnType<typeof release>>;
  const file = (name: string) => join(into, releaseFileName(target(name), version));
  beforeAll(async () => {
    into = mkdtempSync(join(tmpdir(), "armdb-release-test-"));
    made = await release("--draft", "--into", into, "--target", host, "--target", FOREIGN);
  }, LIMIT_MS);
  afterAll(() => rmSync(into, { recursive: true, force: true }));

  test("says of each what was done with it", () => {
    expect({ status: made.status, stderr: made.stderr }).toMatchObject({ status: 0 });
    const lines = made.stdout.trim().split("\n");
    expect(lines[0]).toMatch(new RegExp(`^armdb-${version}-${host}  \\d+ MB  ran natively$`));
    expect(lines[1]).toEndWith("not run: this machine does not run darwin programs");
    expect(lines.length).toBe(2);
    expect(made.stderr.match(/built twice, the same bytes/g)?.length).toBe(2);
  });

  test("leaves executables that are what they are called", () => {
    for (const name of [host, FOREIGN]) {
      expect(targetFault(file(name), target(name))).toBeNull();
      expect(statSync(file(name)).mode & 0o777).toBe(0o755);
      const others = RELEASE_TARGETS.filter((each) => each.name !== name);
      for (const other of others) expect(targetFault(file(name), other)).not.toBeNull();
    }
  });

  test("signs what macOS would not run otherwise", () => {
    expect(signatureFault(readFileSync(file(FOREIGN)))).toBeNull();
  });

  test("writes sums that sha256sum accepts", () => {
    const sums = readFileSync(join(into, "SHA256SUMS"), "utf8");
    expect(sums.trim().split("\n").length).toBe(2);
    const checked = Bun.spawnSync(["sha256sum", "-c", "--quiet", "SHA256SUMS"], { cwd: into });
    expect({ status: checked.exitCode, said: checked.stderr.toString() }).toEqual({
      status: 0,
      said: "",
    });
  });
});
