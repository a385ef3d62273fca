// What passes between the thread of a shard and the supervisor's, and the shard's end of it: commands come in, and what the follower
// asks and reports goes out. Used by shard-thread.ts, and by simulations that run all shards in one thread.

import { fromPlainError, type PlainError } from "../../errors.ts";
import type { HeldShard } from "../../store/held-files.ts";
import type { ProtocolVersion, ShardInfo } from "../../wire/messages.ts";
import type { CompareEvent } from "../compare/compare-types.ts";
import type { FollowerHost, FollowerReport, ShardSnapshot } from "../follower-types.ts";
import type { ShardFollower } from "../shard-follower.ts";

/** Supervisor to shard. `prepared` answers the last request of that kind. */
export type ShardCommand =
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
  | { readonly kind: "confirming"; readonly link: number; readonly caughtUpAtMs: number }
  | { readonly kind: "gone"; readonly link: number; readonly isToldSo: boolean }
  | { readonly kind: "save"; readonly snapshot: ShardSnapshot }
  /** Its files are open. */
  | { readonly kind: "holds"; readonly held: HeldShard }
  | { readonly kind: "compare"; readonly id: number; readonly event: CompareEvent }
  /** A bug of ours: the thread ends, and is started again. */
  | { readonly kind: "crashed"; readonly reason: string };

/** A follower whose supervisor is in another thread. `heard` is told of each frame, in this one. */
export class ShardPort {
  readonly host: FollowerHost;
  readonly #send: (message: ShardMessage) => void;
  #prepared: ((error: PlainError | null) => void) | null = null;

  constructor(send: (message: ShardMessage) => void, heard: (atMs: number) => void) {
    this.#send = send;
    this.host = {
      heard,
      prepare: (info, done) => {
        this.#prepared = done;
        send({ kind: "prepare", info });
      },
      learned: (info, protocol) => send({ kind: "learned", info, protocol }),
      ask: (request, protocol) => send({ kind: "ask", request, protocol }),
      drop: (request) => send({ kind: "drop", request }),
      tell: (request, what) => send({ kind: "tell", request, what }),
      confirming: (link, caughtUpAtMs) => send({ kind: "confirming", link, caughtUpAtMs }),
      gone: (link, isToldSo) => send({ kind: "gone", link, isToldSo }),
      save: (snapshot) => send({ kind: "save", snapshot }),
      holds: (held) => send({ kind: "holds", held }),
      report: (report) => send({ kind: "report", report }),
    };
  }

  /** Has the follower do what its supervisor said. */
  take(follower: ShardFollower, command: ShardCommand): void {
    switch (command.kind) {
      case "prepared": {
        const done = this.#prepared;
        this.#prepared = null;
        return done?.(command.error);
      }
      case "granted":
        return follower.granted(command.request);
      case "held":
        return follower.held(command.request, command.untilMs, command.limit);
      case "vouched":
        return follower.vouched(command.link, command.lives);
      case "rescan":
        return follower.rescan();
      case "compare": {
        const { id, differencesMax } = command;
        return follower.compare(differencesMax, (event) =>
          this.#send({ kind: "compare", id, event }),
        );
      }
      case "compare-stop":
        return follower.stopComparing();
      case "lost":
        return follower.failed(fromPlainError(command.error));
      case "stop":
        return follower.stop();
    }
  }
}
