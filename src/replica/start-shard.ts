// Starts the real thread of a shard for the supervisor.

import { startThread } from "../io/threads.ts";
import type { ShardCommand, ShardMessage } from "./shard-thread.ts";
import type { StartShard } from "./supervisor.ts";

export const startShardThread: StartShard = (settings, received, died) => {
  const thread = startThread("replica/shard-thread", settings);
  let ended = false;
  const die = (reason: string) => {
    if (ended) return;
    ended = true;
    died(reason);
  };
  thread.on("message", (message: ShardMessage) => {
    if (message.kind === "crashed") {
      die(message.reason);
      return;
    }
    if (message.kind === "report" && message.report.kind === "ended") ended = true;
    received(message);
  });
  thread.on("error", (error: Error) => die(`${error.name}: ${error.message}`));
  thread.on("messageerror", () => die("a message could not be read"));
  // An exit code of 0 proves nothing: a rejected promise inside also ends so.
  thread.on("exit", (code: number) => die(`it ended with code ${code}`));
  return {
    send: (command: ShardCommand) => thread.postMessage(command),
    kill: () => void thread.terminate(),
  };
};
