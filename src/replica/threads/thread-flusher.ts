// The Flusher of a shard's thread: its jobs are done by a thread of the pool (flush-thread.ts), over a port.

import type { MessagePort } from "node:worker_threads";
import type { Flusher, FlushJob, FlushResult } from "../../io/flusher.ts";

/** `directory` is for words. */
export function portFlusher(port: MessagePort, directory: string): Flusher {
  let waiting: ((result: FlushResult) => void) | null = null;
  let death: FlushResult | null = null;
  const answer = (result: FlushResult) => {
    const done = waiting;
    waiting = null;
    done?.(result);
  };
  port.on("message", (result: FlushResult) => answer(result));
  port.on("close", () => {
    const message = `The thread that makes "${directory}" durable ended`;
    const hint = "run it again; if this comes back, report it with the log";
    death = { error: { code: "storage", message, hint }, unsaved: null };
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
