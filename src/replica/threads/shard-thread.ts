// The thread of one shard: a ShardFollower with the machine's disk, network and clock. A thin adapter: requests and reports
// go to the supervisor's thread as messages. One that stands by has its code loaded and a connection dialed, and waits to be told
// what to follow.

import { parentPort, workerData } from "node:worker_threads";
import { assert, fromPlainError, type PlainError } from "../../errors.ts";
import { reportCrashes } from "../../io/threads.ts";
import { shortenTimeSlice } from "../../io/scheduling.ts";
import { realDisk } from "../../io/real-disk.ts";
import { realNet } from "../../io/sockets.ts";
import { realClock, realRandom } from "../../io/time.ts";
import type { CompareEvent } from "../compare/compare-types.ts";
import { CONNECT_TIMEOUT_MS, SEND_QUEUE_BYTES_MAX } from "../../limits.ts";
import { createApplier } from "../apply/create-applier.ts";
import { DifferenceRecorder } from "../compare/difference-recorder.ts";
import type { FollowerHost, FollowerReport, FollowerSettings } from "../follower-types.ts";
import { SharedCells } from "./shared-cells.ts";
import { ShardBody } from "../shard-body.ts";
import { type FollowerTools, ShardFollower } from "../shard-follower.ts";
import { SpareNet } from "../spare-net.ts";
import { threadFlusher } from "./thread-flusher.ts";
import type { HeldShard } from "../../store/held-files.ts";
import type { ProtocolVersion, ShardInfo } from "../../wire/messages.ts";

export interface FollowCommand {
  readonly kind: "follow";
  readonly settings: FollowerSettings;
  /** Of a SharedCells. */
  readonly cells: SharedArrayBuffer;
}

/** What a thread is started for. */
export type ShardThreadStart =
  FollowCommand | { readonly kind: "stand-by"; readonly host: string; readonly port: number };

/** Supervisor to shard. `prepared` answers the last request of that kind. */
export type ShardCommand =
  /** To a thread that stands by. */
  | FollowCommand
  | { readonly kind: "prepared"; readonly error: PlainError | null }
  | { readonly kind: "granted"; readonly request: number }
  | {
      readonly kind: "held";
      readonly request: number;
      readonly untilMs: number;
      readonly limit: number;
    }
  | { readonly kind: "vouched"; readonly link: number; readonly lives: boolean }
  | { readonly kind: "rescan" }
  /** Compare with the leader by the next scan; `compare` messages come until the last. */
  | { readonly kind: "compare"; readonly id: number; readonly differencesMax: number }
  | { readonly kind: "compare-stop" }
  /** Its files are not what it holds any more: nothing is written, and it ends. */
  | { readonly kind: "lost"; readonly error: PlainError }
  | { readonly kind: "stop" };

/** Shard to supervisor. */
export type ShardMessage =
  | { readonly kind: "report"; readonly report: FollowerReport }
  | { readonly kind: "learned"; readonly info: ShardInfo; readonly protocol: ProtocolVersion }
  | { readonly kind: "prepare"; readonly info: ShardInfo }
  | { readonly kind: "ask"; readonly request: number; readonly protocol: ProtocolVersion }
  | { readonly kind: "drop"; readonly request: number }
  | {
      readonly kind: "tell";
      readonly request: number;
      readonly what: "accepted" | "scanning" | "over";
    }
  | { readonly kind: "confirming"; readonly link: number }
  | { readonly kind: "save" }
  /** Its files are open. */
  | { readonly kind: "holds"; readonly held: HeldShard }
  | { readonly kind: "compare"; readonly id: number; readonly event: CompareEvent }
  /** A bug of ours: the thread ends, and is started again. */
  | { readonly kind: "crashed"; readonly reason: string };

const port = parentPort;
assert(port !== null, "shard-thread runs as a thread");
const send = (message: ShardMessage) => port.postMessage(message);
const net = new SpareNet(realNet);

function dialSpare(host: string, port: number): void {
  net.dialSpare({
    ...{ host, port, timeoutMs: CONNECT_TIMEOUT_MS, sendQueueBytesMax: SEND_QUEUE_BYTES_MAX },
  });
}

/** Follows one shard; returns what takes the commands for it. */
function follow(command: FollowCommand): (command: ShardCommand) => void {
  shortenTimeSlice();
  const { settings } = command;
  const cells = new SharedCells(command.cells);
  let preparing: ((error: PlainError | null) => void) | null = null;

  const host: FollowerHost = {
    prepare(info, done) {
      preparing = done;
      send({ kind: "prepare", info });
    },
    learned(info, protocol) {
      net.dropSpare();
      send({ kind: "learned", info, protocol });
    },
    ask: (request, protocol) => send({ kind: "ask", request, protocol }),
    drop: (request) => send({ kind: "drop", request }),
    tell: (request, what) => send({ kind: "tell", request, what }),
    confirming: (link) => send({ kind: "confirming", link }),
    save: () => send({ kind: "save" }),
    holds: (held) => send({ kind: "holds", held }),
    report(report) {
      send({ kind: "report", report });
      if (report.kind === "ended") end();
    },
    heard: (atMs) => cells.noteFrame(atMs),
  };

  let comparison = 0;
  const recorder = new DifferenceRecorder({
    disk: realDisk,
    clock: realClock,
    path: ShardBody.dataPath(settings),
    rescan: () => follower.rescan(),
    send: (event) => send({ kind: "compare", id: comparison, event }),
  });

  const tools: FollowerTools = {
    ...{ disk: realDisk, net, clock: realClock, random: realRandom, attention: cells },
    newFlusher: (directory) =>
      threadFlusher({
        directory,
        owner: settings.owner,
        // With "batch" each Ack waits for a sync.
        givesWay: settings.sync !== "batch",
      }),
    newApplier: createApplier,
  };
  const follower = new ShardFollower(settings, host, tools, recorder);
  follower.start();
  // The first connection of a new directory may be refused for its protocol: the next one is on its way already.
  if (settings.geometry === null) dialSpare(settings.host, settings.port);

  return (command) => {
    switch (command.kind) {
      case "follow":
        throw new Error("a thread follows one shard");
      case "prepared": {
        const done = preparing;
        preparing = null;
        done?.(command.error);
        return;
      }
      case "granted":
        return follower.granted(command.request);
      case "held":
        return follower.held(command.request, command.untilMs, command.limit);
      case "vouched":
        return follower.vouched(command.link, command.lives);
      case "rescan":
        return follower.rescan();
      case "compare":
        comparison = command.id;
        recorder.start(command.differencesMax);
        return;
      case "compare-stop":
        return recorder.stop();
      case "lost":
        return follower.failed(fromPlainError(command.error));
      case "stop":
        recorder.stop();
        follower.stop();
        return;
    }
  };
}

/** Nothing keeps the thread alive after this. */
function end(): void {
  net.dropSpare();
  port?.close();
}

let commanded = (command: ShardCommand): void => {
  if (command.kind === "follow") commanded = follow(command);
  else if (command.kind === "stop") end();
};
port.on("message", (command: ShardCommand) => commanded(command));

reportCrashes((reason) => send({ kind: "crashed", reason }));
const start = workerData as ShardThreadStart;
switch (start.kind) {
  case "follow":
    commanded = follow(start);
    break;
  case "stand-by":
    dialSpare(start.host, start.port);
}
