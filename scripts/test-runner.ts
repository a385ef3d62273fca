// Bun's test runner as the gate uses it: a process group of its own with a bound on the whole run, its output passed on as it
// comes and read line by line (test-report.ts).

import { type Outcome, TestReport } from "./test-report.ts";

/** After a run's limit the runner may say what still runs, before it is ended with everything in its group. */
const LAST_WORDS_MS = 5_000;
/** What the runner wrote before its end is there at once. */
const LAST_LINES_MS = 1_000;

export interface RunnerSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of one test. */
  readonly timeoutMs: number;
  /** Of the whole run: a test that never gives the thread back would hold it for ever. */
  readonly limitMs: number;
}

let running: Bun.Subprocess | null = null;

/** Runs `bun test` with these words and reads its outcome. Whatever happens it ends within the limit and a moment. */
export async function runTests(
  words: readonly string[],
  settings: RunnerSettings,
): Promise<Outcome> {
  const command = [process.execPath, "test", "--timeout", String(settings.timeoutMs), ...words];
  const child = Bun.spawn(command, {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...settings.env },
    detached: true,
  });
  running = child;
  const report = new TestReport();
  const limit = setTimeout(() => void endRunner(), settings.limitMs);
  const read = readLines(child.stderr, (line) => report.add(line));
  const status = await child.exited;
  // What a test left behind may hold the stream open for ever.
  await Promise.race([read, Bun.sleep(LAST_LINES_MS)]);
  clearTimeout(limit);
  running = null;
  return report.outcome(status);
}

/** Ends the runner that runs now, if any: it is asked first, then its whole group is killed. */
export async function endRunner(): Promise<void> {
  const child = running;
  if (child === null) return;
  child.kill("SIGTERM");
  await Promise.race([child.exited, Bun.sleep(LAST_WORDS_MS)]);
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    process.stderr.write(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
  if (rest !== "") take(rest);
}
