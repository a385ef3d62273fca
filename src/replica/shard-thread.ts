// The thread of one shard: a ShardFollower with the machine's disk, network and clock. A thin adapter: requests and reports
// go to the supervisor's thread as messages.

import { parentPort, workerData } from "node:worker_threads";
import { assert, type PlainError } from "../errors.ts";
import { realDisk } from "../io/real-disk.ts";
import { realNet } from "../io/sockets.ts";
import { realClock, realRandom } from "../io/time.ts";
import { createApplier } from "./create-applier.ts";
import type { FollowerHost, FollowerReport, FollowerSettings } from "./follower-types.ts";
import { ShardFollower } from "./shard-follower.ts";
import { threadFlusher } from "./thread-flusher.ts";
import type { ProtocolVersion, ShardInfo } from "../wire/messages.ts";

/** Supervisor to shard. `prepared` and `connection` answer the last request of that kind. */
export type ShardCommand =
  | { readonly kind: "prepared"; readonly error: PlainError | null }
  | { readonly kind: "connection"; readonly waitMs: number }
  | { readonly kind: "rescan" }
  | { readonly kind: "stop" };

/** Shard to supervisor. */
export type ShardMessage =
  | { readonly kind: "report"; readonly report: FollowerReport }
  | { readonly kind: "learned"; readonly info: ShardInfo }
  | { readonly kind: "prepare"; readonly info: ShardInfo }
  | { readonly kind: "acquire"; readonly protocol: ProtocolVersion };

const port = parentPort;
assert(port !== null, "shard-thread runs as a thread");
const settings = workerData as FollowerSettings;
const send = (message: ShardMessage) => port.postMessage(message);
const acquiring: ((waitMs: number) => void)[] = [];
let preparing: ((error: PlainError | null) => void) | null = null;

const host: FollowerHost = {
  prepare(info, done) {
    preparing = done;
    send({ kind: "prepare", info });
  },
  learned(info) {
    send({ kind: "learned", info });
  },
  acquireConnection(protocol, done) {
    // Protocol 2 leaders give their memory back: no budget, no round trip.
    if (protocol === 2) {
      done(0);
      return;
    }
    acquiring.push(done);
    send({ kind: "acquire", protocol });
  },
  report(report) {
    send({ kind: "report", report });
    if (report.kind === "ended") port.close();
  },
};

const follower = new ShardFollower(settings, host, {
  disk: realDisk,
  net: realNet,
  clock: realClock,
  random: realRandom,
  newFlusher: (directory) => threadFlusher(directory, settings.owner),
  newApplier: createApplier,
});

port.on("message", (command: ShardCommand) => {
  switch (command.kind) {
    case "prepared": {
      const done = preparing;
      preparing = null;
      done?.(command.error);
      return;
    }
    case "connection":
      acquiring.shift()?.(command.waitMs);
      return;
    case "rescan":
      follower.rescan();
      return;
    case "stop":
      follower.stop();
      return;
  }
});

follower.start();
