// The Flusher that works on a thread of its own (flush-thread.ts).

import type { PlainError } from "../../errors.ts";
import type { Flusher, FlushJob, FlushResult } from "../../io/flusher.ts";
import { startThread } from "../../io/threads.ts";
import type { FlushRequest, FlushThreadData } from "./flush-thread.ts";

/** Starts the thread for one shard directory. */
export function threadFlusher(data: FlushThreadData): Flusher {
  const thread = startThread("replica/threads/flush-thread", data);
  let waiting: ((result: FlushResult) => void) | null = null;
  let death: PlainError | null = null;
  const answer = (result: FlushResult) => {
    const done = waiting;
    waiting = null;
    done?.(result);
  };
  const died = (reason: string) => {
    death ??= {
      code: "unexpected",
      message: `The sync thread of "${data.directory}" died: ${reason}`,
    };
    answer({ error: death, unsaved: null });
  };
  thread.on("message", (result: FlushResult) => answer(result));
  thread.on("error", (error: Error) => died(error.message));
  thread.on("messageerror", () => died("a message could not be read"));
  thread.on("exit", () => died("it ended"));
  const send = (request: FlushRequest) => thread.postMessage(request);
  return {
    flush(job: FlushJob, done) {
      if (death !== null) {
        done({ error: death, unsaved: null });
        return;
      }
      waiting = done;
      send(job);
    },
    stop() {
      send("stop");
    },
  };
}
