// How a connection to a leader ends, and what of the socket's own ends that is, in words for people. Used by shard-link.ts and
// by whoever owns one. Pure.

import type { LinkEnd } from "../io/net.ts";
import type { FrameProblem } from "../wire/frame-decoder.ts";
import { frameName } from "../wire/messages.ts";

/** Why a shard's connection is over. */
export type ShardLinkEnd =
  | { readonly kind: "closed-here" }
  /** The peer is not there, or hung up: try again. */
  | { readonly kind: "lost"; readonly reason: string; readonly connected: boolean }
  /** It is there and does nothing, or drips: close and try again. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** It sent what the protocol does not have. */
  | { readonly kind: "violation"; readonly reason: string; readonly beforeShardInfo: boolean }
  /** It sent an Error frame. */
  | { readonly kind: "leader-error"; readonly text: string };

/** What the end of the socket says of the connection. */
export function shardLinkEnd(end: LinkEnd): ShardLinkEnd {
  switch (end.kind) {
    case "closed-here":
      return { kind: "closed-here" };
    case "closed-by-peer":
      return { kind: "lost", reason: "the leader closed the connection", connected: true };
    case "broken":
      return { kind: "lost", reason: `the connection broke: ${end.reason}`, connected: true };
    case "not-connected":
      return { kind: "lost", reason: `no connection: ${end.reason}`, connected: false };
    case "send-queue-full":
      return { kind: "stalled", reason: "the leader reads nothing: acks pile up" };
  }
}

export function frameProblemText(problem: FrameProblem): string {
  return problem.fault === "unknown-type"
    ? `The peer sent a frame of unknown type ${problem.type}`
    : `The peer announced a ${frameName(problem.type)} of ${problem.payloadBytes} bytes`;
}
