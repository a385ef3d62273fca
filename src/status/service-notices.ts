// What the service manager is told (sd_notify): READY=1 when every shard has caught up and is durable,
// STATUS= as it changes, WATCHDOG=1 for as long as every shard's thread is heard of, STOPPING=1. Used by follower-services.ts.
// Promises: no timer alone feeds the watchdog: one thread that is stuck, and the service is started again.

import type { Clock } from "../io/clock.ts";
import type { NoticeSocket } from "../io/notify.ts";
import { Timers } from "../io/timers.ts";
import { statusLine } from "./status-line.ts";
import { SILENT_THREAD_MS } from "./status-report.ts";
import type { StatusDocument } from "./status-types.ts";

export interface ServiceNoticesOptions {
  readonly socket: NoticeSocket;
  readonly clock: Clock;
  /** Within which the manager wants to hear of us; null: it does not watch. */
  readonly watchdogMs: number | null;
  status(): StatusDocument;
}

/** What the manager has put into our environment. */
export interface ManagerWishes {
  /** Name of its socket. */
  readonly socket: string;
  readonly watchdogMs: number | null;
}

const TICK_MS = 1_000;
/** Fed so many times in the manager's interval. */
const FEEDS_PER_WATCHDOG = 3;

/** NOTIFY_SOCKET and WATCHDOG_USEC; null when no manager wants to hear. */
export function managerWishes(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): ManagerWishes | null {
  const socket = env["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "") return null;
  const watchdogPid = env["WATCHDOG_PID"];
  const microseconds = env["WATCHDOG_USEC"] ?? "";
  const isForUs = watchdogPid === undefined || watchdogPid === String(pid);
  const isSet = isForUs && /^\d{1,15}$/.test(microseconds) && microseconds !== "0";
  return { socket, watchdogMs: isSet ? Number(microseconds) / 1000 : null };
}

export class ServiceNotices {
  readonly #options: ServiceNoticesOptions;
  readonly #timers: Timers<"tick">;
  readonly #tickMs: number;
  #isReady = false;
  #readySent = false;
  #stoppingSent = false;
  #statusSent = "";
  #fedAtMs: number;

  constructor(options: ServiceNoticesOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    const { watchdogMs } = options;
    this.#tickMs =
      watchdogMs === null ? TICK_MS : Math.min(TICK_MS, watchdogMs / FEEDS_PER_WATCHDOG);
    this.#fedAtMs = options.clock.nowMs();
  }

  start(): void {
    this.#tick();
  }

  /** Every shard has caught up and is durable. */
  ready(): void {
    this.#isReady = true;
    this.#say();
  }

  stopping(): void {
    if (this.#stoppingSent) return;
    this.#stoppingSent = true;
    this.#options.socket.send("STOPPING=1\nSTATUS=stopping: closing every shard in good order");
  }

  close(): void {
    this.#timers.stop();
    this.#options.socket.close();
  }

  #tick(): void {
    this.#say();
    this.#timers.set("tick", this.#tickMs, () => this.#tick());
  }

  /** What could not be sent is sent with the next tick: the manager reads when it likes. */
  #say(): void {
    const { socket, clock, watchdogMs } = this.#options;
    const status = this.#options.status();
    const line = statusLine(status);
    const words: string[] = [];
    if (this.#isReady && !this.#readySent) words.push("READY=1");
    if (line !== this.#statusSent && !this.#stoppingSent) words.push(`STATUS=${line}`);
    const nowMs = clock.nowMs();
    const isDue =
      watchdogMs !== null && nowMs - this.#fedAtMs >= watchdogMs / FEEDS_PER_WATCHDOG - 1;
    const isFed = isDue && isHeardOf(status);
    if (isFed) words.push("WATCHDOG=1");
    if (words.length === 0 || socket.send(words.join("\n")) !== null) return;
    this.#readySent = this.#isReady;
    if (!this.#stoppingSent) this.#statusSent = line;
    if (isFed) this.#fedAtMs = nowMs;
  }
}

/** Every shard's thread has spoken lately, or is over. */
function isHeardOf({ shards }: StatusDocument): boolean {
  return shards.every(
    ({ state, silentMs }) =>
      state === "failed" || state === "stopped" || (silentMs ?? 0) < SILENT_THREAD_MS,
  );
}
