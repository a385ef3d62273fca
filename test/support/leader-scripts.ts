// Scripts for ScriptedLeader: a plain good leader, and one per way of being wrong.
// Each bad script sends exactly one bad thing and then keeps the link open, so that what closes it is the follower.

import {
  packMeta,
  type SlotLayout,
  STATUS_INVALID,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { viewOf } from "../../src/bytes.ts";
import { FRAME_HEADER_BYTES } from "../../src/limits.ts";
import { SlotBatchEncoder } from "../../src/wire/slot-batch.ts";
import {
  encodeCaughtUp,
  encodeErrorFrame,
  encodeHeartbeat,
  encodeShardInfo,
  FRAME_ERROR,
  newFrame,
  type ShardInfo,
  type SyncRequest,
  versionMismatchText,
} from "../../src/wire/messages.ts";
import type { Script, ScriptedPeer } from "./scripted-leader.ts";

/** One slot that a scripted leader has. `image` is a whole slot, meta word included. */
export interface ScriptedSlot {
  readonly slot: number;
  readonly meta: number;
  readonly image: Uint8Array;
}

/** A slot image whose meta, key and value are these; its crc is left zero, as it does not travel. */
export function scriptedSlot(
  slot: number,
  meta: number,
  layout: SlotLayout,
  key: Uint8Array,
  value: Uint8Array,
): ScriptedSlot {
  const image = new Uint8Array(layout.slotSize);
  viewOf(image).setUint32(0, meta, true);
  image.set(key, 8);
  image.set(value, 8 + layout.keyLen);
  return { slot, meta, image };
}

/** One whole SlotBatch frame of these slots. */
export function batchFrame(
  shard: number,
  layout: SlotLayout,
  slots: readonly ScriptedSlot[],
): Uint8Array {
  const encoder = new SlotBatchEncoder(shard, layout);
  for (const { slot, meta, image } of slots) encoder.add(slot, meta, image);
  return encoder.take();
}

export interface GoodLeader {
  readonly info: ShardInfo;
  /** Slots of one shard, in the order they are sent. */
  slots(shard: number): readonly ScriptedSlot[];
  /** The version this leader speaks; a follower that asks for another gets the mismatch Error. */
  readonly protocol: 1 | 2;
}

/** Handshake of a good leader; null when it refused the request and closed. */
export function* handshake(peer: ScriptedPeer, leader: GoodLeader) {
  const request: SyncRequest = yield* peer.request();
  if (request.protocolVersion !== leader.protocol) {
    const text = versionMismatchText(leader.protocol, request.protocolVersion);
    peer.send(encodeErrorFrame(text));
    peer.close();
    return null;
  }
  peer.send(encodeShardInfo(leader.info));
  return request;
}

/** A leader that sends its slots in one batch each, waits for each Ack, says CaughtUp and stays silent. */
export function goodScript(leader: GoodLeader): Script {
  return function* (peer) {
    const request = yield* handshake(peer, leader);
    if (request === null) return;
    const slots = leader.slots(request.shardId);
    for (const slot of slots) {
      peer.send(batchFrame(request.shardId, leader.info, [slot]));
      yield* peer.ack();
    }
    const totalScanned = BigInt(slots.length);
    peer.send(encodeCaughtUp({ shardId: request.shardId, totalScanned }));
    yield* peer.untilEnd();
  };
}

/** What a bad leader sends, by name, after the follower's SyncRequest. */
export type BadInput =
  | "not-an-armdb-port"
  | "length-4-gib"
  | "unknown-type"
  | "truncated-frame"
  | "shard-info-short"
  | "zero-shards"
  | "wrong-geometry"
  | "count-lies"
  | "status-3"
  | "slot-far-out"
  | "other-shard"
  | "error-with-escapes"
  | "batch-before-info"
  | "silence";

export const BAD_INPUTS: readonly BadInput[] = [
  "not-an-armdb-port",
  "length-4-gib",
  "unknown-type",
  "truncated-frame",
  "shard-info-short",
  "zero-shards",
  "wrong-geometry",
  "count-lies",
  "status-3",
  "slot-far-out",
  "other-shard",
  "error-with-escapes",
  "batch-before-info",
  "silence",
];

/** An Error text with an escape sequence, a bell, a newline, bidi override and broken UTF-8 behind it. */
export const ESCAPE_TEXT = "go away\u001b[2J\u0007\r\nroot: \u202eevil\u0000";

/** The script for one bad input. Those that need it answer with `info` first. */
export function badScript(bad: BadInput, info: ShardInfo): Script {
  return function* (peer) {
    if (bad === "not-an-armdb-port") {
      peer.send(Buffer.from("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "latin1"));
      yield* peer.untilEnd();
      return;
    }
    const request = yield* peer.request();
    for (const bytes of badBytes(bad, info, request.shardId)) peer.send(bytes);
    if (bad === "truncated-frame") peer.close();
    else yield* peer.untilEnd();
  };
}

function badBytes(
  bad: Exclude<BadInput, "not-an-armdb-port">,
  info: ShardInfo,
  shard: number,
): Uint8Array[] {
  const good = encodeShardInfo(info);
  switch (bad) {
    case "length-4-gib":
      return [good, new Uint8Array([3, 0xff, 0xff, 0xff, 0xff, shard])];
    case "unknown-type":
      return [good, new Uint8Array([77, 0, 0, 0, 0])];
    case "truncated-frame":
      return [good, oneSlotBatch(info, shard, 0, STATUS_OCCUPIED).subarray(0, 20)];
    case "shard-info-short":
      return [new Uint8Array([2, 4, 0, 0, 0, 1, 8, 0, 16])];
    case "zero-shards":
      return [encodeShardInfo({ ...info, shardCount: 0 })];
    case "wrong-geometry":
      return [encodeShardInfo({ ...info, slotSize: info.slotSize + 8 })];
    case "count-lies":
      return [good, lyingBatch(info, shard)];
    case "status-3":
      return [good, oneSlotBatch(info, shard, 0, STATUS_INVALID)];
    case "slot-far-out":
      return [good, oneSlotBatch(info, shard, 0xffff_fff0, STATUS_OCCUPIED)];
    case "other-shard":
      return [good, oneSlotBatch(info, shard === 0 ? 1 : 0, 0, STATUS_OCCUPIED)];
    case "error-with-escapes":
      return [escapeFrame()];
    case "batch-before-info":
      return [oneSlotBatch(info, shard, 0, STATUS_OCCUPIED)];
    case "silence":
      return [];
  }
}

/** A batch with one event of this slot and status, version 1, a key and a value of 0x41. */
export function oneSlotBatch(
  layout: SlotLayout,
  shard: number,
  slot: number,
  status: 0 | 1 | 2 | 3,
): Uint8Array {
  const key = new Uint8Array(layout.keyLen).fill(0x41);
  const value = new Uint8Array(layout.valueLen).fill(0x41);
  const made = scriptedSlot(slot, packMeta(STATUS_OCCUPIED, 1), layout, key, value);
  const frame = batchFrame(shard, layout, [made]);
  viewOf(frame).setUint32(FRAME_HEADER_BYTES + 5 + 4, packMeta(status, 1), true);
  return frame;
}

/** ESCAPE_TEXT with two bytes behind it that are no UTF-8. */
function escapeFrame(): Uint8Array {
  const text = Buffer.concat([Buffer.from(ESCAPE_TEXT, "utf8"), Buffer.from([0xff, 0xfe])]);
  const frame = newFrame(FRAME_ERROR, text.length);
  frame.set(text, FRAME_HEADER_BYTES);
  return frame;
}

/** A batch of one event that says it holds 4 billion. */
function lyingBatch(layout: SlotLayout, shard: number): Uint8Array {
  const frame = oneSlotBatch(layout, shard, 0, STATUS_OCCUPIED);
  viewOf(frame).setUint32(FRAME_HEADER_BYTES + 1, 0xffff_ffff, true);
  return frame;
}

/** Heartbeats without end and never data: alive, and of no use. */
export function heartbeatScript(info: ShardInfo, intervalMs: number): Script {
  return function* (peer) {
    yield* peer.request();
    peer.send(encodeShardInfo(info));
    while (peer.ended === null) {
      peer.send(encodeHeartbeat());
      yield* peer.pause(intervalMs);
    }
  };
}
