// What may look on while a shard is scanned (style: what must look on is passed in as an observer). Used by shard-follower.ts
// and shard-connections.ts, which call it; the recorder of a comparison is one (difference-recorder.ts). An observer may read the
// shard's body and distrust slots of it; it decides nothing else and never throws for bytes of the peer.

import type { ProtocolVersion } from "../../wire/messages.ts";
import type { ScanKind } from "../machine/types.ts";
import type { ShardBody } from "../shard-body.ts";

export interface ObservedScan {
  readonly body: ShardBody;
  readonly kind: ScanKind;
  /** Whether a live stream goes on beside the scan. */
  readonly hasStream: boolean;
}

export interface ScanObserver {
  /** ShardInfo came; batches follow. */
  scanBegan(scan: ObservedScan): void;
  /** A batch of the scan as it came, unchecked, before anything of it is applied. */
  scanBatch(payload: Uint8Array, protocol: ProtocolVersion): void;
  /** That batch has been applied. */
  scanBatchApplied(): void;
  /** The scan counts as whole; slots that the leader does not have are not cleared yet. */
  scanWhole(): void;
  /** The scan under way, if any, will not become whole. */
  scanBroke(reason: string): void;
  /** A live batch of so many events has been applied. */
  streamBatch(payload: Uint8Array, protocol: ProtocolVersion, events: number): void;
  /** The connection with the live stream is gone. */
  streamEnded(): void;
}

const nothing = () => {};

/** Looks away. */
export const NO_OBSERVER: ScanObserver = {
  scanBegan: nothing,
  scanBatch: nothing,
  scanBatchApplied: nothing,
  scanWhole: nothing,
  scanBroke: nothing,
  streamBatch: nothing,
  streamEnded: nothing,
};
