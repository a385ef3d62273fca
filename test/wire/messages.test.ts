// Each message against golden bytes, and what a payload that is too short or too long comes to.

import { describe, expect, test } from "bun:test";
import { fromHex, toHex } from "../../src/bytes.ts";
import { FRAME_HEADER_BYTES, LEADER_TEXT_CHARS_MAX } from "../../src/limits.ts";
import {
  decodeAck,
  decodeCaughtUp,
  decodeErrorText,
  decodeShardInfo,
  decodeSyncRequest,
  encodeAck,
  encodeCaughtUp,
  encodeErrorFrame,
  encodeHeartbeat,
  encodeShardInfo,
  encodeSyncRequest,
  frameName,
  isFrameType,
  versionMismatchLeader,
  versionMismatchText,
} from "../../src/wire/messages.ts";

const bytesOf = (hex: string) => fromHex(hex) as Uint8Array;

const SHARD_INFO = {
  shardCount: 4,
  keyLen: 16,
  valueLen: 1000,
  slotSize: 1024,
  slotCount: 0xfffe_fdfc,
  shardPrefixBits: 12,
};

/** One row a message: its value, its frame in hex, how it is made and read. */
const MESSAGES = [
  {
    name: "SyncRequest",
    value: { shardId: 7, protocolVersion: 2, flags: 1 },
    hex: "01" + "03000000" + "07" + "02" + "01",
    encode: encodeSyncRequest,
    decode: decodeSyncRequest,
  },
  {
    name: "ShardInfo",
    value: SHARD_INFO,
    hex: "02" + "0c000000" + "04" + "1000" + "e803" + "0004" + "fcfdfeff" + "0c",
    encode: encodeShardInfo,
    decode: decodeShardInfo,
  },
  {
    name: "CaughtUp",
    value: { shardId: 3, totalScanned: 2n ** 64n - 2n },
    hex: "04" + "09000000" + "03" + "feffffffffffffff",
    encode: encodeCaughtUp,
    decode: decodeCaughtUp,
  },
  {
    name: "Ack",
    value: { shardId: 9, appliedCount: 0x0102_0304_0506_0708n, maxVersionSeen: 0x3fff_ffff },
    hex: "05" + "0d000000" + "09" + "0807060504030201" + "ffffff3f",
    encode: encodeAck,
    decode: decodeAck,
  },
] as const;

for (const { name, value, hex, encode, decode } of MESSAGES) {
  // Each row's own pair; the union of them has no common argument.
  const encoded = (encode as (message: unknown) => Uint8Array)(value);
  const payload = bytesOf(hex).subarray(FRAME_HEADER_BYTES);

  describe(name, () => {
    test("encodes to its golden frame", () => {
      expect(toHex(encoded)).toBe(hex);
    });

    test("decodes from its golden payload", () => {
      expect(decode(payload)).toEqual(value);
    });

    test("is null when any byte is missing, and takes no notice of more", () => {
      for (let length = 0; length < payload.length; length++) {
        expect(decode(payload.subarray(0, length))).toBeNull();
      }
      const longer = new Uint8Array(payload.length + 40).fill(0xff);
      longer.set(payload);
      expect(decode(longer)).toEqual(value);
    });

    test("is read from a view as from its copy", () => {
      const around = new Uint8Array(payload.length + 7).fill(0xaa);
      around.set(payload, 3);
      expect(decode(around.subarray(3, 3 + payload.length))).toEqual(value);
    });
  });
}

describe("Heartbeat", () => {
  test("is a header alone", () => {
    expect(toHex(encodeHeartbeat())).toBe("0600000000");
  });
});

describe("Error", () => {
  test("encodes its text in UTF-8", () => {
    expect(toHex(encodeErrorFrame("né"))).toBe("ff" + "03000000" + "6ec3a9");
    expect(decodeErrorText(bytesOf("6ec3a9"))).toBe("né");
  });

  test("with broken UTF-8 is read all the same", () => {
    expect(decodeErrorText(bytesOf("61ff62c3"))).toBe("a\ufffdb\ufffd");
    expect(decodeErrorText(new Uint8Array(0))).toBe("");
  });

  test("is cut to a bound", () => {
    const long = Buffer.from("x".repeat(100_000));
    expect(decodeErrorText(long)).toBe("x".repeat(LEADER_TEXT_CHARS_MAX));
    const wide = Buffer.from("\u{1f600}".repeat(1000));
    expect(decodeErrorText(wide).length).toBeLessThanOrEqual(LEADER_TEXT_CHARS_MAX);
  });

  test("of a version mismatch names the leader's version, exactly as the crate words it", () => {
    expect(versionMismatchLeader("protocol version mismatch: leader 1, follower 2")).toBe(1);
    expect(versionMismatchLeader(versionMismatchText(255, 2))).toBe(255);
    for (const text of [
      "",
      "protocol version mismatch",
      "protocol version mismatch: leader x, follower 2",
      "protocol version mismatch: leader 1, follower 2.",
      " protocol version mismatch: leader 1, follower 2",
      "protocol version mismatch: leader 1234, follower 2",
      "protocol version mismatch: leader 1, follower 2\n",
    ]) {
      expect(versionMismatchLeader(text)).toBeNull();
    }
  });
});

describe("frame types", () => {
  test("are seven, each with a name", () => {
    const types = Array.from({ length: 256 }, (_, type) => type).filter(isFrameType);
    expect(types).toEqual([1, 2, 3, 4, 5, 6, 255]);
    expect(types.map(frameName)).toEqual([
      "SyncRequest",
      "ShardInfo",
      "SlotBatch",
      "CaughtUp",
      "Ack",
      "Heartbeat",
      "Error",
    ]);
    expect(frameName(77)).toBe("type 77");
  });
});
