// Cuts a byte stream into frames. Does no I/O and keeps no clock: it says when a frame is begun and unfinished, and
// its owner sets the deadline. Frames that lie whole inside a chunk are handed on as views of it; only a frame that
// crosses chunks is copied. The header is checked before a byte of payload is kept.
//
//   [type u8][len u32][payload]      invariant: #held < the bytes of the frame that is being put together

import { viewOf } from "../bytes.ts";
import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX } from "../limits.ts";
import { type FrameType, isFrameType } from "./messages.ts";

/** Why the bytes are not this protocol. */
export interface FrameProblem {
  readonly fault: "unknown-type" | "too-long";
  readonly type: number;
  readonly payloadBytes: number;
}

/** Takes one frame; the payload is only valid during the call. Returns false to stop (the link was closed). */
export type FrameHandler = (type: FrameType, payload: Uint8Array) => boolean;

export class FrameDecoder {
  #buffer = new Uint8Array(4096);
  #held = 0;
  #stopped = false;

  /** True when the first bytes of a frame are here and its last are not. */
  get midFrame(): boolean {
    return this.#held > 0;
  }

  /** Feeds bytes as they came; calls `handle` for each whole frame. Returns the problem that ended it, or null. */
  push(chunk: Uint8Array, handle: FrameHandler): FrameProblem | null {
    let rest = chunk;
    if (this.#held > 0) {
      const problem = this.#complete(rest, handle);
      if (typeof problem === "object") return problem;
      rest = rest.subarray(problem);
    }
    const view = viewOf(rest);
    let start = 0;
    while (!this.#stopped && rest.length - start >= FRAME_HEADER_BYTES) {
      const type = rest[start] ?? 0;
      const payloadBytes = view.getUint32(start + 1, true);
      const problem = headerProblem(type, payloadBytes);
      if (problem !== null) return problem;
      const end = start + FRAME_HEADER_BYTES + payloadBytes;
      if (end > rest.length) break;
      if (!handle(type as FrameType, rest.subarray(start + FRAME_HEADER_BYTES, end))) {
        this.#stopped = true;
      }
      start = end;
    }
    if (!this.#stopped && start < rest.length) return this.#keep(rest.subarray(start));
    return null;
  }

  /** Puts together the frame that an earlier chunk began; returns how many bytes of `chunk` it took. */
  #complete(chunk: Uint8Array, handle: FrameHandler): number | FrameProblem {
    let taken = 0;
    if (this.#held < FRAME_HEADER_BYTES) {
      taken = Math.min(FRAME_HEADER_BYTES - this.#held, chunk.length);
      const problem = this.#keep(chunk.subarray(0, taken));
      if (problem !== null) return problem;
      if (this.#held < FRAME_HEADER_BYTES) return taken;
    }
    const payloadBytes = viewOf(this.#buffer).getUint32(1, true);
    const frameBytes = FRAME_HEADER_BYTES + payloadBytes;
    const more = Math.min(frameBytes - this.#held, chunk.length - taken);
    if (frameBytes > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(frameBytes, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#held));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk.subarray(taken, taken + more), this.#held);
    this.#held += more;
    taken += more;
    if (this.#held < frameBytes) return taken;
    this.#held = 0;
    const type = this.#buffer[0] as FrameType;
    if (!handle(type, this.#buffer.subarray(FRAME_HEADER_BYTES, frameBytes))) this.#stopped = true;
    return taken;
  }

  /** Keeps the beginning of a frame, having checked its header as far as it is here. */
  #keep(bytes: Uint8Array): FrameProblem | null {
    if (this.#held + bytes.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#held + bytes.length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#held));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#held);
    this.#held += bytes.length;
    const type = this.#buffer[0] ?? 0;
    if (this.#held < FRAME_HEADER_BYTES) return headerProblem(type, 0);
    return headerProblem(type, viewOf(this.#buffer).getUint32(1, true));
  }
}

function headerProblem(type: number, payloadBytes: number): FrameProblem | null {
  if (!isFrameType(type)) return { fault: "unknown-type", type, payloadBytes };
  if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX) return { fault: "too-long", type, payloadBytes };
  return null;
}
