// The session's state machine: what each frame means in each phase, what no leader sends, and when an ack is due.

import { describe, expect, test } from "bun:test";
import { FRAME_HEADER_BYTES } from "../../src/limits.ts";
import { Session, type SessionEvent } from "../../src/link/session.ts";
import {
  encodeAck,
  encodeCaughtUp,
  encodeErrorFrame,
  encodeHeartbeat,
  encodeShardInfo,
  encodeSyncRequest,
  FRAME_ACK,
  FRAME_CAUGHT_UP,
  FRAME_ERROR,
  FRAME_HEARTBEAT,
  FRAME_SHARD_INFO,
  FRAME_SLOT_BATCH,
  FRAME_SYNC_REQUEST,
  type FrameType,
  type ShardInfo,
} from "../../src/wire/messages.ts";

const SHARD = 2;
const INFO: ShardInfo = {
  shardCount: 4,
  keyLen: 8,
  valueLen: 16,
  slotSize: 32,
  slotCount: 1000,
  shardPrefixBits: 0,
};

const payloadOf = (frame: Uint8Array) => frame.subarray(FRAME_HEADER_BYTES);
const info = (change: Partial<ShardInfo> = {}) =>
  payloadOf(encodeShardInfo({ ...INFO, ...change }));
const caughtUp = (totalScanned: bigint, shardId = SHARD) =>
  payloadOf(encodeCaughtUp({ shardId, totalScanned }));

/** A batch payload that says it holds `count` events, and is at least this long. */
function batch(count: number, bytes = 5): Uint8Array {
  const payload = new Uint8Array(Math.max(5, bytes));
  payload[0] = SHARD;
  new DataView(payload.buffer).setUint32(1, count, true);
  return payload;
}

/** A session in a phase. */
function session(
  phase: "handshake" | "scanning" | "streaming",
  windowAcks = 0,
  protocol: 1 | 2 = 2,
): Session {
  const made = new Session(SHARD, protocol, () => windowAcks);
  if (phase !== "handshake") made.receive(FRAME_SHARD_INFO, info());
  if (phase === "streaming") made.receive(FRAME_CAUGHT_UP, caughtUp(0n));
  expect(made.phase).toBe(phase);
  return made;
}

function expectViolation(event: SessionEvent, reason: RegExp): void {
  expect(event.kind).toBe("violation");
  if (event.kind === "violation") expect(event.reason).toMatch(reason);
}

