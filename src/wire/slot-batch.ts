// SlotBatch payloads (wire.md: Frames, Event). Decoding walks a batch without copying; validation is one pass
// over the whole batch before any of it is applied. Encoding closes a batch as the crate's leader does.
//
//   payload: shard_id u8, count u32, then count events
//   event:   slot_id u32, meta u32, key, value only if OCCUPIED; protocol 2: FREE is slot_id and meta alone

import { readU32, viewOf } from "../bytes.ts";
import {
  type SlotLayout,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_INVALID,
  STATUS_OCCUPIED,
  statusOf,
} from "../format/slot.ts";
import { BATCH_BYTES_FULL, BATCH_EVENTS_FULL, FRAME_HEADER_BYTES } from "../limits.ts";
import { FRAME_SLOT_BATCH, newFrame, type ProtocolVersion } from "./messages.ts";

export const BATCH_PREFIX_BYTES = 5;
export const EVENT_HEADER_BYTES = 8;

/** Why a batch is refused whole. */
export type BatchFault =
  "too-short" | "other-shard" | "count-exceeds-payload" | "event-truncated" | "status-invalid";

/** A fault and the event it was met at, for the message. */
export interface BatchProblem {
  readonly fault: BatchFault;
  readonly event: number;
}

/** What a sound batch holds, in the order of its events; slots are -1 in an empty one. */
export interface BatchFacts {
  readonly events: number;
  readonly slotFirst: number;
  readonly slotLast: number;
  /** Each slot is above the one before. */
  readonly ascending: boolean;
}

export interface BatchSummary extends BatchFacts {
  /** Largest slot id, or -1 in an empty batch. */
  readonly slotMax: number;
}

/** Bytes of one event by its status; FREE carries a key on protocol 1, as any status but OCCUPIED does there. */
export function eventBytes(status: number, layout: SlotLayout, protocol: ProtocolVersion): number {
  if (status === STATUS_OCCUPIED) return EVENT_HEADER_BYTES + layout.keyLen + layout.valueLen;
  if (status === STATUS_FREE && protocol === 2) return EVENT_HEADER_BYTES;
  return EVENT_HEADER_BYTES + layout.keyLen;
}

/**
 * Walks a whole payload: the shard, the count against the bytes that are there, every event's length and status. Status 3 is
 * refused on protocol 2; on protocol 1 it is a delete, as whatever is not OCCUPIED is (wire.md: A session, Apply).
 */
export function checkBatch(
  payload: Uint8Array,
  shard: number,
  layout: SlotLayout,
  protocol: ProtocolVersion,
): BatchSummary | BatchProblem {
  if (payload.length < BATCH_PREFIX_BYTES) return { fault: "too-short", event: 0 };
  if (payload[0] !== shard) return { fault: "other-shard", event: 0 };
  const view = viewOf(payload);
  const count = view.getUint32(1, true);
  if (count * EVENT_HEADER_BYTES > payload.length - BATCH_PREFIX_BYTES) {
    return { fault: "count-exceeds-payload", event: 0 };
  }
  let offset = BATCH_PREFIX_BYTES;
  let [slotFirst, slotLast, slotMax] = [-1, -1, -1];
  let ascending = true;
  for (let event = 0; event < count; event++) {
    if (offset + EVENT_HEADER_BYTES > payload.length) return { fault: "event-truncated", event };
    const slot = view.getUint32(offset, true);
    const status = statusOf(view.getUint32(offset + 4, true));
    if (status === STATUS_INVALID && protocol === 2) return { fault: "status-invalid", event };
    offset += eventBytes(status, layout, protocol);
    if (offset > payload.length) return { fault: "event-truncated", event };
    if (event === 0) slotFirst = slot;
    else if (slot <= slotLast) ascending = false;
    slotLast = slot;
    if (slot > slotMax) slotMax = slot;
  }
  return { events: count, slotFirst, slotLast, ascending, slotMax };
}

