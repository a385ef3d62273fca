// What to answer to a follower's first frame. Pure. A leader speaks both protocols here, each follower the one it asks
// for (wire.md: A session, 1 and 2; What a leader owes a crate follower).

import {
  decodeSyncRequest,
  ERROR_INVALID_SHARD,
  FLAG_EMPTY_STATE,
  FRAME_SYNC_REQUEST,
  type FrameType,
  frameName,
  type ProtocolVersion,
  versionMismatchText,
} from "../wire/messages.ts";

/** The version that is named to a follower which asks for neither 1 nor 2. */
const LEADER_PROTOCOL: ProtocolVersion = 2;

export type HandshakeAnswer =
  | {
      readonly kind: "serve";
      readonly shard: number;
      readonly protocol: ProtocolVersion;
      /** The follower's shard is empty: DELETED slots need not come. */
      readonly skipDeleted: boolean;
    }
  /** An Error frame with this text, then close. `shard` as asked for. */
  | { readonly kind: "refuse"; readonly text: string; readonly shard: number }
  /** Not a follower: close without an Error. */
  | { readonly kind: "close"; readonly reason: string };

/** Decides by the first frame of a connection; the version is checked before the shard, as the crate does. */
export function answerFirstFrame(
  type: FrameType,
  payload: Uint8Array,
  shardCount: number,
): HandshakeAnswer {
  if (type !== FRAME_SYNC_REQUEST) {
    return { kind: "close", reason: `sent ${frameName(type)} where a SyncRequest is due` };
  }
  const request = decodeSyncRequest(payload);
  if (request === null) {
    return { kind: "close", reason: `its SyncRequest has ${payload.length} bytes, 3 are due` };
  }
  const { shardId: shard, protocolVersion, flags } = request;
  if (protocolVersion !== 1 && protocolVersion !== 2) {
    return { kind: "refuse", text: versionMismatchText(LEADER_PROTOCOL, protocolVersion), shard };
  }
  if (shard >= shardCount) return { kind: "refuse", text: ERROR_INVALID_SHARD, shard };
  const skipDeleted = (flags & FLAG_EMPTY_STATE) !== 0;
  return { kind: "serve", shard, protocol: protocolVersion, skipDeleted };
}
