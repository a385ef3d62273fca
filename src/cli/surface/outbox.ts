// What a program that runs on has to say, and nobody reads right now: kept in order up to a limit, written when there is
// room. What does not fit is dropped, whole lines at a time, and counted; the reader is told with the next line that fits.
// Used by streams.ts. Never waits.

import type { Clock, Timer } from "../../io/clock.ts";
import type { Outlet } from "../../io/outlet.ts";

/** Bytes that wait at most, of one stream. */
const QUEUE_BYTES_MAX = 1024 * 1024;
/** Pauses between two tries while there is no room. */
const RETRY_MS_MIN = 10;
const RETRY_MS_MAX = 200;
/** How often a reader that is not written to is looked after. */
const LOOK_MS = 1_000;

export interface OutboxOptions {
  readonly outlet: Outlet;
  readonly clock: Pick<Clock, "after">;
  /** The line that tells of dropped lines. */
  readonly notice: (lines: number) => string;
  /** The reader went away (`EPIPE`), or a write failed for good; told once. */
  readonly gone: (errno: string) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #droppedNow = 0;
  #droppedTotal = 0;
  #timer: Timer | null = null;
  #retryMs = RETRY_MS_MIN;
  #failure: string | null = null;
  #whenEmpty: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#look();
  }

  /** Lines dropped so far. */
  get droppedTotal(): number {
    return this.#droppedTotal;
  }

  /** Something waits: the reader is behind. */
  get isBehind(): boolean {
    return this.#waitingBytes > 0;
  }

  /** Takes whole lines. Returns the errno of what has ended the stream, else null. */
  write(text: string): string | null {
    if (this.#failure !== null) return this.#failure;
    const notice = this.#droppedNow > 0 ? this.#options.notice(this.#droppedNow) : "";
    const bytes = Buffer.from(notice + text, "utf8");
    if (this.isBehind && this.#waitingBytes + bytes.length > QUEUE_BYTES_MAX) {
      const lines = text.split("\n").length - 1;
      this.#droppedNow += lines;
      this.#droppedTotal += lines;
      return null;
    }
    this.#droppedNow = 0;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#timer === null) this.#pump();
    return this.#failure;
  }

  /** Resolves when nothing waits any more, at the latest after so long. */
  async finish(withinMs: number): Promise<void> {
    if (!this.isBehind || this.#failure !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenEmpty.push(resolve);
    const deadline = this.#options.clock.after(withinMs, resolve);
    await promise;
    deadline.cancel();
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting[0] as Uint8Array;
      const taken = this.#options.outlet.write(bytes);
      if (typeof taken === "string") return this.#fail(taken);
      if (taken === 0) return this.#tryLater();
      this.#retryMs = RETRY_MS_MIN;
      this.#waitingBytes -= taken;
      if (taken < bytes.length) this.#waiting[0] = bytes.subarray(taken);
      else this.#waiting.shift();
    }
    for (const run of this.#whenEmpty.splice(0)) run();
  }

  #tryLater(): void {
    this.#timer = this.#options.clock.after(this.#retryMs, () => {
      this.#timer = null;
      this.#pump();
    });
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
  }

  /** Without a write nothing would show that the reader went away. */
  #look(): void {
    this.#options.clock.after(LOOK_MS, () => {
      if (this.#failure !== null) return;
      if (this.#options.outlet.isGone()) this.#fail("EPIPE");
      else this.#look();
    });
  }

  #fail(errno: string): void {
    this.#failure = errno;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const run of this.#whenEmpty.splice(0)) run();
    this.#options.gone(errno);
  }
}
