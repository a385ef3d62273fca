// The frame decoder: the same frames however the bytes are cut, and an end at the first byte that cannot be right.

import { describe, expect, test } from "bun:test";
import { toHex } from "../../src/bytes.ts";
import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX } from "../../src/limits.ts";
import { FrameDecoder, type FrameProblem } from "../../src/wire/frame-decoder.ts";
import {
  encodeAck,
  encodeErrorFrame,
  encodeHeartbeat,
  FRAME_SLOT_BATCH,
  type FrameType,
  newFrame,
} from "../../src/wire/messages.ts";
import { Dice } from "../support/dice.ts";

const SEEDS = 200;

interface Seen {
  readonly frames: string[];
  readonly problem: FrameProblem | null;
}

/** Feeds chunks, each in a buffer of its own that is overwritten afterwards; frames as `type:hex`. */
function decode(chunks: readonly Uint8Array[]): Seen {
  const decoder = new FrameDecoder();
  const frames: string[] = [];
  for (const chunk of chunks) {
    const buffer = chunk.slice();
    const problem = decoder.push(buffer, (type, payload) => {
      frames.push(`${type}:${toHex(payload)}`);
      return true;
    });
    // A socket's buffer is used again: nothing of it may be kept.
    buffer.fill(0xaa);
    if (problem !== null) return { frames, problem };
  }
  expect(decoder.midFrame).toBe(false);
  return { frames, problem: null };
}

function pieces(bytes: Uint8Array, next: () => number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = Math.min(bytes.length, start + next());
    chunks.push(bytes.subarray(start, end));
    start = end;
  }
  return chunks;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A batch frame of this many payload bytes, each its own. */
function batchOf(payloadBytes: number): Uint8Array {
  const frame = newFrame(FRAME_SLOT_BATCH, payloadBytes);
  for (let index = 0; index < payloadBytes; index++) {
    frame[FRAME_HEADER_BYTES + index] = (index * 31) & 0xff;
  }
  return frame;
}

// As a Uint8Array: what a Buffer calls a slice is no copy.
const STREAM = joined([
  encodeHeartbeat(),
  encodeHeartbeat(),
  batchOf(1),
  encodeAck({ shardId: 1, appliedCount: 2n, maxVersionSeen: 3 }),
  batchOf(4091),
  batchOf(4092),
  encodeErrorFrame(""),
  batchOf(20_000),
  encodeErrorFrame("shard already streaming"),
  encodeHeartbeat(),
]);

