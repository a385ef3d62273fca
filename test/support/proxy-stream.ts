// One direction of a proxied connection: a queue, and a plan of what goes wrong in it.

import { FRAME_HEADER_BYTES } from "../../src/limits.ts";

/** What happens to one direction. Offsets count the bytes that came in, from 0. */
export interface StreamPlan {
  /** After this many bytes the connection ends as `cut` says, `fin` unless told. */
  readonly cutAtByte?: number;
  /** half-open: nothing passes any more, in either direction, and both sockets stay. */
  readonly cut?: "fin" | "reset" | "half-open";
  /** Bytes a second; 1 drips. */
  readonly bytesPerSecond?: number;
  /** Each piece waits this long. */
  readonly delayMs?: number;
  /** Pieces are gathered for this long and go out as one. */
  readonly coalesceMs?: number;
  /** The sender's orderly end is handed on so much later than its last byte. */
  readonly finishDelayMs?: number;
  /** Each write carries at most this many bytes, in order. */
  readonly pieceBytesMax?: number;
  /** One byte of the stream gets this xor mask (1 unless told). */
  readonly flipAtByte?: number;
  readonly flipMask?: number;
  /** The frame of this number (from 0) is sent twice. */
  readonly replayFrame?: number;
}

/** Where a stream's bytes go. `write` returns what was taken, as Bun's sockets do. */
export interface StreamOutlet {
  write(bytes: Uint8Array): number;
  /** All is out and the sender said FIN. */
  finished(): void;
  cut(kind: "fin" | "reset" | "half-open"): void;
}

/** A stream that waits for more than this is a test gone wrong. */
const QUEUE_BYTES_MAX = 1024 * 1024 * 1024;

export class PlannedStream {
  readonly #plan: StreamPlan;
  readonly #outlet: StreamOutlet;
  readonly #replay: FrameReplay | null;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #in = 0;
  #cutPending = false;
  #finishing = false;
  #frozen = false;
  #held = false;
  #waiting = 0;
  #gather: Uint8Array[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(plan: StreamPlan, outlet: StreamOutlet) {
    this.#plan = plan;
    this.#outlet = outlet;
    this.#replay = plan.replayFrame === undefined ? null : new FrameReplay(plan.replayFrame);
  }

  /** Bytes from the sender. */
  push(chunk: Uint8Array): void {
    if (this.#frozen || this.#cutPending) return;
    const bytes = this.#bend(chunk);
    const ready = this.#replay === null ? bytes : this.#replay.pass(bytes);
    const { coalesceMs, delayMs } = this.#plan;
    if (coalesceMs !== undefined) {
      this.#gather.push(ready);
      if (this.#gather.length > 1) return;
      this.#later(coalesceMs, () => {
        const joined = new Uint8Array(Buffer.concat(this.#gather));
        this.#gather = [];
        this.#enqueue(joined);
      });
    } else if (delayMs !== undefined) this.#later(delayMs, () => this.#enqueue(ready));
    else this.#enqueue(ready);
  }

  /** The sender said FIN: passed on after the bytes. */
  finish(): void {
    const { finishDelayMs = 0 } = this.#plan;
    if (finishDelayMs === 0) return this.#finish();
    const timer = setTimeout(() => this.#finish(), finishDelayMs);
    this.#timers.add(timer);
  }

  #finish(): void {
    this.#finishing = true;
    this.pump();
  }

  /** Nothing passes any more. */
  freeze(): void {
    this.#frozen = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  /** Nothing passes until `release`: the bytes wait, as on a network that stands still. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.pump();
  }

  /** Writes what the outlet takes, at the planned pace. */
  pump(): void {
    if (this.#held) return;
    while (!this.#frozen && this.#queue.length > 0 && this.#timers.size === this.#waiting) {
      const head = this.#queue[0] as Uint8Array;
      const limit = this.#plan.bytesPerSecond === undefined ? this.#plan.pieceBytesMax : 1;
      const piece = limit === undefined ? head : head.subarray(0, limit);
      const taken = this.#outlet.write(piece);
      if (taken <= 0) return;
      this.#queuedBytes -= taken;
      if (taken < head.length) this.#queue[0] = head.subarray(taken);
      else this.#queue.shift();
      if (this.#plan.bytesPerSecond !== undefined) {
        this.#pace(1000 / this.#plan.bytesPerSecond);
        return;
      }
      if (taken < piece.length) return;
    }
    if (this.#frozen || this.#queue.length > 0 || this.#waiting > 0) return;
    if (this.#cutPending) this.#outlet.cut(this.#plan.cut ?? "fin");
    else if (this.#finishing) this.#outlet.finished();
  }

  #bend(chunk: Uint8Array): Uint8Array {
    const start = this.#in;
    this.#in += chunk.length;
    const { cutAtByte, flipAtByte } = this.#plan;
    let bytes = chunk;
    if (flipAtByte !== undefined && flipAtByte >= start && flipAtByte < this.#in) {
      bytes = chunk.slice();
      const index = flipAtByte - start;
      bytes[index] = (bytes[index] ?? 0) ^ (this.#plan.flipMask ?? 1);
    }
    if (cutAtByte !== undefined && this.#in >= cutAtByte) {
      this.#cutPending = true;
      bytes = bytes.subarray(0, Math.max(0, cutAtByte - start));
    }
    return bytes;
  }

  #enqueue(bytes: Uint8Array): void {
    if (this.#frozen) return;
    if (bytes.length > 0) this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > QUEUE_BYTES_MAX) throw new Error("the proxy's queue is full");
    this.pump();
  }

  /** Delays one piece; order is kept, as all delays of a stream are equal. */
  #later(ms: number, run: () => void): void {
    this.#waiting++;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#waiting--;
      run();
    }, ms);
    this.#timers.add(timer);
  }

  /** Holds the queue for a moment. */
  #pace(ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.pump();
    }, ms);
    this.#timers.add(timer);
  }
}

/** Sends one frame of a stream a second time, right behind itself. */
class FrameReplay {
  readonly #frame: number;
  #seen = 0;
  #held: Uint8Array = new Uint8Array(0);

  constructor(frame: number) {
    this.#frame = frame;
  }

  /** Passes whole frames; the rest of a chunk waits for its end. */
  pass(chunk: Uint8Array): Uint8Array {
    const all = new Uint8Array(Buffer.concat([this.#held, chunk]));
    const out: Uint8Array[] = [];
    let start = 0;
    while (all.length - start >= FRAME_HEADER_BYTES) {
      const payloadBytes = new DataView(all.buffer, start).getUint32(1, true);
      const end = start + FRAME_HEADER_BYTES + payloadBytes;
      if (end > all.length) break;
      const frame = all.subarray(start, end);
      out.push(frame);
      if (this.#seen === this.#frame) out.push(frame);
      this.#seen++;
      start = end;
    }
    this.#held = all.slice(start);
    return new Uint8Array(Buffer.concat(out));
  }
}
