// One run from argv to status, inside this process.

import { describe, expect, test } from "bun:test";
import { fakeMachine, runFake } from "./fake-machine.ts";
import { runArmdb } from "../../src/cli/run.ts";

describe("runArmdb()", () => {
  test("without a command off a terminal prints help on stderr and ends with 2", async () => {
    const { status, stdout, stderr } = await runFake([]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Commands\n");
  });

  test.each([["--help"], ["-h"], ["help"]])(
    "for %s prints the overview and ends with 0",
    async (word) => {
      const { status, stdout, stderr } = await runFake([word]);
      expect(status).toBe(0);
      expect(stdout).toContain("Commands\n");
      expect(stderr).toBe("");
    },
  );

  test("prints the page of a command for -h, whatever else is wrong", async () => {
    const { status, stdout } = await runFake(["completion", "-h"]);
    expect(status).toBe(0);
    expect(stdout).toStartWith("armdb completion: ");
    expect(await runFake(["help", "completion"])).toMatchObject({ status: 0, stdout });
  });

  test("turns a typo into a usage error with the nearest command", async () => {
    const { status, stdout, stderr } = await runFake(["verison"]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toBe('armdb: There is no command "verison"\n  Try: armdb version\n');
  });

  test("adds one object on stderr with --json, and only that with --log-format json", async () => {
    const object = {
      schema: 1,
      type: "error",
      code: "usage",
      exit: 2,
      message: 'SHELL is "bsah", accepted: bash, zsh, fish',
      hint: "armdb completion bash",
    };
    const both = await runFake(["completion", "bsah", "--json"]);
    expect(both.stdout).toBe("");
    const lines = both.stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[2] ?? "")).toEqual(object);
    const alone = await runFake(["completion", "bsah", "--log-format=json"]);
    expect(JSON.parse(alone.stderr)).toEqual(object);
  });

  test("takes options from the environment", async () => {
    const { stdout } = await runFake(["version"], { env: { ARMDB_JSON: "1" } });
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, formats: [2], protocols: [1, 2] });
    const plain = await runFake(["version", "--json=false"], { env: { ARMDB_JSON: "1" } });
    expect(plain.stdout).toStartWith("armdb ");
  });

  test("takes options from the user's config file and the named one", async () => {
    const files = { "/home/somebody/.config/armdb/armdb.toml": "json = true" };
    expect((await runFake(["version"], { files })).stdout).toStartWith("{");
    const named = { files: { "/x.toml": "[version]\njson = true" } };
    expect((await runFake(["version", "--config", "/x.toml"], named)).stdout).toStartWith("{");
    const env = { ARMDB_CONFIG: "/x.toml" };
    expect((await runFake(["version"], { ...named, env })).stdout).toStartWith("{");
  });

  test("refuses a named config file that is not there, or that says nonsense", async () => {
    const absent = await runFake(["version", "--config", "/absent.toml"]);
    expect(absent).toMatchObject({ status: 2, stdout: "" });
    expect(absent.stderr).toContain('There is no config file "/absent.toml"');
    const files = { "/etc/armdb.toml": "jsno = true" };
    const wrong = await runFake(["version"], { files });
    expect(wrong).toMatchObject({ status: 2, stdout: "" });
    expect(wrong.stderr).toContain('Cannot use "/etc/armdb.toml": unknown key "jsno"');
    expect(wrong.stderr).toContain("did you mean json?");
  });

  test("shows colour on a terminal only where it is wanted", async () => {
    const terminal = { terminal: true };
    expect((await runFake(["version"], terminal)).stdout).toContain("\x1b[1marmdb");
    const env = { NO_COLOR: "1" };
    expect((await runFake(["version"], { ...terminal, env })).stdout).not.toContain("\x1b");
    expect((await runFake(["version", "--color", "never"], terminal)).stdout).not.toContain("\x1b");
    expect((await runFake(["version", "--color=always"])).stdout).toContain("\x1b[1marmdb");
    expect((await runFake(["nonsense", "--color", "always"])).stderr).toContain("\x1b[31marmdb:");
  });

  test("takes a closed stdout as no error, and a full one as no space", async () => {
    const closed = fakeMachine(["help"]);
    closed.stdout.failure = "EPIPE";
    expect(await runArmdb(closed.machine)).toBe(0);
    expect(closed.stderr.text).toBe("");
    const full = fakeMachine(["help"]);
    full.stdout.failure = "ENOSPC";
    expect(await runArmdb(full.machine)).toBe(14);
    expect(full.stderr.text).toContain('Cannot write to "stdout": ENOSPC');
  });
});

describe("armdb config", () => {
  test("shows every value and where it came from", async () => {
    const files = { "/home/somebody/.config/armdb/armdb.toml": 'color = "never"' };
    const env = { ARMDB_LOG_FORMAT: "json", ARMDB_LGO: "x" };
    const { status, stdout, stderr } = await runFake(["config", "--json"], { files, env });
    expect(status).toBe(0);
    expect(stderr).toBe("");
    const document = JSON.parse(stdout);
    expect(document.files).toEqual([
      { path: "/home/somebody/.config/armdb/armdb.toml", read: true },
      { path: "/etc/armdb.toml", read: false },
    ]);
    expect(document.unknownVariables).toEqual(["ARMDB_LGO"]);
    const find = (option: string) =>
      document.options.find((row: { option: string }) => row.option === option);
    expect(find("color")).toMatchObject({ command: null, value: "never", from: "file" });
    expect(find("log-format")).toMatchObject({ value: "json", from: "environment" });
    expect(find("quiet")).toMatchObject({ value: null, from: "default" });
  });

  test("fits the terminal, and warns of variables that no option has", async () => {
    const env = { ARMDB_LGO: "x" };
    const { stdout, stderr } = await runFake(["config"], { env });
    for (const line of stdout.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
    expect(stderr).toBe("warning: ARMDB_LGO is set, but no option has that name\n");
  });

  test("refuses what a run would refuse", async () => {
    const { status, stderr } = await runFake(["config"], { env: { ARMDB_COLOR: "sometimes" } });
    expect(status).toBe(2);
    expect(stderr).toContain('ARMDB_COLOR is "sometimes", accepted: one of auto, always, never');
  });
});