describe("FrameDecoder", () => {
  const whole = decode([STREAM]);

  test("finds all frames of one chunk", () => {
    expect(whole.problem).toBeNull();
    expect(whole.frames.map((frame) => frame.split(":")[0])).toEqual(
      "6 6 3 5 3 3 255 3 255 6".split(" "),
    );
    expect(whole.frames[9]).toBe("6:");
    expect(whole.frames[7]).toBe(`3:${toHex(batchOf(20_000).subarray(FRAME_HEADER_BYTES))}`);
  });

  for (const size of [1, 2, 4, 5, 6, 4095, 4096, 4097]) {
    test(`finds the same frames in chunks of ${size}`, () => {
      expect(decode(pieces(STREAM, () => size))).toEqual(whole);
    });
  }

  test("finds the same frames cut in two, at every byte", () => {
    const short = STREAM.subarray(0, 5 + 5 + 6 + 18 + 5 + 100);
    const wanted = decodeOpen([short]);
    for (let cut = 0; cut <= short.length; cut++) {
      expect(decodeOpen([short.subarray(0, cut), short.subarray(cut)])).toEqual(wanted);
    }
  });

  test("finds the same frames in random pieces, empty ones among them", () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed);
      const chunks = pieces(STREAM, () => dice.pick([1, 3, 5, 17, 1000, 9000]) + dice.below(3));
      chunks.splice(dice.below(chunks.length), 0, new Uint8Array(0));
      expect({ seed, ...decode(chunks) }).toEqual({ seed, ...whole });
    }
  });

  test("knows whether a frame has begun", () => {
    const decoder = new FrameDecoder();
    const take = () => true;
    const frame = batchOf(3);
    expect(decoder.midFrame).toBe(false);
    for (let index = 0; index < frame.length - 1; index++) {
      decoder.push(frame.subarray(index, index + 1), take);
      expect(decoder.midFrame).toBe(true);
    }
    decoder.push(frame.subarray(frame.length - 1), take);
    expect(decoder.midFrame).toBe(false);
  });

  test("hands nothing more on once its owner says stop", () => {
    for (const chunks of [[STREAM], pieces(STREAM, () => 1)]) {
      const decoder = new FrameDecoder();
      const types: FrameType[] = [];
      for (const chunk of chunks) {
        decoder.push(chunk, (type) => {
          types.push(type);
          return types.length < 3;
        });
      }
      expect(types).toEqual([6, 6, 3]);
    }
  });

  test("takes the longest payload and refuses one byte more", () => {
    const longest = batchOf(FRAME_PAYLOAD_BYTES_MAX);
    expect(decode(pieces(longest, () => 65_536)).frames).toHaveLength(1);
    const header = newFrame(FRAME_SLOT_BATCH, 0);
    new DataView(header.buffer).setUint32(1, FRAME_PAYLOAD_BYTES_MAX + 1, true);
    expect(decode([header]).problem).toEqual({
      fault: "too-long",
      type: 3,
      payloadBytes: FRAME_PAYLOAD_BYTES_MAX + 1,
    });
  });

  const fourGib = Uint8Array.of(3, 0xff, 0xff, 0xff, 0xff);
  test("refuses 4 GiB at the fifth byte, and keeps nothing for it", () => {
    const problem = { fault: "too-long", type: 3, payloadBytes: 0xffff_ffff } as const;
    expect(decode([joined([encodeHeartbeat(), fourGib])])).toEqual({
      frames: ["6:"],
      problem,
    });
    Bun.gc(true);
    const before = process.memoryUsage();
    for (let round = 0; round < 100; round++) {
      const decoder = new FrameDecoder();
      const take = () => true;
      for (const byte of fourGib.subarray(0, 4)) {
        expect(decoder.push(Uint8Array.of(byte), take)).toBeNull();
      }
      expect(decoder.push(fourGib.subarray(4), take)).toEqual(problem);
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 1024 * 1024);
  });

  test("refuses every unknown type at its first byte", () => {
    for (let type = 0; type < 256; type++) {
      if ([1, 2, 3, 4, 5, 6, 255].includes(type)) continue;
      const problem = { fault: "unknown-type", type, payloadBytes: 0 } as const;
      expect(decode([Uint8Array.of(type)]).problem).toEqual(problem);
      const later = decode([encodeHeartbeat(), Uint8Array.of(type, 1, 0, 0, 0, 9)]);
      expect(later).toMatchObject({ frames: ["6:"], problem: { fault: "unknown-type", type } });
    }
  });

  test("finds the same problem whole and byte by byte", () => {
    for (const bad of [Uint8Array.of(72, 84, 84, 80, 47), fourGib, Uint8Array.of(0, 0, 0, 0, 0)]) {
      const bytes = joined([encodeHeartbeat(), batchOf(50), bad, new Uint8Array(100)]);
      const one = decode([bytes]);
      const many = decode(pieces(bytes, () => 1));
      expect(many.frames).toEqual(one.frames);
      expect(many.problem).toMatchObject({
        fault: one.problem?.fault ?? "none",
        type: one.problem?.type ?? -1,
      });
    }
  });
});

/** The frames of chunks that may end inside one. */
function decodeOpen(chunks: readonly Uint8Array[]): string[] {
  const decoder = new FrameDecoder();
  const frames: string[] = [];
  for (const chunk of chunks) {
    const problem = decoder.push(chunk.slice(), (type, payload) => {
      frames.push(`${type}:${toHex(payload)}`);
      return true;
    });
    expect(problem).toBeNull();
  }
  return frames;
}
