// Cuts a byte stream into frames. Does no I/O and keeps no clock: it says when a frame is begun and unfinished, and
// its owner sets the deadline. Frames that lie whole inside a chunk are handed on as views of it; only a frame that
// crosses chunks is copied. The header is checked before a byte of payload is kept.
//
//   [type u8][len u32][payload]      invariant: #held < the bytes of the frame that is being put together

import { copyTail, readU32 } from "../bytes.ts";
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
  /** Where the payload of a small frame lies that came alone. */
  #small = new Uint8Array(0);
  #stopped = false;

  /** True when the first bytes of a frame are here and its last are not. */
  get midFrame(): boolean {
    return this.#held > 0;
  }

  /** Feeds bytes as they came; calls `handle` for each whole frame. Returns the problem that ended it, or null. */
  push(chunk: Uint8Array, handle: FrameHandler): FrameProblem | null {
    if (this.#held === 0 && isSmallFrame(chunk)) return this.#takeSmall(chunk, handle);
    let rest = chunk;
    if (this.#held > 0) {
      const problem = this.#complete(rest, handle);
      if (typeof problem === "object") return problem;
      rest = rest.subarray(problem);
    }
    let start = 0;
    while (!this.#stopped && rest.length - start >= FRAME_HEADER_BYTES) {
      const type = rest[start] ?? 0;
      const payloadBytes = readU32(rest, start + 1);
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

  /** Takes a chunk that is one frame, and leaves no view of it for the collector. */
  #takeSmall(chunk: Uint8Array, handle: FrameHandler): FrameProblem | null {
    const type = chunk[0] as number;
    const payloadBytes = chunk.length - FRAME_HEADER_BYTES;
    const problem = headerProblem(type, payloadBytes);
    if (problem !== null || this.#stopped) return problem;
    if (this.#small.length !== payloadBytes) this.#small = new Uint8Array(payloadBytes);
    copyTail(chunk, FRAME_HEADER_BYTES, this.#small, 0);
    if (!handle(type as FrameType, this.#small)) this.#stopped = true;
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
    const payloadBytes = readU32(this.#buffer, 1);
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
    return headerProblem(type, readU32(this.#buffer, 1));
  }
}

/** Up to this many bytes, which is what one event of a live stream mostly has. */
const SMALL_FRAME_BYTES = 512;

/** True for exactly one whole frame, whatever its type. */
function isSmallFrame(chunk: Uint8Array): boolean {
  if (chunk.length < FRAME_HEADER_BYTES || chunk.length > SMALL_FRAME_BYTES) return false;
  return readU32(chunk, 1) === chunk.length - FRAME_HEADER_BYTES;
}

function headerProblem(type: number, payloadBytes: number): FrameProblem | null {
  if (!isFrameType(type)) return { fault: "unknown-type", type, payloadBytes };
  if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX) return { fault: "too-long", type, payloadBytes };
  return null;
}
