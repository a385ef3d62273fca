// What bun's test runner says on standard error, line by line, as figures: the gate (run-tests.ts) counts by it.

/** Of the text of each unhandled error this much is kept. */
const UNHANDLED_LINES_MAX = 20;

export interface Outcome {
  readonly passed: number;
  /** Tests that failed. */
  readonly failed: number;
  /** What failed beside the tests: unhandled errors, or a runner that ended badly. */
  readonly errors: number;
  readonly skipped: number;
  /** Files with a failed test, and the failed tests. */
  readonly files: ReadonlySet<string>;
  readonly names: readonly string[];
  /** Errors that no test caught, as bun tells them, each with its file. */
  readonly unhandled: readonly string[];
}

/** Takes the runner's lines in order, then gives the outcome. */
export class TestReport {
  readonly #files = new Set<string>();
  readonly #names: string[] = [];
  readonly #unhandled: string[] = [];
  readonly #counts = new Map<string, number>();
  /** Lines of the unhandled error that is being told; it ends with a second rule. */
  #told: string[] | null = null;
  #file = "";

  add(line: string): void {
    const header = /^(\S+\.test\.ts):$/.exec(line);
    const count = /^ *(\d+) (pass|fail|skip)$/.exec(line);
    if (header !== null) this.#file = header[1] ?? "";
    else if (line.startsWith("# Unhandled error")) this.#told = [`${line} (${this.#file})`];
    else if (this.#told !== null) this.#tell(this.#told, line);
    else if (line.startsWith("(fail) ")) {
      this.#files.add(this.#file);
      this.#names.push(line.slice("(fail) ".length));
    } else if (count !== null) this.#counts.set(count[2] ?? "", Number(count[1]));
  }

  #tell(told: string[], line: string): void {
    if (told.length === 1 || !/^-+$/.test(line)) {
      told.push(line);
      return;
    }
    this.#unhandled.push(told.slice(0, UNHANDLED_LINES_MAX).join("\n"));
    this.#told = null;
  }

  /** `status`: the runner's exit code. A crash of it, or no test at all, must not look like success. */
  outcome(status: number): Outcome {
    const failed = this.#counts.get("fail") ?? 0;
    const crashes = status !== 0 && failed + this.#unhandled.length === 0 ? 1 : 0;
    return {
      passed: this.#counts.get("pass") ?? 0,
      failed,
      errors: this.#unhandled.length + crashes,
      skipped: this.#counts.get("skip") ?? 0,
      files: this.#files,
      names: this.#names,
      unhandled: this.#unhandled,
    };
  }
}
