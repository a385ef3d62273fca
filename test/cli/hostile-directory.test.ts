// The built executable in a directory that was made to harm it: none of the files that a runtime might look for is
// opened, nothing in them runs. Needs the executable (the gate sets ARMDB_TEST_PROGRAM); from source Bun reads them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programEnv, programWords, runProgram } from "../support/program.ts";
import { has, need } from "../support/needs.ts";

const isBuilt = Boolean(process.env["ARMDB_TEST_PROGRAM"]);
const TRAPS = [
  "bunfig.toml",
  ".env",
  ".env.local",
  ".env.production",
  "package.json",
  "tsconfig.json",
  "jsconfig.json",
  ".npmrc",
  "armdb.toml",
  "node_modules",
];

describe.if(need("executable (ARMDB_TEST_PROGRAM)", isBuilt))("in a hostile directory", () => {
  let place = "";
  let mark = "";
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "armdb-hostile-"));
    mark = join(place, "it-ran");
    const harm = `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "");`;
    writeFileSync(join(place, "harm.ts"), harm);
    writeFileSync(join(place, "harm.js"), harm);
    writeFileSync(join(place, "bunfig.toml"), 'preload = ["./harm.ts"]\n');
    for (const name of [".env", ".env.local", ".env.production"]) {
      writeFileSync(join(place, name), "ARMDB_JSON=1\nBUN_OPTIONS=--preload=./harm.ts\n");
    }
    writeFileSync(join(place, "package.json"), '{"imports":{"#x":"./harm.js"},"main":"harm.js"}');
    const paths = { compilerOptions: { paths: { "*": ["./harm.ts"] } } };
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify(paths));
    writeFileSync(join(place, "jsconfig.json"), JSON.stringify(paths));
    writeFileSync(join(place, ".npmrc"), "registry=http://127.0.0.1:1/\n");
    writeFileSync(join(place, "armdb.toml"), "json = true\n");
    for (const name of ["picocolors", "@clack/prompts", "bun:ffi"]) {
      mkdirSync(join(place, "node_modules", name), { recursive: true });
      writeFileSync(join(place, "node_modules", name, "index.js"), harm);
    }
    // A library that a careless dlopen would find here.
    writeFileSync(join(place, "libc.so.6"), "not a library");
  });
  afterAll(() => rmSync(place, { recursive: true }));

  test("answers as anywhere else", async () => {
    const { status, stdout } = await runProgram(["version"], { cwd: place });
    expect(stdout).toStartWith("armdb ");
    expect(status).toBe(0);
    expect((await runProgram(["doctor", "--data", "new"], { cwd: place })).status).toBe(0);
    expect(existsSync(mark)).toBe(false);
  });

  test.each(["--preload=./harm.ts", "-r ./harm.js", "--import ./harm.ts", "-e 1"])(
    "runs nothing for BUN_OPTIONS=%s",
    async (options) => {
      await runProgram(["version"], { cwd: place, env: { BUN_OPTIONS: options } });
      expect(existsSync(mark)).toBe(false);
    },
  );

  test.if(has("strace"))("opens none of the traps", async () => {
    const log = join(place, "strace.log");
    const words = ["-f", "-e", "trace=open,openat,openat2,stat,lstat,newfstatat,readlink,access"];
    const child = Bun.spawn(
      ["strace", ...words, "-o", log, ...programWords(), "doctor", "--data", "new"],
      { cwd: place, env: programEnv(), stdout: "ignore", stderr: "ignore" },
    );
    expect(await child.exited).toBe(0);
    const calls = readFileSync(log, "utf8").split("\n");
    const opened = calls.filter((call) => /^\d+ +open/.test(call) && !call.includes("ENOENT"));
    expect(opened.length).toBeGreaterThan(0);
    for (const trap of [...TRAPS, "harm", "libc.so.6"]) {
      const touched = opened.filter((call) =>
        new RegExp(`"(\\./|${place}/)?${trap.replaceAll(".", "\\.")}`).test(call),
      );
      expect(touched).toEqual([]);
    }
  });
});
