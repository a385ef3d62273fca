// What bun's test runner says on standard error, line by line, as figures: the gate (run-tests.ts) counts by it, and decides by
// it which files get a second try and what that try means.

/** Of the text of each unhandled error this much is kept. */
const UNHANDLED_LINES_MAX = 20;
/** More files than this with failures are no accident. */
const SECOND_TRY_FILES_MAX = 3;

export interface Outcome {
  readonly passed: number;
  /** Tests that failed. */
  readonly failed: number;
  /** What failed beside the tests: unhandled errors, or a runner that ended badly. */
  readonly errors: number;
  readonly skipped: number;
  /** Skipped tests by what their file lacks here (test/support/needs.ts); those that do not say it are not in it. */
  readonly skippedFor: ReadonlyMap<string, number>;
  /** The failed tests, in the order in which they were told. */
  readonly failures: readonly Failure[];
  /** Errors that no test caught, as bun tells them, each with its file. */
  readonly unhandled: readonly string[];
}

export interface Failure {
  readonly file: string;
  readonly name: string;
}

/** Takes the runner's lines in order, then gives the outcome. */
export class TestReport {
  readonly #failures: Failure[] = [];
  readonly #unhandled: string[] = [];
  readonly #counts = new Map<string, number>();
  readonly #lacking = new Map<string, string[]>();
  readonly #skips = new Map<string, number>();
  /** Lines of the unhandled error that is being told; it ends with a second rule. */
  #told: string[] | null = null;
  #file = "";
  /** After all files the runner says the failures again, without their files. */
  #isOver = false;

  add(line: string): void {
    this.#isOver ||= /^\d+ tests? failed:$/.test(line);
    const header = /^(\S+\.test\.ts):$/.exec(line);
    const count = /^ *(\d+) (pass|fail|skip)$/.exec(line);
    const running = /^ {2}(\S+\.test\.ts) \(\d+s\)$/.exec(line);
    if (header !== null) this.#file = header[1] ?? "";
    else if (line.startsWith("# Unhandled error")) this.#told = [`${line} (${this.#file})`];
    else if (this.#told !== null) this.#tell(this.#told, line);
    else if (line.startsWith("(fail) ") && !this.#isOver) this.#fail(line.slice("(fail) ".length));
    else if (line.startsWith("(skip) ") && !this.#isOver)
      this.#skips.set(this.#file, (this.#skips.get(this.#file) ?? 0) + 1);
    else if (line.startsWith("missing here: ")) this.#lack(line.slice("missing here: ".length));
    else if (running !== null) this.#unhandled.push(`did not end: ${running[1]}`);
    else if (count !== null) this.#counts.set(count[2] ?? "", Number(count[1]));
  }

  #fail(text: string): void {
    this.#failures.push({ file: this.#file, name: text.replace(/ \[[\d.]+m?s\]$/, "") });
  }

  #lack(what: string): void {
    const known = this.#lacking.get(this.#file) ?? [];
    this.#lacking.set(this.#file, [...known, what]);
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
      skippedFor: this.#skippedFor(),
      failures: this.#failures,
      unhandled: this.#unhandled,
    };
  }

  #skippedFor(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [file, lacking] of this.#lacking) {
      const what = lacking.join(" or ");
      const skips = this.#skips.get(file) ?? 0;
      if (skips > 0) counts.set(what, (counts.get(what) ?? 0) + skips);
    }
    return counts;
  }
}

/**
 * The files that may run once more: those with failures, when they are few and everything that went wrong is a failed test. A
 * runner that died, or an error that no test caught, has no second try.
 */
export function secondTryFiles({ failed, errors, failures }: Outcome): readonly string[] {
  const files = [...new Set(failures.map(({ file }) => file))];
  const isWhole = errors === 0 && failures.length === failed;
  return isWhole && files.length <= SECOND_TRY_FILES_MAX ? files : [];
}

/**
 * What of the first run's failures of a file its second run leaves: those that passed now are `retried`, the others `failed`,
 * with what failed in the second run alone. A second run with errors excuses nothing.
 */
export function judgeSecondTry(
  first: readonly Failure[],
  second: Outcome,
): { readonly retried: readonly Failure[]; readonly failed: readonly Failure[] } {
  if (second.errors > 0) return { retried: [], failed: first };
  const again = new Set(second.failures.map(({ name }) => name));
  const known = new Set(first.map(({ name }) => name));
  return {
    retried: first.filter(({ name }) => !again.has(name)),
    failed: [
      ...first.filter(({ name }) => again.has(name)),
      ...second.failures.filter(({ name }) => !known.has(name)),
    ],
  };
}