describe("a session", () => {
  test("goes from handshake by ShardInfo to scanning, by CaughtUp to streaming", () => {
    const made = session("handshake");
    expect(made.receive(FRAME_SHARD_INFO, info())).toEqual({ kind: "shard-info", info: INFO });
    expect(made.phase).toBe("scanning");
    expect(made.receive(FRAME_SLOT_BATCH, batch(3))).toMatchObject({ kind: "batch", full: false });
    const event: SessionEvent = made.receive(FRAME_CAUGHT_UP, caughtUp(3n));
    expect(event).toMatchObject({ kind: "caught-up", adds: true });
    expect(made.phase).toBe("streaming");
    expect(made.receive(FRAME_SLOT_BATCH, batch(3))).toMatchObject({ kind: "batch" });
    expect(made.eventsScanned).toBe(3n);
  });

  test("takes heartbeats and Errors in every phase, and stays in it", () => {
    for (const phase of ["handshake", "scanning", "streaming"] as const) {
      const made = session(phase);
      const heartbeat = payloadOf(encodeHeartbeat());
      expect(made.receive(FRAME_HEARTBEAT, heartbeat)).toEqual({
        kind: "heartbeat",
        isPlain: true,
      });
      const error = payloadOf(encodeErrorFrame("go away"));
      expect(made.receive(FRAME_ERROR, error)).toEqual({ kind: "leader-error", text: "go away" });
      expect(made.phase).toBe(phase);
    }
  });

  test("calls frames that only followers send a violation, in every phase", () => {
    const frames: readonly (readonly [FrameType, Uint8Array, RegExp])[] = [
      [
        FRAME_SYNC_REQUEST,
        encodeSyncRequest({ shardId: SHARD, protocolVersion: 2, flags: 0 }),
        /SyncRequest, which only followers send/,
      ],
      [
        FRAME_ACK,
        encodeAck({ shardId: SHARD, appliedCount: 0n, maxVersionSeen: 0 }),
        /Ack, which only followers send/,
      ],
    ];
    for (const phase of ["handshake", "scanning", "streaming"] as const) {
      for (const [type, frame, reason] of frames) {
        expectViolation(session(phase).receive(type, payloadOf(frame)), reason);
      }
    }
  });

  const outOfPhase: readonly (readonly [
    "handshake" | "scanning" | "streaming",
    FrameType,
    Uint8Array,
    RegExp,
  ])[] = [
    ["handshake", FRAME_SLOT_BATCH, batch(1), /SlotBatch before ShardInfo/],
    ["handshake", FRAME_CAUGHT_UP, caughtUp(0n), /CaughtUp while handshake/],
    ["scanning", FRAME_SHARD_INFO, info(), /second ShardInfo/],
    ["streaming", FRAME_SHARD_INFO, info(), /second ShardInfo/],
    ["streaming", FRAME_CAUGHT_UP, caughtUp(0n), /CaughtUp while streaming/],
  ];
  for (const [phase, type, payload, reason] of outOfPhase) {
    test(`calls it a violation while ${phase}: ${reason.source}`, () => {
      const made = session(phase);
      expectViolation(made.receive(type, payload), reason);
      expect(made.phase).toBe(phase);
    });
  }

  const badInfos: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["of 11 bytes", info().subarray(0, 11), /ShardInfo of 11 bytes/],
    ["with 0 shards", info({ shardCount: 0 }), /0 shards/],
    ["without the shard that was asked for", info({ shardCount: 2 }), /2 shards for shard 2/],
    ["with keys of 0 bytes", info({ keyLen: 0 }), /keys of 0 bytes/],
    ["with slots past 65,528 bytes", info({ valueLen: 65_513 }), /slots of 65536 bytes/],
  ];
  for (const [name, payload, reason] of badInfos) {
    test(`refuses a ShardInfo ${name}`, () => {
      const made = session("handshake");
      expectViolation(made.receive(FRAME_SHARD_INFO, payload), reason);
      expect(made.phase).toBe("handshake");
    });
  }

  test("takes a ShardInfo whose slot size is cut off, as 0.1.x writes it, and the largest slot", () => {
    expect(session("handshake").receive(FRAME_SHARD_INFO, info({ slotSize: 0 })).kind).toBe(
      "shard-info",
    );
    expect(session("handshake").receive(FRAME_SHARD_INFO, info({ valueLen: 65_512 })).kind).toBe(
      "shard-info",
    );
  });

  test("refuses a CaughtUp of another shard, and one that is too short", () => {
    const made = session("scanning");
    const foreign = made.receive(FRAME_CAUGHT_UP, caughtUp(0n, 3));
    expectViolation(foreign, /CaughtUp for shard 3, asked for 2/);
    const short = made.receive(FRAME_CAUGHT_UP, caughtUp(0n).subarray(0, 8));
    expectViolation(short, /CaughtUp of 8 bytes/);
    expect(made.phase).toBe("scanning");
  });

  test("holds CaughtUp's total against the events that came in the scan", () => {
    for (const [total, adds] of [
      [299n, false],
      [300n, true],
      [301n, false],
    ] as const) {
      const made = session("scanning");
      made.receive(FRAME_SLOT_BATCH, batch(256));
      made.receive(FRAME_SLOT_BATCH, batch(0));
      made.receive(FRAME_SLOT_BATCH, batch(44));
      expect(made.receive(FRAME_CAUGHT_UP, caughtUp(total))).toMatchObject({ adds });
    }
  });

  test("knows a full batch by its events or its bytes", () => {
    const cases = [
      [255, 65_535, false],
      [256, 5, true],
      [1, 65_536, true],
      [0, 5, false],
    ] as const;
    for (const [count, bytes, full] of cases) {
      for (const phase of ["scanning", "streaming"] as const) {
        const event = session(phase).receive(FRAME_SLOT_BATCH, batch(count, bytes));
        expect(event).toMatchObject({ kind: "batch", full });
      }
    }
  });
});

describe("acks", () => {
  test("are due for every batch where none run ahead", () => {
    for (const phase of ["scanning", "streaming"] as const) {
      const made = session(phase, 0);
      for (let count = 0; count < 5; count++) expect(made.ackIsDue()).toBe(true);
    }
  });

  for (const [protocol, due] of [
    [1, [false, false, false, true, true, true]],
    [2, [true, true, true, true, true, true]],
  ] as const) {
    const name = protocol === 1 ? "by the first live batches, one each" : "by no live batch";
    test(`that ran ahead are given back ${name} (protocol ${protocol})`, () => {
      const made = session("scanning", 3, protocol);
      for (let count = 0; count < 10; count++) expect(made.ackIsDue()).toBe(true);
      made.receive(FRAME_CAUGHT_UP, caughtUp(0n));
      expect(Array.from({ length: 6 }, () => made.ackIsDue())).toEqual([...due]);
    });
  }
});
