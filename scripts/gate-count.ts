// One run of the gate as it is counted: steps and tests, a second try for a few files, what was left over, the closing lines.

import { chmodSync, mkdtempSync, readFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { takeLeftovers, treeState } from "./leftovers.ts";
import { type Failure, judgeSecondTry, type Outcome, secondTryFiles } from "./test-report.ts";
import { endRunner, runTests } from "./test-runner.ts";

/** More tests than this that needed a second try are a fault of theirs, or of what they test. */
const RETRIED_MAX = 2;
const CPU_SECONDS_EXPECTED = 600;
/** Of the kernel's figures for processor time, on every Linux. */
const TICKS_PER_SECOND = 100;

export interface GateSettings {
  /** Of one test. */
  readonly timeoutMs: number;
  /** Of one run of the runner. */
  readonly limitMs: number;
}

/** Counts from the moment it is made; `end` prints what it came to. */
export class Gate {
  /** The runner's word for how many files run at a time. Most of their time is waiting: more than cores pay. */
  readonly parallel: string;
  readonly #settings: GateSettings;
  readonly #load = loadavg()[0] ?? 0;
  readonly #tree = treeState();
  // Short, as the name of a unix socket has 108 bytes.
  readonly #temporary = mkdtempSync(join(tmpdir(), "at-"));
  readonly #env: Record<string, string | undefined>;
  #passed = 0;
  #failed = 0;
  #skipped = 0;
  readonly #skippedFor = new Map<string, number>();
  readonly #retried: Failure[] = [];
  /** What went wrong, said again at the end: of a long log often only the end is at hand. */
  readonly #faults: string[] = [];

  constructor(settings: GateSettings) {
    this.#settings = settings;
    // Some tests run as another user, who has to come through.
    chmodSync(this.#temporary, 0o755);
    this.#env = { ...process.env, TMPDIR: this.#temporary };
    this.parallel = `--parallel=${Math.min(8, Math.max(4, 2 * availableParallelism()))}`;
    for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
      process.on(signal, () => void this.#stop(status));
    }
  }

  async #stop(status: number): Promise<void> {
    await endRunner();
    await takeLeftovers(this.#temporary, this.#tree);
    process.exit(status);
  }

  /** A variable that names a path, for the tests to come. */
  handOver(name: string, path: string): void {
    this.#env[name] = resolve(path);
  }

  /** Runs a step that counts as one test; returns whether it passed. */
  step(name: string, command: readonly string[]): boolean {
    const started = performance.now();
    const { success } = Bun.spawnSync([...command], { stdio: ["ignore", "inherit", "inherit"] });
    this.#count(name, success, started);
    return success;
  }

  /** As `step`, for work of this process; null when it failed. */
  async attempt<T>(name: string, work: () => Promise<T>): Promise<T | null> {
    const started = performance.now();
    try {
      const made = await work();
      this.#count(name, true, started);
      return made;
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      this.#count(name, false, started);
      return null;
    }
  }

  #count(name: string, success: boolean, startedMs: number): void {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${success ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
    if (success) this.#passed++;
    else this.#fault(name);
  }

  #fault(text: string): void {
    this.#failed++;
    this.#faults.push(`failed: ${text}`);
  }

  /** Runs tests; those of a few files once more where they failed. */
  async run(words: readonly string[]): Promise<void> {
    const first = await this.#runOnce(words);
    this.#passed += first.passed;
    this.#skipped += first.skipped;
    for (const [what, count] of first.skippedFor) {
      this.#skippedFor.set(what, (this.#skippedFor.get(what) ?? 0) + count);
    }
    const files = secondTryFiles(first);
    if (files.length === 0) this.#fail(first);
    for (const file of files) await this.#tryAgain(file, first.failures);
  }

  #runOnce(words: readonly string[]): Promise<Outcome> {
    return runTests(words, { ...this.#settings, env: this.#env });
  }

  async #tryAgain(file: string, failures: readonly Failure[]): Promise<void> {
    const first = failures.filter((failure) => failure.file === file);
    console.log(`a second try, alone: ${file}`);
    const second = await this.#runOnce(["--max-concurrency=1", `./${file}`]);
    const { retried, failed } = judgeSecondTry(first, second);
    this.#retried.push(...retried);
    // What passed at first and fails now was counted as passed.
    this.#passed += first.length - failed.length;
    for (const { name } of failed) this.#fault(`${file}: ${name}`);
  }

  #fail({ failed, errors, failures, unhandled }: Outcome): void {
    this.#faults.push(...unhandled);
    for (const { file, name } of failures) this.#fault(`${file}: ${name}`);
    const untold = failed + errors - failures.length;
    if (untold <= 0) return;
    this.#failed += untold;
    if (unhandled.length < errors) this.#faults.push("failed: the test runner ended badly");
  }

  /** Looks for left-overs, then does what may change the tree, prints the closing lines, and ends the process. */
  async end(cpuSecondsMax: number | null, last: () => void): Promise<never> {
    const left = await takeLeftovers(this.#temporary, this.#tree);
    last();
    if (left.length === 0) this.#passed++;
    else this.#fault(`left-overs\n${left.map((line) => `  ${line}`).join("\n")}`);
    if (this.#retried.length > RETRIED_MAX) {
      const count = this.#retried.length;
      this.#fault(`${count} tests needed a second try, ${RETRIED_MAX} are allowed`);
    }
    const cpu = childrenSeconds();
    if (cpu !== null && cpuSecondsMax !== null && cpu > cpuSecondsMax)
      this.#fault(`${cpu} s CPU, ${cpuSecondsMax} allowed`);
    else if (cpu !== null && cpu > CPU_SECONDS_EXPECTED) {
      console.log(`warning: ${cpu} s CPU, ${CPU_SECONDS_EXPECTED} expected`);
    }
    this.#printEnd(cpu);
    process.exit(this.#failed === 0 ? 0 : 1);
  }

  #printEnd(cpu: number | null): void {
    for (const fault of this.#faults) console.log(fault);
    for (const { file, name } of this.#retried) console.log(`retried: ${file}: ${name}`);
    const reasons = [...this.#skippedFor].map(([what, count]) => `no ${what}: ${count}`);
    console.log(`skipped: ${this.#skipped}${reasons.length > 0 ? ` (${reasons.join(", ")})` : ""}`);
    const wall = Math.round(performance.now() / 1000);
    const used = cpu === null ? "" : `, ${cpu} s CPU`;
    const machine = `${availableParallelism()} cores, load ${this.#load.toFixed(1)} at the start`;
    console.log(`time: ${wall} s wall${used}, ${machine}`);
    const skips = this.#skipped > 0 ? `, ${this.#skipped} skipped` : "";
    console.log(`${this.#passed} passed, ${this.#failed} failed${skips}`);
  }
}

/** Processor time of all children that have ended, whole seconds; null where the system does not tell. */
function childrenSeconds(): number | null {
  if (process.platform !== "linux") return null;
  // Behind the name in brackets: the 14th and 15th field are cutime and cstime.
  const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return Math.round((Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND);
}
