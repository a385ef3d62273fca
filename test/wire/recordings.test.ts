// What the real leader sent decodes to its last byte, and comes to what its files say: the catch-up to the files as they were
// then, the live events after it to the files as they were at the end.

import { describe, expect, test } from "bun:test";
import { toHex } from "../../src/bytes.ts";
import {
  type SlotLayout,
  STATUS_DELETED,
  STATUS_NAMES,
  STATUS_OCCUPIED,
  statusOf,
  versionOf,
} from "../../src/format/slot.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import {
  decodeCaughtUp,
  decodeShardInfo,
  FRAME_CAUGHT_UP,
  FRAME_HEARTBEAT,
  FRAME_SHARD_INFO,
  FRAME_SLOT_BATCH,
  type FrameType,
} from "../../src/wire/messages.ts";
import { batchEvents, checkBatch, type SlotEvent } from "../../src/wire/slot-batch.ts";
import {
  type ExpectedShard,
  FIXTURE_NAMES,
  fixtureExpected,
  fixtureRecording,
  type RecordingKind,
} from "../support/fixtures.ts";

interface Frame {
  readonly type: FrameType;
  readonly payload: Uint8Array;
}

/** All frames of a recording, fed in chunks of this many bytes; nothing may be left over. */
function framesOf(bytes: Uint8Array, chunkBytes: number): Frame[] {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const problem = decoder.push(bytes.slice(start, start + chunkBytes), (type, payload) => {
      frames.push({ type, payload: payload.slice() });
      return true;
    });
    expect(problem).toBeNull();
  }
  expect(decoder.midFrame).toBe(false);
  return frames;
}

/** The events of a recording's batches, each batch being sound for its shard. */
function eventsOf(frames: readonly Frame[], shard: number, layout: SlotLayout): SlotEvent[] {
  return frames
    .filter((frame) => frame.type === FRAME_SLOT_BATCH)
    .flatMap(({ payload }) => {
      const events = [...batchEvents(payload, layout, 1)];
      expect(checkBatch(payload, shard, layout, 1)).toMatchObject({
        events: events.length,
        slotMax: Math.max(-1, ...events.map((event) => event.slot)),
      });
      return events;
    });
}

const wordsOf = ({ slot, meta, key, value }: SlotEvent) =>
  `${slot} ${STATUS_NAMES[statusOf(meta)]} ${versionOf(meta)} ${toHex(key)} ${toHex(value)}`;

/** The events that a scan of these files has to come to. */
function scanOf(shard: ExpectedShard, withDeleted: boolean): string[] {
  return shard.slots
    .filter(({ status }) => status === "occupied" || (withDeleted && status === "deleted"))
    .map(
      ({ slot, status, version, key, value }) =>
        `${slot} ${status} ${version} ${key} ${status === "occupied" ? value : ""}`,
    );
}

for (const name of FIXTURE_NAMES) {
  const expected = fixtureExpected(name);
  expected.leaderDirty.forEach((files, shard) => {
    describe(`${name}, shard ${shard}`, () => {
      const recorded = (kind: RecordingKind, chunkBytes = 1 << 20) =>
        framesOf(fixtureRecording(name, shard, kind), chunkBytes);

      for (const kind of ["catchup", "catchup-empty", "stream"] as const) {
        test(`${kind} is the same frames whole and in pieces`, () => {
          const whole = recorded(kind);
          expect(whole.length).toBeGreaterThan(0);
          for (const chunkBytes of [1, 7, 1460]) {
            expect(recorded(kind, chunkBytes)).toEqual(whole);
          }
        });
      }

      for (const kind of ["catchup", "catchup-empty"] as const) {
        test(`${kind} is ShardInfo, the ${kind === "catchup" ? "" : "occupied "}slots of the files, CaughtUp`, () => {
          const frames = recorded(kind);
          const [first, last] = [frames.at(0), frames.at(-1)];
          expect(first?.type).toBe(FRAME_SHARD_INFO);
          expect(decodeShardInfo(first!.payload)).toEqual({
            shardCount: expected.shards,
            keyLen: files.keyLen,
            valueLen: files.valueLen,
            slotSize: files.slotSize,
            slotCount: files.slotCount,
            shardPrefixBits: expected.shardPrefixBits,
          });
          const events = eventsOf(frames, shard, files);
          expect(events.map(wordsOf)).toEqual(scanOf(files, kind === "catchup"));
          expect(last?.type).toBe(FRAME_CAUGHT_UP);
          expect(decodeCaughtUp(last!.payload)).toEqual({
            shardId: shard,
            totalScanned: BigInt(events.length),
          });
          expect(frames.slice(1, -1).every((frame) => frame.type === FRAME_SLOT_BATCH)).toBe(true);
        });
      }

      test("stream brings the files of then to those of the end", () => {
        const frames = recorded("stream");
        const types = new Set<number>(frames.map((frame) => frame.type));
        expect([...types].filter((type) => type !== FRAME_HEARTBEAT)).toEqual([FRAME_SLOT_BATCH]);
        const slots = new Map(files.slots.map((slot) => [slot.slot, stateOf(slot)]));
        for (const { slot, meta, key, value } of eventsOf(frames, shard, files)) {
          const status = statusOf(meta);
          if (status === STATUS_OCCUPIED) {
            slots.set(slot, `occupied ${versionOf(meta)} ${toHex(key)} ${toHex(value)}`);
          } else {
            expect(status).toBe(STATUS_DELETED);
            slots.set(slot, `deleted ${versionOf(meta)}`);
          }
        }
        const wanted = expected.leaderClean[shard]!.slots;
        expect([...slots].sort(([left], [right]) => left - right)).toEqual(
          wanted.map((slot) => [slot.slot, stateOf(slot)]),
        );
      });
    });
  });
}

function stateOf({ status, version, key, value }: ExpectedShard["slots"][number]): string {
  return status === "occupied" ? `occupied ${version} ${key} ${value}` : `${status} ${version}`;
}
