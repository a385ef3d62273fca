// What may look on while a shard is scanned (style: what must look on is passed in as an observer). Called by shard-connections.ts;
// the recorder of a comparison is one (difference-recorder.ts). It may read the shard's body; it decides nothing, and what the peer
// sends never makes it throw.

import type { ProtocolVersion } from "../../wire/messages.ts";
import type { AppliedBatch } from "../apply/batch-applier.ts";
import type { ScanKind } from "../machine/types.ts";
import type { ShardBody } from "../shard-body.ts";

/** Looks at one scan, and at no other. Nothing comes after `whole` or `broke`. */
export interface ScanLook {
  /** A batch was applied. Its differences are all that it showed, also those that it mended. */
  batch(batch: AppliedBatch): void;
  /** The scan counts as whole; slots that the leader does not have are not cleared yet. */
  whole(): void;
  broke(reason: string): void;
}

export interface ScanObserver {
  /** The scan of this connection begins; null: nobody looks at it. */
  scanBegan(link: number, body: ShardBody, kind: ScanKind): ScanLook | null;
  /** A live batch of so many events has been applied. */
  streamBatch(payload: Uint8Array, protocol: ProtocolVersion, events: number): void;
  /** The connection with the live stream is gone. */
  streamEnded(): void;
}
