// Everything by which a running follower shows itself: the control socket in DIR, HTTP, and the service manager. Used by
// commands/replicate.ts, which says when the directory is locked, when all is ready, and when it ends.
// Promises: shows and never decides; the socket is made only under the directory's lock and is gone before it.

import { resolve } from "node:path";
import { ArmdbError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { ControlSockets } from "../io/control-socket.ts";
import type { Net } from "../io/net.ts";
import type { NoticeSocket } from "../io/notify.ts";
import type { ProcessSaid } from "./metrics.ts";
import type { Supervisor } from "../replica/supervisor.ts";
import { type Address, isLoopback } from "../io/address.ts";
import { asciiJson } from "./ascii-json.ts";
import { type CompareOrder, readCompareOrder } from "./compare-order.ts";
import { type Answer, ControlServer, type Handler, type RequestFields } from "./control-server.ts";
import { FollowerCompareRun } from "./follower-compare.ts";
import { httpAnswer } from "./http-routes.ts";
import { HttpServer } from "./http-server.ts";
import { type ManagerWishes, ServiceNotices } from "./service-notices.ts";
import type { StatusSource } from "./status-source.ts";

export interface FollowerServicesOptions {
  readonly source: StatusSource;
  readonly supervisor: Pick<Supervisor, "compare" | "geometry">;
  readonly clock: Clock;
  readonly net: Net;
  readonly sockets: ControlSockets;
  readonly dir: string;
  /** Null: no HTTP. */
  readonly http: Address | null;
  readonly maxLagMs: number;
  /** Null: no manager wants to hear. */
  readonly manager: ManagerWishes | null;
  openNoticeSocket(name: string): NoticeSocket;
  process(): ProcessSaid;
  readonly build: { readonly version: string; readonly commit: string };
  info(text: string): void;
  warn(text: string): void;
  /** HTTP is served at `host:port`. */
  listening(at: string): void;
}

export class FollowerServices {
  readonly #options: FollowerServicesOptions;
  #http: HttpServer | null = null;
  #control: ControlServer | null = null;
  #notices: ServiceNotices | null = null;
  #comparison: FollowerCompareRun | null = null;

  constructor(options: FollowerServicesOptions) {
    this.#options = options;
  }

  /** Serves HTTP, if it is wanted, and speaks to the service manager, if there is one. Throws `usage`. Done once. */
  listen(): void {
    const { http, net, clock, source, manager, maxLagMs, build, dir } = this.#options;
    if (http !== null && this.#http === null) {
      const facts = {
        status: () => source.document(),
        process: () => this.#options.process(),
        identity: { version: build.version, commit: build.commit, directory: resolve(dir) },
        maxLagMs,
      };
      const route = (path: string) => httpAnswer(path, facts);
      this.#http = new HttpServer({ net, clock, ...http, route });
      this.#sayWhere(this.#http.at, http.host);
    }
    if (manager !== null && this.#notices === null) this.#speakTo(manager);
  }

  /** A manager that cannot be spoken to is no reason not to follow. */
  #speakTo({ socket: name, watchdogMs }: ManagerWishes): void {
    const { clock, source, warn } = this.#options;
    let socket: NoticeSocket;
    try {
      socket = this.#options.openNoticeSocket(name);
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      warn(thrown.message);
      return;
    }
    const status = () => source.document();
    this.#notices = new ServiceNotices({ socket, clock, watchdogMs, status });
    this.#notices.start();
  }

  #sayWhere(at: string, host: string): void {
    const { info, warn, listening } = this.#options;
    listening(at);
    info(`Metrics and health at http://${at}/metrics, /health, /ready, /status.json`);
    if (!isLoopback(host)) {
      warn(
        `Whoever reaches ${at} can read the state of this follower: there is no password and no encryption`,
      );
    }
  }

  /**
   * The directory is locked: makes the control socket, for `owner` (null: us). Throws `storage`, but not where the
   * file system holds no sockets.
   */
  locked(owner: { readonly uid: number; readonly gid: number } | null): void {
    const { sockets, clock, dir, warn } = this.#options;
    const handlers = new Map<string, Handler>([
      ["status", (_fields, answer) => this.#answerStatus(answer)],
      ["compare", (fields, answer) => this.#compare(fields, answer)],
    ]);
    try {
      this.#control = new ControlServer({ sockets, clock, dir, owner, handlers, warn });
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError) || !isWithoutSockets(thrown)) throw thrown;
      this.#options.warn(`${thrown.message}: armdb status will know what the files say, no more`);
    }
  }

  /** Every shard has caught up and is durable. */
  ready(): void {
    this.#notices?.ready();
  }

  stopping(): void {
    this.#options.source.stopping = true;
    this.#notices?.stopping();
  }

  /** Takes everything down. */
  close(): void {
    this.#comparison?.stop();
    this.#comparison = null;
    this.#control?.stop();
    this.#http?.stop();
    this.#notices?.close();
    this.#control = null;
    this.#http = null;
    this.#notices = null;
  }

  #answerStatus(answer: Answer): () => void {
    answer.finish([`${asciiJson(this.#options.source.document())}\n`]);
    return () => {};
  }

  #compare(fields: RequestFields, answer: Answer): () => void {
    if (this.#comparison !== null) {
      throw new ArmdbError("unknown", "Cannot compare: another comparison is under way here", {
        hint: "try again when it is over",
      });
    }
    const comparison = new FollowerCompareRun({
      supervisor: this.#options.supervisor,
      clock: this.#options.clock,
      order: this.#orderOf(fields),
      progress: (shards) => answer.progress({ type: "progress", shards }),
      done: (done) => {
        this.#comparison = null;
        answer.finish(done.document());
      },
    });
    this.#comparison = comparison;
    comparison.start();
    return () => {
      comparison.stop();
      if (this.#comparison === comparison) this.#comparison = null;
    };
  }

  #orderOf(fields: RequestFields): CompareOrder {
    const { supervisor, source } = this.#options;
    const shardCount = supervisor.geometry?.shardCount;
    if (shardCount === undefined) {
      throw new ArmdbError("unknown", "Cannot compare: the leader has not been reached yet", {
        hint: "armdb status DIR",
      });
    }
    return readCompareOrder(fields, { leader: source.leader, shardCount });
  }
}

/** Some file systems (FAT, some of FUSE) hold no sockets: no reason not to follow. */
const WITHOUT_SOCKETS: ReadonlySet<string> = new Set([
  "EPERM",
  "EOPNOTSUPP",
  "ENOTSUP",
  "EINVAL",
  "ENOSYS",
]);

function isWithoutSockets(error: ArmdbError): boolean {
  const { cause } = error.details;
  return cause instanceof Error && WITHOUT_SOCKETS.has((cause as NodeJS.ErrnoException).code ?? "");
}
