// Starts the program's threads. In the executable every module's URL is the executable's root, from source it is the
// file's own: both forms are resolved here and nowhere else. Each entry is also an entry point of scripts/build.

import { type MessagePort, Worker } from "node:worker_threads";
import { ArmdbError } from "../errors.ts";

/** Entry files below src/, without `.ts`. */
export type ThreadEntry =
  "replica/threads/shard-thread" | "replica/threads/flush-thread" | "audit/scan/scan-thread";

/**
 * Starts a thread. The caller listens to `message`, `error`, `messageerror` and `exit`; an exit code of 0
 * proves nothing (a rejected promise inside also ends so). Throws `storage` where the system gives no thread. Ports in `workerData` are handed over by `transferList`.
 */
export function startThread(
  entry: ThreadEntry,
  workerData: unknown,
  transferList: MessagePort[] = [],
): Worker {
  // In the executable a thread's own URL lies below the root too, so the root is named, not derived.
  const url = import.meta.url.includes("$bunfs")
    ? new URL(`file:///$bunfs/root/${entry}.ts`)
    : new URL(`../${entry}.ts`, import.meta.url);
  try {
    return new Worker(url, { workerData, transferList });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ArmdbError("storage", `Cannot start a thread: ${reason}`, {
      hint: "raise TasksMax= in the unit, the container's --pids-limit or ulimit -u; armdb doctor says how many it takes",
      cause,
    });
  }
}

/**
 * Has a bug end this thread with its reason told, instead of a stack on the terminal. Call it once, in the thread; the
 * exit follows on the next turn, when the reason is on its way.
 */
export function reportCrashes(tell: (reason: string) => void): void {
  const crash = (thrown: unknown) => {
    const reason = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    tell(reason);
    setImmediate(() => process.exit(1));
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
}
