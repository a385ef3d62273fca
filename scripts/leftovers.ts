// What a run of tests left behind: names in its temporary directory, processes that live on in it, changes of the tree. Such
// processes and names are taken away, after they were named. Processes are found in /proc: on Linux only.

import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";

const KILL_WAIT_MS = 5_000;
/** What was told to end just now may take a moment. */
const GRACE_MS = 2_000;

interface LeftProcess {
  readonly pid: number;
  readonly command: string;
}

/** Looks for what is left of a run that had `directory` as its TMPDIR; `before` is treeState() as it was at its start. */
export async function takeLeftovers(directory: string, before: string): Promise<string[]> {
  const graceEnds = performance.now() + GRACE_MS;
  let processes = processesOf(directory);
  while (processes.length > 0 && performance.now() < graceEnds) {
    await Bun.sleep(50);
    processes = processesOf(directory);
  }
  const names = readdirSync(directory);
  for (const { pid } of processes) endProcess(pid);
  await untilGone(processes);
  rmSync(directory, { recursive: true, force: true });
  const known = new Set(before.split("\n"));
  const changes = treeState()
    .split("\n")
    .filter((line) => !known.has(line));
  return [
    ...processes.map(({ pid, command }) => `process ${pid} lives on: ${command}`),
    ...names.map((name) => `left in TMPDIR: ${name}`),
    ...changes.map((line) => `changed in the tree: ${line}`),
  ];
}

/** What git says of this tree, a line a name; empty outside a checkout. */
export function treeState(): string {
  const words = ["git", "status", "--porcelain", "--untracked-files=all"];
  const { success, stdout } = Bun.spawnSync(words, { stderr: "ignore" });
  return success ? stdout.toString().trimEnd() : "";
}

/** Processes with this TMPDIR in their environment, or with a name of it as a file or directory that they hold. */
function processesOf(directory: string): readonly LeftProcess[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => isOf(pid, directory))
    .map((pid) => ({ pid: Number(pid), command: readProc(pid, "cmdline").replaceAll("\0", " ") }));
}

function isOf(pid: string, directory: string): boolean {
  const variables = readProc(pid, "environ").split("\0");
  if (variables.includes(`TMPDIR=${directory}`)) return !isZombie(pid);
  return heldNames(pid).some((name) => name === directory || name.startsWith(`${directory}/`));
}

function isZombie(pid: string): boolean {
  return /\) Z /.test(readProc(pid, "stat"));
}

/** Where its open files, its working directory and its command line point. */
function heldNames(pid: string): readonly string[] {
  const links = [`/proc/${pid}/cwd`];
  try {
    links.push(...readdirSync(`/proc/${pid}/fd`).map((fd) => join(`/proc/${pid}/fd`, fd)));
  } catch {
    // It has ended, or is somebody else's.
  }
  return [...links.map(readLink), ...readProc(pid, "cmdline").split("\0")];
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Empty when the process has ended or is somebody else's. */
function readProc(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

async function untilGone(processes: readonly LeftProcess[]): Promise<void> {
  const deadline = performance.now() + KILL_WAIT_MS;
  const lives = ({ pid }: LeftProcess) =>
    readProc(String(pid), "cmdline") !== "" && !isZombie(String(pid));
  while (processes.some(lives) && performance.now() < deadline) await Bun.sleep(10);
}
