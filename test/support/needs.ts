// What a test needs of the machine beside Bun. Where it is missing the test is skipped, and one line on standard error says
// so: the gate counts skipped tests by it (scripts/test-report.ts).

const told = new Set<string>();

/** `is`, and said once a file where it is false. `what` is a name that can stand behind "no": `zsh`, `root`. */
export function need(what: string, is: boolean): boolean {
  if (!is && !told.has(what)) {
    told.add(what);
    process.stderr.write(`missing here: ${what}\n`);
  }
  return is;
}

/** Whether a program is on PATH. */
export function has(program: string): boolean {
  return need(program, Bun.which(program) !== null);
}
