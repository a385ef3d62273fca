// Assembles, for `armdb replicate`, everything by which a follower shows itself (src/status): the control socket, HTTP, the
// service manager, SIGUSR1. Only wires; what is shown is decided there.

import { controlSockets } from "../../io/control-socket.ts";
import { openNoticeSocket } from "../../io/notify.ts";
import { processFigures } from "../../io/process-figures.ts";
import { onUserSignal } from "../../io/user-signal.ts";
import type { SyncPolicy } from "../../replica/follower-types.ts";
import type { Supervisor } from "../../replica/supervisor.ts";
import { FollowerServices } from "../../status/follower-services.ts";
import { parseHttpAddress } from "../../io/address.ts";
import { managerWishes } from "../../status/service-notices.ts";
import { StatusSource } from "../../status/status-source.ts";
import { ownerLikeDatabase } from "../../store/ownership.ts";
import type { FollowerState } from "../../store/state-file.ts";
import { buildFacts } from "../build.ts";
import type { Context } from "../command.ts";
import { statusLines } from "../render/status.ts";

export interface FollowerPlace {
  readonly host: string;
  readonly port: number;
  readonly dir: string;
  readonly connectionsPerDay: number | null;
  readonly sync: SyncPolicy;
  /** The state file as the run before left it. */
  readonly found: FollowerState | null;
}

/** The services of one follower, from before its start to its end. */
export class FollowerFace {
  readonly #context: Context;
  readonly #dir: string;
  readonly #services: FollowerServices;
  readonly #source: StatusSource;
  readonly #stopSignal: () => void;

  /** Throws `usage` for an --http that is no address. */
  constructor(context: Context, place: FollowerPlace, supervisor: Supervisor) {
    const { args, clock, net, env, messages, out, json } = context;
    const { dir } = place;
    this.#context = context;
    this.#dir = dir;
    const http = args.text("http");
    const { pid } = process;
    this.#source = new StatusSource({ ...place, supervisor, clock, pid });
    this.#services = new FollowerServices({
      ...{ source: this.#source, supervisor, clock, net, dir, openNoticeSocket },
      sockets: controlSockets(net),
      http: http === null ? null : parseHttpAddress(http),
      maxLagMs: args.durationMs("max-lag") ?? Number.POSITIVE_INFINITY,
      manager: managerWishes(env, pid),
      process: () => ({ ...processFigures(), droppedLines: context.droppedLines() }),
      build: buildFacts(),
      info: (text) => messages.info(text),
      warn: (text) => messages.warn(text),
      listening: (at) => {
        if (json) out.json({ schema: 1, type: "http", at });
      },
    });
    this.#stopSignal = onUserSignal(() => this.#print());
  }

  /** Serves HTTP and speaks to the service manager. Throws `usage` when the address is taken. */
  listen(): void {
    this.#services.listen();
  }

  /** The directory is locked and ours. Throws `storage` when the socket cannot be made. */
  locked(): void {
    const owner = ownerLikeDatabase(this.#context.disk, this.#dir);
    this.#services.locked(owner.uid === null ? null : owner);
    this.#services.listen();
  }

  ready(): void {
    this.#services.ready();
  }

  stopping(): void {
    this.#services.stopping();
  }

  /** Before the lock is given back. */
  close(): void {
    this.#stopSignal();
    this.#services.close();
  }

  /** SIGUSR1. */
  #print(): void {
    const { messages } = this.#context;
    const { palette, columns } = messages;
    const style = { palette, columns, dir: this.#dir };
    for (const line of statusLines(this.#source.document(), style)) messages.info(line);
  }
}
