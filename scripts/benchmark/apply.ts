// How long an applier takes for a slot, plain TypeScript and WASM side by side: `bun scripts/benchmark/apply.ts [passes]`.
// One core, no network and no file: batches as a leader closes them, taken into an empty table (`take`), then compared with
// what is there (`same`, a re-scan). Prints the median and the spread over the passes, ns a slot.

import { viewOf } from "../../src/bytes.ts";
import { packMeta, type SlotLayout, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { FRAME_HEADER_BYTES } from "../../src/limits.ts";
import {
  type ApplyOptions,
  type BatchApplier,
  PENDING_BYTES_FULL,
} from "../../src/replica/apply/batch-applier.ts";
import { PlainApplier } from "../../src/replica/apply/plain-applier.ts";
import { WasmApplier } from "../../src/replica/apply/wasm-applier.ts";
import {
  BATCH_PREFIX_BYTES,
  EVENT_HEADER_BYTES,
  SlotBatchEncoder,
} from "../../src/wire/slot-batch.ts";

const LAYOUTS: readonly SlotLayout[] = [
  slotLayout(8, 64),
  slotLayout(4, 3),
  slotLayout(16, 100),
  slotLayout(32, 1000),
];
const SHARD = 0;
/** Bytes of slots in one pass: what a receive buffer holds, as freshly received bytes are in the cache. */
const PASS_BYTES = 512 * 1024;
const PASSES = Number(process.argv[2] ?? 200);
/** Until all is compiled by the last tier. */
const WARM_PASSES = 60;
const OPTIONS: ApplyOptions = { protocol: 2, purpose: "scan", resetsSaved: false };

interface Candidate {
  readonly name: string;
  make(layout: SlotLayout, slotCount: number): BatchApplier;
}

const CANDIDATES: readonly Candidate[] = [
  { name: "plain", make: (layout, slots) => new PlainApplier(SHARD, layout, slots) },
  { name: "wasm", make: (layout, slots) => wasm(layout, slots, undefined) },
  { name: "wasm, own crc", make: (layout, slots) => wasm(layout, slots, Infinity) },
  { name: "wasm, native crc", make: (layout, slots) => wasm(layout, slots, 0) },
];

function wasm(layout: SlotLayout, slotCount: number, nativeBytesMin?: number): BatchApplier {
  const applier = WasmApplier.create(SHARD, layout, slotCount, nativeBytesMin);
  if (applier === null) throw new Error("No memory for WebAssembly");
  return applier;
}

/** Batches over slots 0 to slotCount - 1, as a leader's catch-up closes them. */
function batchesOf(layout: SlotLayout, slotCount: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const encoder = new SlotBatchEncoder(SHARD, layout);
  const image = new Uint8Array(layout.slotSize);
  for (let slot = 0; slot < slotCount; slot++) {
    for (let at = 8; at < image.length; at++) image[at] = Math.imul(slot + 1, at) >> 3;
    encoder.add(slot, packMeta(STATUS_OCCUPIED, 0), image);
    if (encoder.full) payloads.push(encoder.take().slice(FRAME_HEADER_BYTES));
  }
  if (encoder.count > 0) payloads.push(encoder.take().slice(FRAME_HEADER_BYTES));
  return payloads;
}

/** Gives all events of OCCUPIED batches another version. */
function setVersion(payloads: readonly Uint8Array[], layout: SlotLayout, version: number): void {
  const stride = EVENT_HEADER_BYTES + layout.keyLen + layout.valueLen;
  const meta = packMeta(STATUS_OCCUPIED, version);
  for (const payload of payloads) {
    const view = viewOf(payload);
    for (let at = BATCH_PREFIX_BYTES; at < payload.length; at += stride) {
      view.setUint32(at + 4, meta, true);
    }
  }
}

/** Applies all batches, handing writes on as a follower does; returns the ns a slot. */
function pass(applier: BatchApplier, payloads: readonly Uint8Array[], taken: boolean): number {
  let slots = 0;
  const startedAtMs = performance.now();
  for (const payload of payloads) {
    const outcome = applier.apply(payload, OPTIONS);
    if (outcome.kind !== "applied") throw new Error(`A batch came to ${outcome.kind}`);
    slots += outcome.events;
    if ((outcome.taken === outcome.events) !== taken)
      throw new Error("Not what was to be measured");
    if (applier.pendingBytes >= PENDING_BYTES_FULL) applier.takeWrites(() => {});
  }
  applier.takeWrites(() => {});
  return ((performance.now() - startedAtMs) * 1e6) / slots;
}

function row(name: string, samples: Record<"take" | "same", number[]>): string {
  const cells = [samples.take, samples.same].map((all) => {
    const sorted = all.toSorted((left, right) => left - right);
    const at = (share: number) =>
      (sorted[Math.floor(share * (sorted.length - 1))] as number).toFixed(1);
    return `${at(0.5).padStart(7)} [${at(0.1)}-${at(0.9)}]`.padEnd(26);
  });
  return `  ${name.padEnd(18)} ${cells.join("")}`;
}

for (const layout of LAYOUTS) {
  const slotCount = Math.floor(PASS_BYTES / layout.slotSize);
  const payloads = batchesOf(layout, slotCount);
  const runs = CANDIDATES.map(({ name, make }) => ({
    name,
    applier: make(layout, slotCount),
    samples: { take: [] as number[], same: [] as number[] },
  }));
  for (let version = 1; version <= WARM_PASSES + PASSES; version++) {
    setVersion(payloads, layout, version);
    for (let turn = 0; turn < runs.length; turn++) {
      const { applier, samples } = runs[(turn + version) % runs.length] as (typeof runs)[number];
      const take = pass(applier, payloads, true);
      const same = pass(applier, payloads, false);
      if (version <= WARM_PASSES) continue;
      samples.take.push(take);
      samples.same.push(same);
    }
  }
  console.log(`${layout.keyLen}x${layout.valueLen}, ns a slot: taken, compared; median [p10-p90]`);
  for (const { name, samples } of runs) console.log(row(name, samples));
}
