// The program as a process: streams, pipes, terminals, signals, start-up.

import { describe, expect, test } from "bun:test";
import { openSync, closeSync } from "node:fs";
import { programEnv, programWords, runProgram, TerminalProgram } from "../support/program.ts";
import { need } from "../support/needs.ts";

/** Runs a shell line in which `$armdb` is the program. */
async function shell(line: string) {
  const words = programWords().map((word) => `'${word}'`);
  const child = Bun.spawn(["bash", "-c", `armdb() { ${words.join(" ")} "$@"; }; ${line}`], {
    env: programEnv(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, stdout, stderr };
}

describe("armdb", () => {
  test("keeps data on stdout and everything else off it", async () => {
    const { status, stdout, stderr } = await runProgram(["version", "--json"]);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, bun: Bun.version, formats: [2] });
    expect(status).toBe(0);
  });

  test("prints no escape code off a terminal, whatever FORCE_COLOR or CI say of terminals", async () => {
    const { stdout, stderr } = await runProgram(["help"], { env: { CI: "true", TERM: "xterm" } });
    expect(stdout + stderr).not.toContain("\x1b");
  });

  test("ends with 2 and help on stderr without a command", async () => {
    const { status, stdout, stderr } = await runProgram([]);
    expect(stdout).toBe("");
    expect(stderr).toContain("Commands");
    expect(status).toBe(2);
  });

  test("takes a reader that goes away as no error", async () => {
    const { status, stdout, stderr } = await shell(
      "set -o pipefail; armdb man | head -n 1; exit ${PIPESTATUS[0]}",
    );
    expect(stdout.split("\n")).toHaveLength(2);
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test("survives a stdout and a stderr that are closed from the start", async () => {
    expect(await shell("armdb version >&-; exit $?")).toMatchObject({ stdout: "" });
    expect(await shell("armdb nonsense 2>&-; exit $?")).toMatchObject({ status: 2, stderr: "" });
  });

  test.if(need("linux", process.platform === "linux"))(
    "says that a full disk swallowed its output",
    async () => {
      const { status, stderr } = await shell("armdb man > /dev/full");
      expect(stderr).toContain('Cannot write to "stdout": ENOSPC');
      expect(status).toBe(14);
    },
  );

  test("writes all of a long answer into a pipe that is read slowly and does not block", async () => {
    // The reader makes the pipe non-blocking for the writer too, and starts late.
    const { status, stdout } = await shell(
      `armdb help --json | { python3 -c 'import os; os.set_blocking(0, False)' 2>/dev/null; sleep 0.3; cat; } | wc -c; exit \${PIPESTATUS[0]}`,
    );
    expect(status).toBe(0);
    expect(Number(stdout)).toBe((await runProgram(["help", "--json"])).stdout.length);
  });

  test("says its first word soon", async () => {
    const started = performance.now();
    const child = Bun.spawn([...programWords(), "version"], { env: programEnv(), stdout: "pipe" });
    const reader = child.stdout.getReader();
    await reader.read();
    // 20 ms on an idle machine; this only holds off what would be felt.
    expect(performance.now() - started).toBeLessThan(1500);
    await child.exited;
  });

  test("takes a terminal's input that is not there", async () => {
    const nothing = openSync("/dev/null", "r");
    const child = Bun.spawn([...programWords(), "help"], {
      env: programEnv(),
      stdin: nothing,
      stdout: "pipe",
    });
    expect(await child.stdout.text()).toContain("Commands");
    closeSync(nothing);
  });
});

describe("armdb on a terminal", () => {
  test("shows colour, and none with NO_COLOR, TERM=dumb or --color never", async () => {
    const show = async (words: string[], env: Record<string, string> = {}) => {
      const program = new TerminalProgram(words, { env });
      expect(await program.ended()).toBe(0);
      return program.text;
    };
    expect(await show(["version"])).toContain("\x1b[1marmdb");
    expect(await show(["version"], { NO_COLOR: "1" })).not.toContain("\x1b");
    expect(await show(["version"], { TERM: "dumb" })).not.toContain("\x1b");
    expect(await show(["version", "--color", "never"])).not.toContain("\x1b");
  });

  test.each([80, 132])("fits help into %d columns", async (columns) => {
    const program = new TerminalProgram(["help"], { columns });
    expect(await program.ended()).toBe(0);
    for (const line of program.plain.split("\n")) {
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
    }
  });

  test("offers to set up a follower, and ends with 130 on Ctrl-C, cursor restored", async () => {
    const program = new TerminalProgram([]);
    await program.until("Which leader?");
    program.type("\x03");
    expect(await program.ended()).toBe(130);
    expect(program.text.lastIndexOf("\x1b[?25h")).toBeGreaterThan(
      program.text.lastIndexOf("\x1b[?25l"),
    );
  });

  test("ends an open question on SIGTERM, cursor restored", async () => {
    const program = new TerminalProgram([]);
    await program.until("Which leader?");
    program.kill("SIGTERM");
    expect(await program.ended()).toBe(143);
    expect(program.plain).toContain("Stopping cleanly.");
    expect(program.text.lastIndexOf("\x1b[?25h")).toBeGreaterThan(
      program.text.lastIndexOf("\x1b[?25l"),
    );
  });

  test("prints help instead where CI pretends to be a terminal", async () => {
    const program = new TerminalProgram([], { env: { CI: "true" } });
    expect(await program.ended()).toBe(2);
    expect(program.plain).toContain("Commands");
  });

  test("walks a person through to the command line", async () => {
    const program = new TerminalProgram([], { columns: 100, rows: 40 });
    await program.until("Which leader?");
    program.type("127.0.0.1:1\r");
    await program.until("Where shall the copy live?");
    program.type("/dev/null/db\r");
    await program.until("Ask the leader now?");
    program.type("n");
    await program.until("Something is in the way");
    program.type("y");
    await program.until("Metrics and health");
    program.type("n");
    await program.until("How will it run?");
    program.type("\x1b[B\r");
    expect(await program.ended()).toBe(0);
    expect(program.plain).toContain("armdb replicate 127.0.0.1:1 --data /dev/null/db\n");
  });
});

test("a signal ends a waiting doctor in order, with the signal's status", async () => {
  // A listener that takes the connection and says nothing.
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    for (const [signal, status] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      const program = new TerminalProgram(["doctor", `127.0.0.1:${silent.port}`]);
      await program.until("asking 127.0.0.1");
      program.kill(signal);
      expect(await program.ended()).toBe(status);
      expect(program.plain).toContain("Stopping cleanly. Press Ctrl-C again to quit immediately.");
    }
  } finally {
    silent.stop(true);
  }
});
