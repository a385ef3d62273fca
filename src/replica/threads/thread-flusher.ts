// The Flusher of a shard's thread: its jobs are done by a thread of the pool (flush-thread.ts), over a port.

import type { MessagePort } from "node:worker_threads";
import type { PlainError } from "../../errors.ts";
import type { Flusher, FlushJob } from "../../io/flusher.ts";

/** `directory` is for words. */
export function portFlusher(port: MessagePort, directory: string): Flusher {
  let waiting: ((error: PlainError | null) => void) | null = null;
  let death: PlainError | null = null;
  const answer = (error: PlainError | null) => {
    const done = waiting;
    waiting = null;
    done?.(error);
  };
  port.on("message", (error: PlainError | null) => answer(error));
  port.on("close", () => {
    const message = `The thread that makes "${directory}" durable ended`;
    death = {
      code: "storage",
      message,
      hint: "run it again; if this comes back, report it with the log",
    };
    answer(death);
  });
  return {
    flush(job: FlushJob, done) {
      if (death !== null) return done(death);
      waiting = done;
      port.postMessage(job);
    },
    stop: () => port.close(),
  };
}