/** One event of a batch; `key` and `value` are views of the payload, empty where the event carries none. */
export interface SlotEvent {
  readonly slot: number;
  readonly meta: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Walks the events of a payload that has passed `checkBatch`. */
export function* batchEvents(
  payload: Uint8Array,
  layout: SlotLayout,
  protocol: ProtocolVersion,
): Generator<SlotEvent> {
  const view = viewOf(payload);
  const count = view.getUint32(1, true);
  let offset = BATCH_PREFIX_BYTES;
  for (let event = 0; event < count; event++) {
    const meta = view.getUint32(offset + 4, true);
    const end = offset + eventBytes(statusOf(meta), layout, protocol);
    const keyEnd = Math.min(end, offset + EVENT_HEADER_BYTES + layout.keyLen);
    yield {
      slot: view.getUint32(offset, true),
      meta,
      key: payload.subarray(offset + EVENT_HEADER_BYTES, keyEnd),
      value: payload.subarray(keyEnd, end),
    };
    offset = end;
  }
}

/** The slots of a payload that has passed `checkBatch`, without a view of each event. */
export function* batchSlots(
  payload: Uint8Array,
  layout: SlotLayout,
  protocol: ProtocolVersion,
): Generator<number> {
  const count = readU32(payload, 1);
  let offset = BATCH_PREFIX_BYTES;
  for (let event = 0; event < count; event++) {
    yield readU32(payload, offset);
    offset += eventBytes(statusOf(payload[offset + 4] as number), layout, protocol);
  }
}

/** Collects events into one SlotBatch frame, closed as the crate's leader closes it. */
export class SlotBatchEncoder {
  readonly #shard: number;
  readonly #layout: SlotLayout;
  #frame: Uint8Array;
  #length = FRAME_HEADER_BYTES + BATCH_PREFIX_BYTES;
  #count = 0;

  constructor(shard: number, layout: SlotLayout) {
    this.#shard = shard;
    this.#layout = layout;
    const eventBytesMax = EVENT_HEADER_BYTES + layout.keyLen + layout.valueLen;
    this.#frame = newFrame(FRAME_SLOT_BATCH, BATCH_PREFIX_BYTES + BATCH_BYTES_FULL + eventBytesMax);
  }

  get count(): number {
    return this.#count;
  }

  /** True once 256 events or 64 KiB are in it: take it before adding more. */
  get full(): boolean {
    return (
      this.#count >= BATCH_EVENTS_FULL || this.#length - FRAME_HEADER_BYTES >= BATCH_BYTES_FULL
    );
  }

  /** Adds the event for a slot image: OCCUPIED with key and value, DELETED with key, FREE as a reset (protocol 2). */
  add(slot: number, meta: number, image: Uint8Array): void {
    const status = statusOf(meta);
    const { keyLen, valueLen } = this.#layout;
    const bodyBytes =
      status === STATUS_OCCUPIED ? keyLen + valueLen : status === STATUS_DELETED ? keyLen : 0;
    const view = viewOf(this.#frame);
    view.setUint32(this.#length, slot, true);
    view.setUint32(this.#length + 4, meta, true);
    this.#frame.set(image.subarray(8, 8 + bodyBytes), this.#length + EVENT_HEADER_BYTES);
    this.#length += EVENT_HEADER_BYTES + bodyBytes;
    this.#count++;
  }

  /** The finished frame; the encoder starts again, empty. */
  take(): Uint8Array {
    const frame = this.#frame.slice(0, this.#length);
    const view = viewOf(frame);
    view.setUint32(1, this.#length - FRAME_HEADER_BYTES, true);
    view.setUint8(FRAME_HEADER_BYTES, this.#shard);
    view.setUint32(FRAME_HEADER_BYTES + 1, this.#count, true);
    this.#length = FRAME_HEADER_BYTES + BATCH_PREFIX_BYTES;
    this.#count = 0;
    return frame;
  }
}
