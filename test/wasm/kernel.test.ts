// The WASM kernel as a file: build/kernel.wasm is what src/wasm compiles to, and it works wherever the program runs from.

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const root = join(import.meta.dir, "../..");
/** Scripts find the same bun as this test. */
const path = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
const env = { ...process.env, PATH: path };
const work = mkdtempSync(join(tmpdir(), "armdb-kernel-"));
afterAll(() => rmSync(work, { recursive: true }));

function run(
  command: readonly string[],
  cwd: string,
): { stdout: string; stderr: string; status: number } {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...command], { cwd, env });
  return { stdout: stdout.toString(), stderr: stderr.toString(), status: exitCode };
}

/** The compiler alone takes 2 s of an idle machine. */
setDefaultTimeout(60_000);

test("build/kernel.wasm is what src/wasm compiles to (else: sh scripts/build-wasm)", () => {
  const fresh = join(work, "kernel.wasm");
  const { stderr, status } = run(["sh", "scripts/build-wasm", fresh], root);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  expect(readFileSync(fresh).equals(readFileSync(join(root, "build/kernel.wasm")))).toBe(true);
});

test("the kernel runs from source, on both threads", () => {
  const { stdout, stderr } = run([process.execPath, join(import.meta.dir, "program/main.ts")], "/");
  expect({ stdout, stderr }).toEqual({ stdout: "main wasm 1, thread wasm 1\n", stderr: "" });
});

test("the kernel runs in an executable that was moved, on both threads", () => {
  const built = join(work, "built");
  const program = ["main.ts", "replica/thread.ts"].map((name) => `test/wasm/program/${name}`);
  const flags = [
    ...["--minify", "--bytecode", "--format=esm", "--sourcemap"],
    ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
    "--compile-exec-argv=--disallow-code-generation-from-strings=strict",
  ];
  const command = [
    process.execPath,
    "build",
    "--compile",
    ...flags,
    ...program,
    "--outfile",
    built,
  ];
  const { stderr, status } = run(command, root);
  expect({ stderr: status === 0 ? "" : stderr, status }).toEqual({ stderr: "", status: 0 });
  const moved = join(work, "moved");
  renameSync(built, moved);
  expect(run([moved], "/")).toEqual({
    stdout: "main wasm 1, thread wasm 1\n",
    stderr: "",
    status: 0,
  });
});

test("the kernel runs where address space is too low for guard pages", () => {
  const program = join(import.meta.dir, "program/main.ts");
  const limited = `ulimit -v 4000000; exec "${process.execPath}" "${program}"`;
  const { stdout, stderr } = run(["sh", "-c", limited], "/");
  expect({ stdout, stderr }).toEqual({ stdout: "main wasm 1, thread wasm 1\n", stderr: "" });
});
