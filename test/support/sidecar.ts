// Reads a whole sidecar, which nothing of src does: the program takes it piece by piece.

import { crc32 } from "node:zlib";
import { viewOf } from "../../src/bytes.ts";
import { type SidecarFault, sidecarBytes } from "../../src/format/versions-sidecar.ts";

/** Checks a whole sidecar against its shard's slot count; null when it is good. */
export function sidecarFault(bytes: Uint8Array, slotCount: number): SidecarFault | null {
  if (bytes.length !== sidecarBytes(slotCount)) return "size";
  const view = viewOf(bytes);
  const end = slotCount * 4;
  if (view.getUint32(end, true) !== slotCount) return "count";
  if (view.getUint32(end + 4, true) !== crc32(bytes.subarray(0, end + 4))) return "crc";
  return null;
}

/** The meta word of one slot in a sidecar that has passed `sidecarFault`. */
export function sidecarWord(bytes: Uint8Array, slot: number): number {
  return viewOf(bytes).getUint32(slot * 4, true);
}
