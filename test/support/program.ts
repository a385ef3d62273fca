// Runs armdb as a process: the built executable where the gate says so (ARMDB_TEST_PROGRAM), else from source. With pipes,
// or on a pseudo-terminal that remembers its screen's text. The environment is empty but for PATH, and its home is not there.

import { resolve } from "node:path";
import { withoutTimes } from "./line-times.ts";

/** The words that start armdb. */
export function programWords(): readonly string[] {
  const executable = process.env["ARMDB_TEST_PROGRAM"];
  return executable ? [executable] : [process.execPath, resolve("src/main.ts")];
}

/** An environment in which nothing of this machine's user shows: no config file, no ARMDB_ variables, no terminal. */
export function programEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", LC_ALL: "C.UTF-8", ...more };
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ms until it is killed; a test that meets it fails. */
  readonly timeoutMs?: number;
}

export interface ProgramResult {
  readonly status: number | null;
  readonly stdout: string;
  /** Without the times of its lines. */
  readonly stderr: string;
}

const TIMEOUT_MS = 20_000;

/** Runs armdb to its end, both streams in pipes. */
export async function runProgram(
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = Bun.spawn([...programWords(), ...words], {
    env: programEnv(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  return { status: child.exitCode, stdout, stderr: withoutTimes(stderr) };
}

/** armdb on a pseudo-terminal. */
export class TerminalProgram {
  /** Everything written to the terminal so far, escape sequences included. */
  text = "";
  readonly #child: Bun.Subprocess;
  /** All that the program wrote has come: its end alone does not say so. */
  #drained = false;
  #wake: (() => void) | null = null;

  constructor(
    words: readonly string[],
    options: ProgramOptions & { readonly columns?: number; readonly rows?: number } = {},
  ) {
    const decoder = new TextDecoder();
    this.#child = Bun.spawn([...programWords(), ...words], {
      env: programEnv({ TERM: "xterm-256color", ...options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      // Made by spawn, not before it: only then is the end of the output told.
      terminal: {
        cols: options.columns ?? 80,
        rows: options.rows ?? 24,
        data: (_terminal, bytes) => {
          this.text += decoder.decode(bytes, { stream: true });
          this.#wake?.();
        },
        exit: () => {
          this.#drained = true;
          this.#wake?.();
        },
      },
      timeout: options.timeoutMs ?? TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The text without escape sequences and carriage returns. */
  get plain(): string {
    return Bun.stripANSI(this.text).replaceAll("\r", "");
  }

  /** Types; `\x03` is Ctrl-C. */
  type(keys: string): void {
    this.#child.terminal?.write(keys);
  }

  /** The terminal has another size now. */
  resize(columns: number, rows: number): void {
    this.#child.terminal?.resize(columns, rows);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until the text holds `wanted`. Throws when the program ends without it. */
  async until(wanted: string): Promise<void> {
    while (!this.plain.includes(wanted)) {
      if (this.#drained) throw new Error(`no "${wanted}" in ${JSON.stringify(this.text)}`);
      await this.change();
    }
  }

  /** Waits for the end and the last of the output; the status, or the name of the signal that ended it. */
  async ended(): Promise<number | string | null> {
    await this.#child.exited;
    while (!this.#drained) await this.change();
    this.#child.terminal?.close();
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Resolves when more has come, or all of it. */
  change(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }
}
